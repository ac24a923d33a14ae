"""SIGTERM: what was begun comes to its end and is stored, what was not begun is refused, and others go on at once."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.channels.driver_app.settings import fresh_secret
from app.channels.driver_app.simulator import AppReceiver
from app.channels.oicp.simulator import Hub
from app.clock import SystemClock
from app.demo.listening import listening
from app.store.database import Database
from tests.builders import stored
from tests.e2e.serving_process import ServingProcess, admin_key, calling
from tests.trouble.receivers import OPERATOR

CLIENTS = 8
SITES = [f"{OPERATOR}*E{number}*1" for number in range(5)]
LEASE = timedelta(seconds=60)
#: In no hurry: whatever waits for a lease to run out is found out.
UNHURRIED = {"REQUEST_TIMEOUT": timedelta(seconds=8), "LEASE": LEASE, "SETTLE": timedelta(seconds=90)}


class Asked(msgspec.Struct):
    """What clients were told of their requests, by the reason that each gave."""

    accepted: set[str] = msgspec.field(default_factory=set)
    cut_off: set[str] = msgspec.field(default_factory=set)


@pytest.fixture
async def key(database_url: str) -> str:
    return await admin_key(database_url)


@asynccontextmanager
async def served(database_url: str, log: Path) -> AsyncGenerator[ServingProcess]:
    one = ServingProcess(database_url, log, UNHURRIED)
    await one.start()
    try:
        yield one
    finally:
        await one.kill()


async def register(api: httpx.AsyncClient) -> None:
    for site in SITES:
        (await api.put(f"/v2/evses/{site}", json={"deploymentState": "PRODUCTION"})).raise_for_status()


async def report_all(api: httpx.AsyncClient, status: str) -> None:
    items = [{"evseId": site, "status": status} for site in SITES]
    (await api.post("/v2/actual-statuses", json=items)).raise_for_status()


async def plan_on(name: str, url: str, key: str, asked: Asked, *, keeps: bool) -> None:
    """Plan one thing after the other until nobody listens any more; `keeps` its connection, or makes new ones."""
    async with AsyncExitStack() as kept:
        connected = await kept.enter_async_context(calling(url, key, patience=60)) if keeps else None
        for number in itertools.count():
            reason = f"{name} {number}"
            body = {"evseId": SITES[number % len(SITES)], "temporaryStatus": "RESERVED", "reason": reason}
            async with AsyncExitStack() as stack:
                if (api := connected) is None:
                    api = await stack.enter_async_context(calling(url, key, patience=60))
                try:
                    answer = await api.post("/v2/temporary-evse-statuses", json=body)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    return
                except httpx.TransportError:
                    asked.cut_off.add(reason)
                    continue
            assert answer.status_code == 201, answer.text
            asked.accepted.add(reason)


async def until(holds: Callable[[], Any], within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - a process elsewhere makes it hold
            await asyncio.sleep(0.01)


async def rows(database_url: str, table: str) -> list[dict[str, Any]]:
    database = Database(database_url)
    try:
        return await stored(database, table)
    finally:
        await database.close()


async def test_every_request_is_answered_or_never_begun(database_url: str, tmp_path: Path, key: str) -> None:
    asked = Asked()
    async with served(database_url, tmp_path / "serve.log") as service:
        async with calling(service.url, key) as api:
            await register(api)
        planning = [
            asyncio.create_task(plan_on(f"client {one}", service.url, key, asked, keeps=one % 2 == 0))
            for one in range(CLIENTS)
        ]
        await until(lambda: len(asked.accepted) > 3 * CLIENTS)
        async with calling(service.url, key) as api, api.stream("GET", "/v2/events") as events:
            code, _ = await asyncio.gather(service.stop(), events.aread())  # which would never end by itself
        assert b"event: ping" in events.content
        await asyncio.gather(*planning)
    assert code == 0, service.log.read_text()
    kept = {row["reason"] for row in await rows(database_url, "temporary_status")}
    assert asked.accepted == kept
    assert not asked.cut_off & kept


async def test_deliveries_under_way_are_answered_and_what_was_answered_is_stored(
    database_url: str, tmp_path: Path, key: str
) -> None:
    partners = Slow()
    async with partners.present(), served(database_url, tmp_path / "serve.log") as service:
        async with calling(service.url, key) as api:
            await partners.introduce(api)
            await register(api)
            await until(lambda: partners.all_show("Unknown", "UNKNOWN"))
            before = partners.requests()
            await report_all(api, "Charging")
        await until(lambda: partners.requests() > before)
        code = await service.stop()
        requests = partners.requests()
    assert code == 0, service.log.read_text()
    deliveries = await rows(database_url, "delivery")
    assert not [one for one in deliveries if one["in_flight"] or one["suspect"] or one["token"] or one["lease_until"]]
    assert [one["lane_token"] for one in await rows(database_url, "partner")] == [None, None]
    assert [one["outcome"] for one in await rows(database_url, "attempt")] == ["Delivered"] * requests
    assert partners.objections() == []


async def test_another_replica_goes_on_at_once(postgresql_url: str, tmp_path: Path) -> None:
    key = await admin_key(postgresql_url)
    partners = Slow()
    async with partners.present(), served(postgresql_url, tmp_path / "first.log") as first:
        async with calling(first.url, key) as api:
            await partners.introduce(api)
            await register(api)
            await until(lambda: partners.all_show("Unknown", "UNKNOWN"))
        async with served(postgresql_url, tmp_path / "second.log") as second, calling(second.url, key) as api:
            before = partners.requests()
            await report_all(api, "Charging")
            await until(lambda: partners.requests() > before)
            assert await first.stop() == 0, first.log.read_text()
            await until(lambda: partners.all_show("Occupied", "CHARGING"), within=LEASE.total_seconds() / 2)
    assert partners.objections() == []


class Slow:
    """A hub and an app that take their time for every answer."""

    def __init__(self) -> None:
        self._secret = fresh_secret()
        self._hub = Hub(SystemClock(), delay=0.2)
        self._app = AppReceiver(SystemClock(), self._secret, delay=0.2)
        self._urls: list[str] = []

    @asynccontextmanager
    async def present(self) -> AsyncGenerator[None]:
        async with listening(self._hub.app) as hub, listening(self._app.app) as app:
            self._urls = [hub, app]
            yield

    async def introduce(self, api: httpx.AsyncClient) -> None:
        hub, app = self._urls
        for name, channel, configuration in (
            ("hub", "oicp", {"baseUrl": hub, "operatorId": OPERATOR}),
            ("app", "driver_app", {"url": f"{app}/webhook", "secret": self._secret}),
        ):
            body = {"name": name, "channel": channel, "configuration": configuration}
            (await api.post("/v2/partners", json=body)).raise_for_status()

    def all_show(self, hub: str, app: str) -> bool:
        return self._hub.shown == dict.fromkeys(SITES, hub) and self._app.shown == dict.fromkeys(SITES, app)

    def requests(self) -> int:
        return len(self._hub.received) + len(self._app.received)

    def objections(self) -> list[str]:
        return [*self._hub.wrong, *self._app.wrong]
