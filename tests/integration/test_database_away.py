"""PostgreSQL goes away and comes back: who asks meanwhile is told so, nothing is half-done, all goes on by itself."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.clock import SystemClock
from app.domain.instant import rfc3339
from app.store import engines
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import plan, register, stored
from tests.databases import PostgresqlServer
from tests.integration.replica import Replica, admin_key, eventually, replica
from tests.integration.scripted_channel import ScriptedChannel
from tests.pooling_proxy import PoolingProxy

FLEET = [f"DE*ABC*E{number}" for number in range(4)]
FIRST, SECOND = FLEET[:2]


@pytest.fixture(params=[False, True], ids=["direct", "pooled"])
async def proxy(request: pytest.FixtureRequest, postgresql: PostgresqlServer) -> AsyncGenerator[PoolingProxy]:
    pooled: bool = request.param
    async with postgresql.fresh() as url, PoolingProxy(url, sessions=not pooled).running() as one:
        one.allowed |= set() if pooled else {b"idle_in_transaction_session_timeout"}
        yield one


@asynccontextmanager
async def working(proxy: PoolingProxy) -> AsyncGenerator[Replica]:
    """A service behind the proxy, with EVSEs that show AVAILABLE to a partner."""
    database = Database(proxy.direct)
    key = await admin_key(database)
    await database.close()
    channel = ScriptedChannel()
    pooling = not proxy.sessions
    with capture_logs():
        async with replica(proxy.url, key, channel, transaction_pooling=pooling) as one:
            for evse_id in FLEET:
                await one.register(evse_id)
            await one.add_partner()
            await eventually(lambda: list(channel.shown.values()) == ["AVAILABLE"] * len(FLEET))
            yield one


def assert_told_to_come_back(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    problem = answer.json()
    assert problem["type"] == "urn:evse-status:problem:unavailable"
    assert "database" in problem["detail"]
    assert "127.0.0.1" not in answer.text  # nor anything else that is nobody's business


async def answers_to_everything(one: Replica) -> list[httpx.Response]:
    return await asyncio.gather(
        one.plan(FIRST, reason="while it was away"),
        one.api.put("/v2/temporary-evse-statuses/by-ref/bay", json={"evseId": FIRST, "temporaryStatus": "RESERVED"}),
        one.api.put(f"/v2/evses/{FIRST}/actual-status", json={"status": "Charging"}),
        one.api.post("/v2/partners", json={"name": "other", "channel": "scripted", "configuration": {}}),
        one.api.patch("/v2/partners/app", json={"paused": True}),
        one.api.get("/v2/partners"),
        one.api.get(f"/v2/evses/{FIRST}"),
    )


async def is_ready(one: Replica) -> bool:
    return (await one.api.get("/health/ready")).is_success


async def test_meanwhile_everybody_is_told_to_come_back_and_then_it_goes_on_by_itself(proxy: PoolingProxy) -> None:
    async with working(proxy) as one:
        over = SystemClock().now() + timedelta(seconds=1)
        (await one.plan(FIRST, validTo=rfc3339(over))).raise_for_status()
        with proxy.away():
            for answer in await answers_to_everything(one):
                assert_told_to_come_back(answer)
            unready = await one.api.get("/health/ready")
            assert (unready.status_code, (await one.api.get("/health/live")).status_code) == (503, 200)
            assert "the database cannot be read" in unready.json()["why"][0]
            await eventually(lambda: SystemClock().now() > over)
            for answer in await answers_to_everything(one):
                assert_told_to_come_back(answer)
        await eventually(lambda: is_ready(one))
        assert (await one.plan(SECOND)).status_code == 201
        shown = ["AVAILABLE", "BLOCKED", "AVAILABLE", "AVAILABLE"]
        await eventually(lambda: one.channel.statuses == shown)
        assert len(await one.planned()) == 2
        assert [(each["name"], each["paused"]) for each in await one.call("GET", "/v2/partners")] == [("app", False)]


async def test_connections_that_break_at_random_lose_nothing_and_have_nothing_done_twice(proxy: PoolingProxy) -> None:
    accepted: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    done = asyncio.Event()

    async def asks(one: Replica, name: int) -> None:
        while not done.is_set():
            reason = f"{name} {len(asked)}"
            asked[reason] += 1
            answer = await one.plan(random.choice(FLEET), reason=reason)
            assert answer.status_code in {201, 503}, answer.text
            accepted[reason] += answer.status_code == 201

    async def breaks(database: Database) -> None:
        # The server ends sessions, or the network does.
        ends = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.7"
        )
        number = 0
        while number < 40 or accepted.total() < 20:
            number += 1
            await asyncio.sleep(random.uniform(0, 0.06))
            if number % 2:
                proxy.cut()
            else:
                async with database.read() as connection:
                    await connection.execute(ends)
        done.set()

    async with working(proxy) as one:
        database = Database(proxy.direct)
        await asyncio.gather(breaks(database), *(asks(one, name) for name in range(8)))
        await eventually(lambda: is_ready(one))
        made = Counter(each["reason"] for each in await one.planned())
        assert set(made.values()) == {1}, [reason for reason, count in made.items() if count > 1]
        assert {reason for reason, count in accepted.items() if count} <= set(made) <= set(asked)
        blocked = {row["evse"] for row in await stored(database, "temporary_status")}
        truth = {key: "BLOCKED" if key[1] in blocked else "AVAILABLE" for key in one.channel.shown}
        await eventually(lambda: one.channel.shown == truth)
        await database.close()


async def test_a_host_that_vanishes_hangs_nobody_for_ever(proxy: PoolingProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_SECONDS", "COMMAND_SECONDS", "PING_SECONDS"):
        monkeypatch.setattr(engines, name, 1.0)
    async with working(proxy) as one:
        with proxy.standing_still():
            async with asyncio.timeout(60):
                for answer in await answers_to_everything(one):
                    assert_told_to_come_back(answer)
            proxy.cut()
        await eventually(lambda: is_ready(one))
        assert (await one.plan(SECOND)).status_code == 201
        shown = ["AVAILABLE", "BLOCKED", "AVAILABLE", "AVAILABLE"]
        await eventually(lambda: one.channel.statuses == shown)


async def test_a_commit_that_is_still_under_way_when_its_connection_breaks_is_waited_for(proxy: PoolingProxy) -> None:
    """The server may take its time over it, and a look in between would find nothing: it would be done once more."""
    database = Database(proxy.url, transaction_pooling=not proxy.sessions)
    writer = Writer(database, SystemClock())
    await writer.start()
    await register(writer)

    proxy.last_words = b"COMMIT;"
    with capture_logs():
        one = await plan(writer)
    assert proxy.last_words == b""
    assert [row["id"] for row in await stored(database, "temporary_status")] == [one.id]
    await writer.stop()
    await database.close()
