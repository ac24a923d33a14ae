"""A fleet with imported locations behind a service whose clockwork a test winds by hand, and partners that pull."""

from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final, cast

import httpx
import msgspec
from litestar import Litestar

from app.channels.ocpi.fields import faults
from app.channels.ocpi.locations import parse_party, read_locations
from app.channels.ocpi.partner_release import RELEASES
from app.domain.partner import Audience, Partner
from app.main import create_app
from app.service import Service
from app.store import partners
from app.store.commands.importing import Import, ImportLocation
from tests.builders import ADMIN

VERSIONS: Final = tuple(RELEASES)
Object = dict[str, Any]


def evse(uid: str, **different: Any) -> Object:
    """An EVSE as the backend publishes it, in 2.2.1."""
    connector = {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "last_updated": "2026-01-01T00:00:00Z",
    }
    head = {"uid": uid, "evse_id": f"DE*ABC*E{uid}", "status": "AVAILABLE", "last_updated": "2026-01-01T00:00:00Z"}
    return {**head, "connectors": [connector], **different}


def location(location_id: str, *evses: Object, **different: Any) -> Object:
    """A Location as the backend publishes it, in 2.2.1."""
    return {
        "country_code": "DE",
        "party_id": "ABC",
        "id": location_id,
        "publish": True,
        "address": "Market square 1",
        "city": "Berlin",
        "country": "DEU",
        "coordinates": {"latitude": "52.520008", "longitude": "13.404954"},
        "time_zone": "Europe/Berlin",
        "last_updated": "2026-01-01T00:00:00Z",
        "evses": list(evses),
        **different,
    }


class Pulled:
    """One answer, which must be in the envelope whatever it says."""

    def __init__(self, answer: httpx.Response) -> None:
        self.http = answer.status_code
        self.headers = answer.headers
        self.envelope = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert self.envelope.keys() - {"data"} == {"status_code", "status_message", "timestamp"}
        assert self.envelope["timestamp"].endswith("Z")
        assert len(self.envelope["timestamp"]) == len("2026-03-01T08:00:00.000Z")
        self.code: int = self.envelope["status_code"]

    @property
    def data(self) -> Any:
        assert (self.http, self.code) == (200, 1000), self.envelope
        return self.envelope["data"]


class Puller:
    """One partner, and what it asks."""

    def __init__(self, service: Service, app: Litestar, partner: Partner, token: str) -> None:
        self.partner = partner
        self.passes_unknown = False  #: whether fields may come that the version does not have
        self.service = service
        self.version: str = partner.configuration["version"]
        written = token if self.version == "2.1.1" else b64encode(token.encode()).decode()
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast("Any", app)),
            base_url="http://evse-status.test",
            headers={"Authorization": f"Token {written}"},
        )

    async def get(
        self, path: str, query: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Pulled:
        """Ask for what is below the partner's own version, or for a whole URL."""
        url = path if path.startswith(("http:", "/")) else f"/ocpi/{self.version}/{path}".rstrip("/")
        return Pulled(await self.client.get(url, params=query or None, headers=headers))

    async def pages(self, **query: Any) -> list[list[Object]]:
        """Follow the links from the first page to the last."""
        found: list[list[Object]] = []
        url: str | None = "locations"
        visited: set[str] = set()
        while url is not None:
            assert url not in visited
            visited.add(url)
            page = await self.get(url, query if url == "locations" else None)
            rules = RELEASES[self.version].objects.location
            passes = self.passes_unknown
            assert [one for place in page.data for one in faults(rules, place, unknown_tolerated=passes)] == []
            found.append(page.data)
            link = page.headers.get("link")
            url = None if link is None else link.removeprefix("<").removesuffix('>; rel="next"')
        return found

    async def view(self, **query: Any) -> dict[str, Object]:
        return {place["id"]: place for page in await self.pages(**query) for place in page}

    async def statuses(self, **query: Any) -> dict[str, str]:
        view = await self.view(**query)
        return {one["uid"]: one["status"] for place in view.values() for one in place["evses"]}


class Fleet:
    """The service, and what a test does to it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.app = create_app(service, opens=False)
        self._pullers: list[Puller] = []

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Fleet"]:
        await self.service.writer.start()
        yield self
        for puller in self._pullers:
            await puller.client.aclose()
        await self.service.writer.stop()
        await self.service.database.close()

    async def take_in(self, *locations: Object, version: str = "2.2.1") -> None:
        """Import a document, and have what it changed computed."""
        read = read_locations(msgspec.json.encode(locations), version, parse_party("DE*ABC"))
        for place in read.locations:
            await self.service.writer.run(ImportLocation(by=ADMIN, imported=place))
        for one in read.evses:
            await self.service.writer.run(Import(by=ADMIN, imported=one))
        await self.computed()

    async def computed(self) -> None:
        await self.service.reconciler.pass_once()

    async def partner(self, name: str = "emsp", *, token: str | None = None, **said: Any) -> Puller:
        """Add a partner that pulls. `said`: `version`, `mapping` and other settings, or columns of the partner."""
        secret = token or f"pull-token-of-{name}"
        fields = {one: said.pop(one) for one in ("paused", "gets_schedule", "audience") if one in said}
        configuration = {
            "url": "http://127.0.0.1:9/locations",
            "countryCode": "NL",
            "partyId": "EMS",
            "version": "2.2.1",
            **said,
        }
        at = self.service.clock.now()
        new = Partner(
            id=0,
            name=name,
            channel="ocpi",
            configuration=configuration,
            secrets={"token": "theirs", "pullToken": secret},
            audience=fields.pop("audience", Audience()),
            caller=sha256(secret.encode()).hexdigest(),
            created_by="test",
            created_at=at,
            updated_at=at,
            **fields,
        )
        async with self.service.database.write() as connection:
            added = await partners.add(connection, self.service.secrets, new, "test")
        await self.computed()
        self._pullers.append(Puller(self.service, self.app, added, secret))
        return self._pullers[-1]

    async def change(self, puller: Puller, **different: Any) -> None:
        async with self.service.database.write() as connection:
            await partners.change(
                connection,
                self.service.secrets,
                puller.partner.name,
                lambda old: msgspec.structs.replace(old, **different),
                self.service.clock.now(),
                "test",
            )
        await self.computed()
