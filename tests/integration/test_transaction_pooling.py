"""PostgreSQL behind a proxy that gives every transaction another session: all of it works, and leaves nothing behind.

The proxy is the tests' own and contrary on purpose; `make test-pooled` runs every other test through it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.store import migrating
from app.store.database import Database
from app.store.failures import DatabaseUnavailable
from app.store.writer import Writer
from tests.builders import ADMIN, HOUR, plan, plan_by_ref, register, stored
from tests.clock import FrozenClock
from tests.databases import PostgresqlServer
from tests.integration.replica import admin_key, eventually, replica
from tests.integration.scripted_channel import Rig, ScriptedChannel
from tests.pooling_proxy import PoolingProxy

MILLISECOND = timedelta(milliseconds=1)
FLEET = [f"DE*ABC*E{number}" for number in range(12)]


@pytest.fixture
async def proxy(postgresql: PostgresqlServer) -> AsyncGenerator[PoolingProxy]:
    async with postgresql.fresh(migrated=False) as url, PoolingProxy(url).running() as one:
        yield one


@asynccontextmanager
async def opened(url: str, *, transaction_pooling: bool = True) -> AsyncGenerator[Database]:
    database = Database(url, transaction_pooling=transaction_pooling, stall=timedelta(seconds=30))
    try:
        yield database
    finally:
        await database.close()


async def work(database: Database, clock: FrozenClock) -> ScriptedChannel:
    """Everything between an empty database and a partner that has been told what changed."""
    await migrating.upgrade(database)
    assert await migrating.current(database) == migrating.newest()
    channel, writer = ScriptedChannel(), Writer(database, clock)
    await writer.start()
    rig = Rig(database, clock, writer, channel)
    try:
        await rig.dispatcher.start()
        evses = await asyncio.gather(*(register(writer, one) for one in FLEET))
        await rig.partner()

        def all_show(status: str) -> Callable[[], bool]:
            def shown() -> bool:
                clock.advance(10 * MILLISECOND)  # whatever is put off for a moment must come
                return channel.shown == {("app", one.id): status for one in evses}

            return shown

        for _ in range(3):
            await asyncio.gather(
                *(plan_by_ref(writer, one, one, by=ADMIN, valid_to=clock.now() + HOUR) for one in FLEET)
            )
            await rig.catch_up()
            await rig.until(all_show("BLOCKED"), within=30)
            clock.advance(HOUR)
            await rig.catch_up()
            await rig.until(all_show("UNKNOWN"), within=30)
    finally:
        await rig.dispatcher.stop()
        await writer.stop()
    return channel


async def test_all_that_happens_between_a_change_and_a_partner_needs_no_session(
    proxy: PoolingProxy, clock: FrozenClock
) -> None:
    async with opened(proxy.url) as database:
        channel = await work(database, clock)
        assert len(channel.delivered) >= 6 * len(FLEET)
    assert proxy.transactions > 50
    assert await proxy.residues() == set()


async def test_the_setting_costs_nothing_but_time_where_there_is_no_proxy(
    postgresql: PostgresqlServer, clock: FrozenClock
) -> None:
    async with postgresql.fresh(migrated=False) as url, opened(url) as database:
        await work(database, clock)


@pytest.mark.parametrize("lenient", [False, True], ids=["startup parameters", "prepared statements"])
async def test_without_the_setting_nothing_works_there(proxy: PoolingProxy, clock: FrozenClock, lenient: bool) -> None:
    if lenient:
        proxy.allowed |= {b"idle_in_transaction_session_timeout"}
    async with opened(proxy.url, transaction_pooling=False) as database:

        async def migrate_and_read() -> None:
            await migrating.upgrade(database)
            for _ in range(3):
                await stored(database, "partner")

        with pytest.raises((DBAPIError, DatabaseUnavailable)) as refused:
            await migrate_and_read()
    says = repr(refused.value) + repr(refused.value.__cause__)
    assert ("prepared statement" if lenient else "startup parameter") in says


async def test_two_services_behind_it_share_one_truth(proxy: PoolingProxy) -> None:
    async with opened(proxy.url) as database:
        await migrating.upgrade(database)
        key = await admin_key(database)
    channel = ScriptedChannel()
    async with (
        replica(proxy.url, key, channel, transaction_pooling=True) as here,
        replica(proxy.url, key, channel, transaction_pooling=True) as there,
    ):
        both = [here, there]
        await here.add_partner()
        await asyncio.gather(*(both[number % 2].register(one) for number, one in enumerate(FLEET)))
        answers = await asyncio.gather(*(one.plan(evse) for evse in FLEET for one in both))
        assert {one.status_code for one in answers} == {201}
        await eventually(lambda: list(channel.shown.values()) == ["BLOCKED"] * len(FLEET))
        made = {one.json()["id"] for one in answers}
        assert {one["id"] for one in await there.planned()} == made
        ended = (there.api.delete(f"/v2/temporary-evse-statuses/{one}") for one in made)
        assert {one.status_code for one in await asyncio.gather(*ended)} == {204}
        await eventually(lambda: list(channel.shown.values()) == ["AVAILABLE"] * len(FLEET))
        assert (await here.api.get("/health/ready")).is_success
    assert await proxy.residues() == set()


async def test_replicas_that_migrate_at_once_wait_for_each_other(proxy: PoolingProxy) -> None:
    async with opened(proxy.url) as one, opened(proxy.url) as other:
        await asyncio.gather(migrating.upgrade(one), migrating.upgrade(other), migrating.upgrade(one))
        assert await migrating.current(other) == migrating.newest()
    assert await proxy.residues() == set()


async def test_a_transaction_that_fails_spoils_nothing_for_whoever_gets_its_session_next(proxy: PoolingProxy) -> None:
    async with opened(proxy.url) as database:
        await migrating.upgrade(database)
        for _ in range(5):
            with pytest.raises(IntegrityError):
                await insert_a_chore(database, twice=True)
            await insert_a_chore(database)
            assert [row["name"] for row in await stored(database, "chore")] == ["a chore"]
            async with database.write() as connection:
                await connection.execute(text("DELETE FROM chore"))


async def insert_a_chore(database: Database, *, twice: bool = False) -> None:
    async with database.write() as connection:
        for _ in range(1 + twice):
            await connection.execute(text("INSERT INTO chore (name, last_run_at) VALUES ('a chore', now())"))


async def test_a_task_that_is_cancelled_takes_nobody_elses_transaction_with_it(proxy: PoolingProxy) -> None:
    async with opened(proxy.url) as database:
        await migrating.upgrade(database)

        async def slow() -> None:
            async with database.write() as connection:
                await connection.execute(text("SELECT pg_sleep(30)"))

        for _ in range(3):
            cancelled, other = asyncio.create_task(slow()), asyncio.create_task(slow())
            await eventually(lambda: proxy.at_work == 2)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            await eventually(lambda: proxy.at_work == 1)
            await insert_a_chore(database)
            async with database.write() as connection:
                await connection.execute(text("DELETE FROM chore"))
            assert not other.done()
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)
            await eventually(lambda: proxy.at_work == 0)


async def test_a_connection_that_broke_meanwhile_is_replaced_unnoticed(proxy: PoolingProxy, clock: FrozenClock) -> None:
    async with opened(proxy.url) as database:
        await migrating.upgrade(database)
        writer = Writer(database, clock)
        await writer.start()
        await register(writer)
        for count in range(1, 4):
            proxy.cut()
            await plan(writer)
            proxy.cut()
            assert len(await stored(database, "temporary_status")) == count
        await writer.stop()
