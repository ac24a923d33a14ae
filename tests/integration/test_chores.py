"""Chores: due because a row says so, done by one replica at a time, taken over from one that died over it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.schedule.housekeeping import LEASE, Housekeeping
from app.schedule.purge import Purge
from app.settings import Settings
from app.store import chores
from app.store.database import Database
from app.store.due import AT_ONCE
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import HOUR, MINUTE, SENSOR, register, stored
from tests.clock import START, FrozenClock

DAY = timedelta(days=1)
YEARS = timedelta(days=3650)


class Sweeping:
    """A chore that writes down when it was done, and asks whether to go on as often as it is told to."""

    name = "sweeping"
    every = HOUR

    def __init__(self, pieces: int = 0) -> None:
        self.done: list[tuple[datetime, datetime]] = []
        self.went_on: list[bool] = []
        self.in_between: Callable[[], Any] = lambda: None
        self._pieces = pieces

    async def do(self, last: datetime, at: datetime, go_on: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
        self.done.append((last, at))
        for _ in range(self._pieces):
            self.in_between()
            self.went_on.append(await go_on())
        return {}


def keeping(database: Database, clock: FrozenClock, *due: Any) -> Housekeeping:
    return Housekeeping(database, clock, due)


async def test_a_chore_is_done_when_it_is_due_and_not_before(database: Database, clock: FrozenClock) -> None:
    chore = Sweeping()
    house = keeping(database, clock, chore)
    await house.do_what_is_due()
    clock.advance(HOUR - MINUTE)
    await house.do_what_is_due()
    assert chore.done == [(AT_ONCE, START)]
    clock.advance(MINUTE)
    await house.do_what_is_due()
    assert chore.done[1:] == [(START, START + HOUR)]


async def test_of_many_replicas_one_does_it(database: Database, clock: FrozenClock) -> None:
    chore = Sweeping()
    for _ in range(3):
        await keeping(database, clock, chore).do_what_is_due()
    assert len(chore.done) == 1


async def test_nobody_else_begins_while_one_is_at_it_however_long_it_takes(
    database: Database, clock: FrozenClock
) -> None:
    chore, others = Sweeping(pieces=5), Sweeping()
    chore.in_between = lambda: clock.advance(LEASE - MINUTE)
    another = keeping(database, clock, others)

    class Watched(Sweeping):
        async def do(self, last: datetime, at: datetime, go_on: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
            async def and_another() -> bool:
                still = await go_on()
                await another.do_what_is_due()
                return still

            return await chore.do(last, at, and_another)

    await keeping(database, clock, Watched()).do_what_is_due()
    assert chore.went_on == [True] * 5
    assert others.done == []


async def test_what_a_replica_died_over_is_taken_over_when_its_lease_ends(
    database: Database, clock: FrozenClock
) -> None:
    async with database.write() as connection:
        begun = await chores.begin(connection, "sweeping", "dead", clock.now(), every=HOUR, lease=LEASE)
    assert begun == AT_ONCE
    chore = Sweeping()
    house = keeping(database, clock, chore)
    await house.do_what_is_due()
    assert chore.done == []
    clock.advance(LEASE)
    await house.do_what_is_due()
    assert chore.done == [(AT_ONCE, START + LEASE)]

    async with database.write() as connection:  # the dead one was only asleep, and comes to its end
        assert not await chores.keep(connection, "sweeping", "dead", clock.now(), LEASE)
        await chores.finish(connection, "sweeping", "dead", clock.now() - DAY)
    (row,) = await stored(database, "chore")
    assert (row["last_run_at"], row["token"], row["lease_until"]) == (START + LEASE, None, None)


async def test_whoever_lost_a_chore_leaves_the_rest_of_it(database: Database, clock: FrozenClock) -> None:
    chore = Sweeping(pieces=1)
    other = Sweeping()

    class Slow(Sweeping):
        async def do(self, last: datetime, at: datetime, go_on: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
            clock.advance(LEASE)
            await keeping(database, clock, other).do_what_is_due()
            return await chore.do(last, at, go_on)

    await keeping(database, clock, Slow()).do_what_is_due()
    assert chore.went_on == [False]
    assert len(other.done) == 1


async def test_a_chore_that_fails_hinders_no_other_and_is_tried_again(database: Database, clock: FrozenClock) -> None:
    class Failing(Sweeping):
        name = "failing"

        async def do(self, last: datetime, at: datetime, go_on: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
            await super().do(last, at, go_on)
            raise RuntimeError("no more disk")

    failing, chore = Failing(), Sweeping()
    house = keeping(database, clock, failing, chore)
    with capture_logs() as said:
        await house.do_what_is_due()
        clock.advance(LEASE)
        await house.do_what_is_due()
    assert (len(failing.done), len(chore.done)) == (2, 1)
    assert [one["chore"] for one in said] == ["failing", "failing"]


@pytest.mark.parametrize("ahead", [2 * HOUR, YEARS])
async def test_a_clock_that_was_ahead_puts_nothing_off_once_it_is_right(
    database: Database, clock: FrozenClock, ahead: timedelta
) -> None:
    chore = Sweeping()
    house = keeping(database, clock, chore)
    clock.set(START + ahead)
    await house.do_what_is_due()
    async with database.write() as connection:
        await chores.begin(connection, "other", "dead", clock.now(), every=HOUR, lease=LEASE)
    clock.set(START)
    await house.do_what_is_due()
    assert [at for _, at in chore.done] == [START + ahead, START]
    async with database.write() as connection:
        assert await chores.begin(connection, "other", "me", clock.now(), every=HOUR, lease=LEASE) is not None


# The purge


async def log_attempts(database: Database, writer: Writer, *ages: timedelta) -> None:
    evse = (await register(writer)).id
    values = {"evse": evse, "version": 1, "from_what": "actual:UNKNOWN", "to_what": "actual:AVAILABLE"}
    async with database.write() as connection:
        rows = [{**values, "at": START - age, "operator": "DEABC"} for age in ages]
        await connection.execute(metadata.tables["presented_change"].insert(), rows)


async def ages(database: Database) -> list[timedelta]:
    return sorted(START - row["at"] for row in await stored(database, "presented_change"))


async def test_what_is_older_than_it_is_kept_is_purged_every_hour(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await log_attempts(database, writer, DAY, 90 * DAY - 2 * HOUR, 90 * DAY, 91 * DAY)
    house = keeping(database, clock, Purge(database, Settings(database_url="sqlite:///unused")))
    await house.do_what_is_due()  # the first run only takes note
    clock.advance(HOUR)
    with capture_logs() as said:
        await house.do_what_is_due()
    assert await ages(database) == [DAY, 90 * DAY - 2 * HOUR]
    assert [one["presented_change"] for one in said] == [2]


async def test_what_is_known_of_calls_that_may_come_again_is_forgotten_too(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    mine = {"owner": SENSOR.id}
    rows: dict[str, list[dict[str, Any]]] = {
        "reference": [{"ref": str(age), "at": START - age * DAY, "blind": True} for age in (89, 90, 91)],
        "idempotency": [
            {"key": str(age), "at": START - age * DAY, "digest": "d", "status": 201, "answer": "{}"}
            for age in (1, 2, 3)
        ],
    }
    async with database.write() as connection:
        for table, values in rows.items():
            await connection.execute(metadata.tables[table].insert(), [mine | one for one in values])
    house = keeping(database, clock, Purge(database, Settings(database_url="sqlite:///unused")))
    await house.do_what_is_due()  # the first run only takes note
    clock.advance(HOUR)
    with capture_logs():
        await house.do_what_is_due()
    assert [row["ref"] for row in await stored(database, "reference")] == ["89"]
    assert [row["key"] for row in await stored(database, "idempotency")] == ["1"]


@pytest.mark.parametrize("setting", ["references_kept", "idempotency_kept"])
def test_calls_may_come_again_for_a_day_at_least(setting: str) -> None:
    kept: dict[str, Any] = {setting: DAY - MINUTE}
    assert getattr(Settings(**(kept | {setting: DAY})), setting) == DAY
    with pytest.raises(ValueError, match=setting):
        Settings(**kept)


async def test_more_than_one_slice_is_purged_in_one_run(
    database: Database, writer: Writer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "SLICE", 2)
    await log_attempts(database, writer, *(91 * DAY + number * MINUTE for number in range(7)), DAY)
    house = keeping(database, clock, Purge(database, Settings(database_url="sqlite:///unused")))
    await house.do_what_is_due()
    clock.advance(HOUR)
    with capture_logs():
        await house.do_what_is_due()
    assert await ages(database) == [DAY]


async def test_a_clock_that_is_years_ahead_for_less_than_an_hour_purges_nothing(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await log_attempts(database, writer, HOUR, DAY)
    house = keeping(database, clock, Purge(database, Settings(database_url="sqlite:///unused")))
    await house.do_what_is_due()
    clock.set(START + YEARS)
    for _ in range(59):
        clock.advance(MINUTE)
        await house.do_what_is_due()
    clock.set(START + HOUR)
    await house.do_what_is_due()
    clock.advance(HOUR)
    await house.do_what_is_due()
    assert await ages(database) == [HOUR, DAY]
