"""Services on real sockets, and clients that read their events as they come."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import msgspec
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.demo.listening import listening
from app.domain.principal import Role
from app.domain.rights import UNLIMITED, Rights
from app.main import create_app
from app.service import Service
from app.settings import Settings
from tests.integration.api.calls import eventually, issue

SECRET: Final = SecretStr(Fernet.generate_key().decode("ascii"))
EVENTS: Final = "/v2/events"


class Event(msgspec.Struct):
    """One event as it came: its type, its id if it had one, and its data."""

    type: str
    id: str | None
    data: Any

    @property
    def shown(self) -> tuple[str, str | None]:
        """Which EVSE it is about, and what drivers' apps show for it."""
        return self.data["evseId"], self.data["presented"]["driverApp"]["status"]


class Stream:
    """A stream that has been opened. `id` is that of the last event that had one."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.id: str | None = None
        self._lines: AsyncIterator[str] = answer.aiter_lines()

    async def next(self, *types: str, within: float = 20) -> Event:
        """The next event of one of these types, or of any but `ping`."""
        async with asyncio.timeout(within):
            while True:
                event = await self._read()
                assert event is not None, "the stream has ended"
                if event.type in types or (not types and event.type != "ping"):
                    return event

    async def shown(self, *, within: float = 20) -> tuple[str, str | None]:
        return (await self.next("presented", within=within)).shown

    async def rest(self, *, within: float = 20) -> list[Event]:
        """All that comes until the stream ends."""
        found = []
        async with asyncio.timeout(within):
            while (event := await self._read()) is not None:
                found.append(event)
        return found

    async def _read(self) -> Event | None:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "id" in fields:
                self.id = fields["id"]
            if "data" in fields:
                return Event(fields["event"], fields.get("id"), msgspec.json.decode(fields["data"]))
            fields = {}
        return None


class Served:
    """A service at `url`. `api` speaks with it as an admin."""

    def __init__(self, service: Service, url: str, key: str, api: httpx.AsyncClient) -> None:
        self.service = service
        self.url = url
        self.key = key
        self.api = api

    async def register(self, *evse_ids: str, **said: Any) -> None:
        for one in evse_ids:
            body = {"deploymentState": "PRODUCTION", **said}
            (await self.api.put(f"/v2/evses/{one}", json=body)).raise_for_status()
        await self.settled()

    async def report(self, evse_id: str, status: str) -> None:
        (await self.api.put(f"/v2/evses/{evse_id}/actual-status", json={"status": status})).raise_for_status()

    async def settled(self) -> None:
        """Wait until everything due has been computed."""

        async def done() -> bool:
            at = await self.service.reconciler.next_at()
            return at is None or at > self.service.clock.now()

        await eventually(done)

    async def key_of(self, role: Role = Role.READER, rights: Rights = UNLIMITED) -> str:
        return await issue(self.service, role, rights)

    @asynccontextmanager
    async def following(self, key: str | None = None, after: str | None = None, **query: Any) -> AsyncGenerator[Stream]:
        """Open a stream, and be sure that what happens from now on is on it."""
        headers = {"authorization": f"Bearer {key or self.key}"} | ({} if after is None else {"last-event-id": after})
        async with (
            httpx.AsyncClient(base_url=self.url, verify=False, trust_env=False, timeout=20) as client,
            client.stream("GET", EVENTS, params=query, headers=headers) as answer,
        ):
            if not answer.is_success:
                await answer.aread()
            assert answer.is_success, answer.text
            yield Stream(answer)

    async def refused(self, key: str | None = None, **query: Any) -> httpx.Response:
        """Ask for a stream that is not to be had."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        return await self.api.get(EVENTS, params=query, headers=headers)


@asynccontextmanager
async def served(database_url: str, **settings: Any) -> AsyncGenerator[Served]:
    service = Service(Settings(database_url=database_url, secret_key=SECRET, **settings))
    async with service.running(), listening(create_app(service, opens=False)) as url:
        key = await issue(service, Role.ADMIN)
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, verify=False, trust_env=False, timeout=20) as api:
            try:
                yield Served(service, url, key, api)
            finally:
                service.say_goodbye()
