"""A new partner, or one that is told everything again, misses no EVSE, whoever computes what at the same time."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from app.schedule.reconcile import Reconciler
from app.schedule.resolving import resolve
from app.store import partners, presented
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, plan, register, report, stored
from tests.clock import FrozenClock
from tests.integration.scripted_channel import SECRETS, add_partner


async def owed(database: Database) -> dict[int, int]:
    """The generation under which each EVSE is owed."""
    return {row["evse"]: row["generation"] for row in await stored(database, "delivery") if row["next_at"] is not None}


async def fleet(writer: Writer, count: int = 3) -> list[int]:
    keys = [(await register(writer, f"DE*ABC*E{number}")).id for number in range(count)]
    for number in range(count):
        await report(writer, "Available", f"DE*ABC*E{number}")
    return keys


async def test_a_new_partner_is_owed_everything_with_the_next_pass(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    keys = await fleet(writer)
    reconciler = Reconciler(database, clock)
    await reconciler.pass_once()
    await add_partner(database, clock, "app")
    assert await owed(database) == {}
    await reconciler.pass_once()
    assert await owed(database) == dict.fromkeys(keys, 1)


async def test_everything_is_looked_at_once_and_not_with_every_pass(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await fleet(writer)
    reconciler = Reconciler(database, clock)
    await add_partner(database, clock, "app")
    assert await reconciler.pass_once() == 3
    assert await reconciler.pass_once() == 0


async def test_a_partner_that_is_to_be_told_everything_again_is_owed_it_under_its_new_generation(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    keys = await fleet(writer)
    reconciler = Reconciler(database, clock)
    await add_partner(database, clock, "app")
    await reconciler.pass_once()
    async with database.write() as connection:
        await partners.change(connection, SECRETS, "app", lambda old: old.told_anew(), clock.now(), "test")
    await reconciler.pass_once()
    assert await owed(database) == dict.fromkeys(keys, 2)


async def test_everything_is_owed_to_a_partner_for_which_it_was_asked_before_anybody_had_looked_at_it(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    keys = await fleet(writer)
    reconciler = Reconciler(database, clock)
    await reconciler.pass_once()
    await add_partner(database, clock, "hubject", tells_fleet=False)
    async with database.write() as connection:
        await partners.change(connection, SECRETS, "hubject", lambda old: old.told_anew(), clock.now(), "test")
    await reconciler.pass_once()
    assert await owed(database) == dict.fromkeys(keys, 2)


async def test_a_partner_that_is_only_paused_is_no_reason_to_look_at_everything(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await fleet(writer)
    reconciler = Reconciler(database, clock)
    await add_partner(database, clock, "app")
    await reconciler.pass_once()
    async with database.write() as connection:
        pausing = lambda old: msgspec.structs.replace(old, paused=True)  # noqa: E731
        await partners.change(connection, SECRETS, "app", pausing, clock.now(), "test")
    assert await reconciler.pass_once() == 0


@pytest.mark.parametrize("held_up", [timedelta(0), timedelta(milliseconds=200)])
async def test_a_replica_that_computes_an_evse_without_having_seen_a_new_partner_leaves_it_no_gap(
    postgresql_url: str, clock: FrozenClock, held_up: timedelta
) -> None:
    here, there = Database(postgresql_url), Database(postgresql_url)
    writer = Writer(here, clock)
    await writer.start()
    key = (await register(writer)).id
    other = Reconciler(there, clock)
    # What a pass does, stopped between its look at the partners and its commit.
    async with here.write() as computing:
        due = await presented.complete(computing, await presented.take(computing, clock.now(), 10), clock.now())
        assert [one.evse.id for one in due] == [key]
        assert await partners.all_partners(computing) == []
        await add_partner(there, clock, "app")
        introducing = asyncio.create_task(other.pass_once())
        await asyncio.sleep(held_up.total_seconds())
        await presented.write(computing, [resolve(due[0], clock.now(), None)])
    await introducing
    await other.pass_once()
    assert await owed(there) == {key: 1}
    await writer.stop()
    await here.close()
    await there.close()


async def test_an_evse_registered_while_a_partner_is_added_is_owed_to_it(
    postgresql_url: str, clock: FrozenClock
) -> None:
    replicas = [Database(postgresql_url) for _ in range(2)]
    writers = [Writer(one, clock) for one in replicas]
    reconcilers = [Reconciler(one, clock) for one in replicas]
    for writer in writers:
        await writer.start()

    async def registers(writer: Writer, reconciler: Reconciler, name: str) -> None:
        for number in range(15):
            await register(writer, f"DE*ABC*E{name}{number}")
            await plan(writer, f"DE*ABC*E{name}{number}", by=ADMIN)
            await reconciler.pass_once()

    async def adds() -> None:
        for number in range(10):
            await add_partner(replicas[number % 2], clock, f"app{number}")
            await reconcilers[number % 2].pass_once()

    await asyncio.gather(registers(writers[0], reconcilers[0], "A"), registers(writers[1], reconcilers[1], "B"), adds())
    for reconciler in reconcilers:
        await reconciler.pass_once()
    rows = await stored(replicas[0], "delivery")
    assert len(rows) == 10 * 30
    assert all(row["next_at"] is not None for row in rows)
    for writer in writers:
        await writer.stop()
    for one in replicas:
        await one.close()
