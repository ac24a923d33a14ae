"""A service that runs on real time, an imported fleet, and eMSPs of every version that are pushed to and pull."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import msgspec
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import and_, func, or_, select

from app.channels.ocpi.channel import OcpiChannel
from app.channels.ocpi.emsp_view import View
from app.channels.ocpi.locations import read_locations
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.simulator import Behaviour, Emsp
from app.clock import SystemClock
from app.demo.listening import listening
from app.domain.presentation import Gate, present
from app.main import create_app
from app.service import Service
from app.settings import Settings
from app.store import partners
from app.store.commands.importing import Import, ImportLocation
from app.store.presented import evses_by_id, live_by_evse
from app.store.tables import metadata
from tests.builders import ADMIN, stored

_delivery = metadata.tables["delivery"]
_presented = metadata.tables["presented"]
PER_LOCATION: Final = 10  #: EVSEs
VENDOR_FIELD: Final = "x_vendor_note"  #: what no version of OCPI has: for partners of the version of the import alone
PARTY: Final = "XPO"


def site(number: int, amperage: int = 32) -> dict[str, Any]:
    """A Location with its EVSEs, as a CPO's backend writes it in OCPI 2.2.1."""
    updated = "2026-03-02T09:00:00Z"
    return {
        "country_code": "DE",
        "party_id": PARTY,
        "id": f"L{number}",
        "publish": True,
        "address": f"Ringstraße {number}",
        "city": "Larkenau",
        "postal_code": "00101",
        "country": "DEU",
        "coordinates": {"latitude": "54.051230", "longitude": "7.010450"},
        "parking_type": "PARKING_LOT",
        "time_zone": "Europe/Berlin",
        VENDOR_FIELD: "kept",
        "last_updated": updated,
        "evses": [
            {
                "uid": f"{number}-{place}",
                "evse_id": f"DE*{PARTY}*E{number}*{place}",
                "status": "AVAILABLE",
                "capabilities": ["RFID_READER"],
                "connectors": [
                    {
                        "id": "1",
                        "standard": "IEC_62196_T2",
                        "format": "SOCKET",
                        "power_type": "AC_3_PHASE",
                        "max_voltage": 230,
                        "max_amperage": amperage,
                        "last_updated": updated,
                    }
                ],
                VENDOR_FIELD: "kept",
                "last_updated": updated,
            }
            for place in range(1, PER_LOCATION + 1)
        ],
    }


class Connected:
    """An eMSP that is a partner. `pulled` is what it knows from pulling what has changed, again and again."""

    def __init__(self, emsp: Emsp, version: str, *, schedules: bool) -> None:
        self.emsp = emsp
        self.version = version
        self.schedules = schedules  #: whether it takes any
        self.partner = 0
        self.token = ""
        self.pulled: View | None = None


class Network:
    """The service, its fleet, and who is told of it."""

    def __init__(self, service: Service, base: str, sites: int) -> None:
        self.service = service
        self.versions_url = f"{base}/ocpi/versions"
        self.sites = sites
        self.evse_ids = [
            f"DE*{PARTY}*E{number}*{place}" for number in range(sites) for place in range(1, PER_LOCATION + 1)
        ]
        self.emsps: list[Connected] = []

    async def import_(self, *documents: dict[str, Any]) -> None:
        read = read_locations(msgspec.json.encode(list(documents)))
        run = self.service.writer.run
        await asyncio.gather(*(run(ImportLocation(by=ADMIN, imported=one)) for one in read.locations))
        for first in range(0, len(read.evses), 500):
            chunk = read.evses[first : first + 500]
            await asyncio.gather(*(run(Import(by=ADMIN, imported=one)) for one in chunk))

    async def add(self, emsp: Emsp, base: str, version: str, **configuration: Any) -> Connected:
        """Make an eMSP a partner, under a name that is its version, and wait until every EVSE was looked at for it."""
        one = Connected(emsp, version, schedules=configuration.get("schedule", False))
        usual = {"url": emsp.url(base), "token": f"token-for-{version}-0123", "countryCode": "DE", "partyId": "EMS"}
        good = OcpiChannel().accept({**usual, "version": version, **configuration})
        new = good.as_partner(f"emsp-{version}", "ocpi", "test", self.service.clock.now())
        async with self.service.database.write() as connection:
            one.partner = (await partners.add(connection, self.service.secrets, new, "test")).id
        one.token = good.secrets["pullToken"]
        self.emsps.append(one)
        self.service.dispatcher.partners_changed()
        self.service.reconciler.look()
        await self.until(self.is_introduced)
        return one

    async def resend_what_was_rejected(self) -> None:
        """Do as an operator does when a partner has mended what made it say no."""
        async with self.service.database.write() as connection:
            everybody = {one.id: one for one in await partners.all_partners(connection)}
            for row in await stored(self.service.database, "delivery"):
                if row["rejected_version"] == row["want"] and row["next_at"] is None:
                    await partners.resend(connection, everybody[row["partner"]], row["evse"], self.service.clock.now())

    async def pull_changes(self) -> None:
        for one in self.emsps:
            one.pulled = await one.emsp.pull(self.versions_url, one.token, since=one.pulled)

    async def is_presented(self) -> bool:
        due = await self.service.reconciler.next_at()
        return due is None or due > self.service.clock.now()

    async def is_introduced(self) -> bool:
        async with self.service.database.read() as connection:
            introduced = not await partners.unintroduced(connection)
        return introduced and await self.is_presented()

    async def is_at_rest(self) -> bool:
        """Whether everything was told, nothing is doubtful, and nothing more is to come of itself for a while."""
        soon = self.service.clock.now() + timedelta(minutes=10)
        unfinished = select(func.count()).where(
            or_(
                _delivery.c.next_at <= soon,
                _delivery.c.in_flight,
                # What was rejected is parked with whatever doubt there is.
                and_(_delivery.c.suspect, _delivery.c.rejected_version.is_(None)),
            )
        )
        boundaries = select(func.count()).where(_presented.c.recheck_at <= soon)
        async with self.service.database.read() as connection:
            open_ = (await connection.execute(unfinished)).scalar_one()
            return not open_ and not (await connection.execute(boundaries)).scalar_one()

    async def should_show(self, one: Connected) -> dict[str, str]:
        """What this eMSP should see, from what is stored of each EVSE and by the design's rules alone."""
        at, release = self.service.clock.now(), RELEASES[one.version]
        rows = await stored(self.service.database, "delivery")
        shared = {row["evse"] for row in rows if row["partner"] == one.partner and row["aspect"] == "status"}
        shown: dict[str, str] = {}
        async with self.service.database.read() as connection:
            (partner,) = [found for found in await partners.all_partners(connection) if found.id == one.partner]
            keys = [row["id"] for row in await stored(self.service.database, "evse")]
            for first in range(0, len(keys), 500):
                chunk = keys[first : first + 500]
                live = await live_by_evse(connection, chunk, at)
                for key, evse in (await evses_by_id(connection, chunk)).items():
                    what = present(evse.deployment, evse.actual(None), live.get(key, []), at).what
                    if not partner.audience.includes(evse):
                        what = Gate.WITHHELD
                    assert isinstance(what, Gate) or key in shared, (
                        f"{evse.evse_id} is to be shared with {partner.name}"
                    )
                    if key in shared:
                        shown[f"{evse.location}/{evse.uid}"] = release.status(what).value
        return shown

    async def until(self, holds: Callable[[], bool | Awaitable[bool]], within: float = 300.0) -> None:
        async with asyncio.timeout(within):
            while True:
                answer = holds()
                if await answer if isinstance(answer, Awaitable) else answer:
                    return
                await asyncio.sleep(0.05)


def an_emsp(version: str, known: set[str] | None = None, **behaviour: Any) -> Emsp:
    passes = {VENDOR_FIELD} if version == "2.2.1" else set()
    return Emsp(
        SystemClock(),
        f"token-for-{version}-0123",
        known,
        version=version,
        passes=passes,
        behaviour=Behaviour(**behaviour),
    )


@asynccontextmanager
async def network(url: str, sites: int, **settings: Any) -> AsyncGenerator[Network]:
    """A fleet that was imported: `sites` locations with `PER_LOCATION` EVSEs each, all available."""
    key, off = SecretStr(Fernet.generate_key().decode("ascii")), timedelta()
    service = Service(
        Settings(database_url=url, secret_key=key, reassert_every=off, reassert_active_every=off, **settings)
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(service.running())
        base = await stack.enter_async_context(listening(create_app(service, opens=False)))
        one = Network(service, base, sites)
        await one.import_(*(site(number) for number in range(sites)))
        await one.until(one.is_presented)
        yield one
