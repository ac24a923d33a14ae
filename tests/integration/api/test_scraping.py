"""That metrics cost little, whatever is called, and that they come with the database away. One database will do."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from app.api.scrapers import TRUSTED_FOR
from app.domain.api_key import key_id_of
from app.domain.principal import Role
from app.domain.rights import Rights
from app.observing import stocktaking
from app.service import Service
from app.store import keys, stock
from app.store.failures import DatabaseUnavailable
from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, EVSES, Client, NewClient, eventually, issue, register
from tests.integration.api.scraping import scrape


@pytest.fixture
def database_url(embedded_url: str) -> str:
    return embedded_url


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stocktaking, "FRESH", 0.0)  # the clock stands still


@contextmanager
def away(service: Service) -> Iterator[None]:
    @asynccontextmanager
    async def gone() -> AsyncGenerator[None]:
        raise DatabaseUnavailable("the database is away")
        yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service.database, "read", gone)
        yield


async def test_no_path_evse_or_method_makes_a_series_of_its_own(admin: Client, reader: Client, sensor: Client) -> None:
    await register(admin)

    async def call(number: int) -> None:
        await reader.get(f"{EVSES}/DE*ABC*E40{number}")
        await reader.get(f"/{number}/nothing", params={"q": number})
        await reader.get(f"/ocpi/{number}/locations/{number}")
        await reader.get(f"/ocpi{number}")
        await reader.request(f"METHOD{number}", EVSES)
        await sensor.put(f"{EVSES}/{EVSE}", json={})
        await reader.get(EVSES, headers={"Authorization": f"Bearer {number}"})
        await scrape(reader)

    await call(0)
    once = await scrape(reader)
    for number in range(1, 8):
        await call(number)
    often = await scrape(reader)
    assert [one[:2] for one in often.samples] == [one[:2] for one in once.samples]
    labels = {"method": "GET", "status": "4xx"}
    assert often("api_requests_total", route="/v2/evses/{evseId}", **labels) == 8
    assert often("api_requests_total", route="none", **labels) == 8
    assert often("api_requests_total", route="/ocpi", **labels) == 16
    assert often("api_requests_total", route="none", method="other", status="4xx") == 8
    assert (often("api_refusals_total", why="forbidden"), often("api_refusals_total", why="unauthenticated")) == (8, 24)


async def test_with_the_database_away_the_process_is_still_told_of_to_who_asked_lately(
    client: NewClient, service: Service, clock: FrozenClock
) -> None:
    key = await issue(service, Role.READER)
    reader, stranger = await client(key=key), await client(Role.READER)
    assert (await scrape(reader))("database_up") == 1
    with away(service):
        found = await scrape(reader)
        assert (found("database_up"), found("boundaries_overdue")) == (0, None)
        assert found("build_info") == 1
        assert (await stranger.get("/metrics")).status_code == 503
        assert (await reader.get(EVSES)).status_code == 503
        clock.advance(timedelta(seconds=TRUSTED_FOR))
        assert (await reader.get("/metrics")).status_code == 503
    assert (await scrape(reader))("database_up") == 1

    async with service.database.write() as connection:
        await keys.revoke(connection, key_id_of(key) or "", clock.now(), "cli")
    assert (await reader.get("/metrics")).status_code == 401
    with away(service):
        assert (await reader.get("/metrics")).status_code == 503, "what was revoked is forgotten"


async def test_with_the_database_away_a_key_is_good_only_from_where_it_was(
    client: NewClient, service: Service, app: Litestar
) -> None:
    reader = await client(Role.READER, rights=Rights(networks=("127.0.0.1/32",)))
    transport = httpx.ASGITransport(cast("Any", app), client=("192.0.2.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=reader.headers) as thief:
        await scrape(reader)
        assert (await thief.get("/metrics")).status_code == 401
        with away(service):
            assert (await thief.get("/metrics")).status_code == 503
            assert (await reader.get("/metrics")).status_code == 200


async def test_a_database_that_hangs_is_not_waited_for_nor_asked_twice(
    reader: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stocktaking, "PATIENCE", 0.02)
    hangs, begun = asyncio.Event(), 0
    take = stock.take

    async def hanging(*given: Any) -> Any:
        nonlocal begun
        begun += 1
        await hangs.wait()
        return await take(*given)

    monkeypatch.setattr(stocktaking, "take", hanging)
    assert [(await scrape(reader))("database_up") for _ in range(3)] == [0, 0, 0]
    assert begun == 1
    hangs.set()

    async def back() -> bool:
        return (await scrape(reader))("database_up") == 1

    await eventually(back)


async def test_a_count_is_good_for_a_while(reader: Client, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stocktaking, "FRESH", 1.0)
    taken = 0
    take = stock.take

    async def counting(*given: Any) -> Any:
        nonlocal taken
        taken += 1
        return await take(*given)

    monkeypatch.setattr(stocktaking, "take", counting)
    for _ in range(3):
        await scrape(reader)
    clock.advance(timedelta(seconds=1))
    await scrape(reader)
    assert taken == 2
