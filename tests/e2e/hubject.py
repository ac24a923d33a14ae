"""A service in this process that runs on real time, a fleet, and a Hubject that knows both sides by certificates."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import func, or_, select

from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.mapping import DEFAULT
from app.channels.oicp.settings import OicpSettings
from app.channels.oicp.simulator import Behaviour, Hub
from app.clock import SystemClock
from app.demo.certificates import Authority
from app.demo.listening import listening
from app.domain.evse_id import parse_evse_id
from app.domain.presentation import present
from app.domain.status import DeploymentState
from app.service import Service
from app.serving_tls import ServerTls
from app.settings import Settings
from app.store import full_loads, partners
from app.store.commands.evses import Register, Report
from app.store.presented import evses_by_id, live_by_evse
from app.store.tables import metadata
from tests.builders import ADMIN, stored

_delivery = metadata.tables["delivery"]
OPERATOR = "DE*ABC"
EMP = "DE-ICE"


class Fleet:
    """`partner` is the key of the one partner, Hubject, `emp` speaks with it as somebody who reads statuses."""

    def __init__(self, service: Service, hub: Hub, evse_ids: Sequence[str], emp: httpx.AsyncClient) -> None:
        self.service = service
        self.hub = hub
        self.evse_ids = evse_ids
        self.emp = emp
        self.partner = 0
        self.account: dict[str, Any] = {}  #: where Hubject is, and how each knows the other

    async def register(self) -> None:
        """Put all of them into production, available, as known before there is a partner."""
        writer = self.service.writer
        for first in range(0, len(self.evse_ids), 500):
            chunk = [parse_evse_id(one) for one in self.evse_ids[first : first + 500]]
            await asyncio.gather(
                *(writer.run(Register(by=ADMIN, evse_id=one, deployment=DeploymentState.PRODUCTION)) for one in chunk)
            )
            await asyncio.gather(*(writer.run(Report(by=ADMIN, evse_id=one, reported="Available")) for one in chunk))
        await self.until(self.is_presented)

    async def add_partner(self, **configuration: Any) -> None:
        good = OicpChannel().accept({**self.account, "operatorId": OPERATOR, **configuration})
        new = good.as_partner("hubject", "oicp", "test", self.service.clock.now())
        async with self.service.database.write() as connection:
            self.partner = (await partners.add(connection, self.service.secrets, new, "test")).id
        self.service.dispatcher.partners_changed()
        self.service.reconciler.look()
        await self.until(self.is_introduced)

    async def ask_for_full_load(self) -> None:
        async with self.service.database.write() as connection:
            await full_loads.ask(connection, self.partner, "test", self.service.clock.now(), forced=True)

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
            _delivery.c.partner == self.partner,
            or_(_delivery.c.next_at <= soon, _delivery.c.in_flight, _delivery.c.suspect),
        )
        async with self.service.database.read() as connection:
            load = await full_loads.find(connection, self.partner)
            open_ = (await connection.execute(unfinished)).scalar_one()
        loading = load is not None and (load.asked_at or load.began_at or load.doubtful_until)
        return not open_ and not loading and await self.is_presented()

    async def should_show(self) -> dict[str, str]:
        """What EMPs should see, from what is stored of each EVSE and by the design's rules alone."""
        at = self.service.clock.now()
        async with self.service.database.read() as connection:
            shown: dict[str, str] = {}
            keys = [row["id"] for row in await stored(self.service.database, "evse")]
            for first in range(0, len(keys), 500):
                chunk = keys[first : first + 500]
                live = await live_by_evse(connection, chunk, at)
                for key, evse in (await evses_by_id(connection, chunk)).items():
                    what = present(evse.deployment, evse.actual(None), live.get(key, []), at).what
                    if (word := DEFAULT.word(what)) is not None and evse.evse_id is not None:
                        shown[evse.evse_id] = word.value
        return shown

    async def is_seen_as_it_should(self) -> bool:
        """Whether an EMP that pulls now reads what is presented, of each EVSE and of no other."""
        path = f"/api/oicp/evsepull/v21/providers/{EMP}/status-records"
        answer = (await self.emp.post(path, json={"ProviderID": EMP})).raise_for_status().json()
        blocks = answer["EvseStatuses"]["OperatorEvseStatus"]
        seen = {one["EvseID"]: one["EvseStatus"] for block in blocks for one in block["EvseStatusRecord"]}
        return seen == await self.should_show()

    async def until(self, holds: Callable[[], bool | Awaitable[bool]], within: float = 300.0) -> None:
        async with asyncio.timeout(within):
            while True:
                answer = holds()
                if await answer if isinstance(answer, Awaitable) else answer:
                    return
                await asyncio.sleep(0.05)

    def requests(self) -> list[int]:
        """How many records each request had, in order."""
        sizes: dict[Any, int] = {}
        for one in self.hub.received:
            sizes[one.at, one.action] = sizes.get((one.at, one.action), 0) + 1
        return list(sizes.values())


@asynccontextmanager
async def fleet(url: str, size: int, **settings: Any) -> AsyncGenerator[Fleet]:
    """A fleet of `size` that is in production and available, and a Hubject that knows nothing of it."""
    hub = Hub(SystemClock(), operators={OPERATOR: []}, behaviour=Behaviour(plain_http=False))
    authority = Authority(SystemClock().now())
    server, client, emp = authority.server(), authority.client(OPERATOR), authority.client(EMP)
    key = SecretStr(Fernet.generate_key().decode("ascii"))
    off = timedelta()
    service = Service(
        Settings(database_url=url, secret_key=key, reassert_every=off, reassert_active_every=off, **settings)
    )
    tls = ServerTls(certificate=server.certificate, key=server.key, client_authority=authority.certificate)
    async with listening(hub.app, tls=tls) as base_url, service.running():
        pulling = OicpSettings(
            base_url=base_url,
            operator_id=OPERATOR,
            client_certificate=emp.certificate,
            client_key=emp.key,
            ca_bundle=authority.certificate,
        ).tls
        assert pulling is not None
        async with httpx.AsyncClient(base_url=base_url, verify=pulling) as emp_client:
            found = Fleet(service, hub, [f"{OPERATOR}*E{number}" for number in range(size)], emp_client)
            found.account = {
                "baseUrl": base_url,
                "clientCertificate": client.certificate,
                "clientKey": client.key,
                "caBundle": authority.certificate,
            }
            await found.register()
            yield found
