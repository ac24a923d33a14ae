"""Clocks that step: nothing is lost, nothing stays wrong, and nobody is told anything that did not differ."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.domain.presentation import present
from app.domain.status import AppliesWhen, Kind
from app.schedule.reconcile import Reconciler
from app.store import presented
from app.store.database import Database
from app.store.rows import evse_from, temporary_status_from
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import HOUR, MINUTE, plan, register, report, stored
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import Rig, ScriptedChannel

SECOND: Final = timedelta(seconds=1)
PATIENCE: Final = 30.0  #: seconds, for a machine that is busy with other tests
MILLISECOND: Final = timedelta(milliseconds=1)
YEARS: Final = timedelta(days=3653)
STEPS: Final = {"+1h": HOUR, "-1h": -HOUR, "+10y": YEARS, "-10y": -YEARS}
#: What each EVSE has ahead of it: a kind, and from when to when, in minutes from the start of the test.
AHEAD: Final[dict[str, list[tuple[Kind, float, float | None]]]] = {
    "DE*ABC*E1": [(Kind.BLOCKED, 0, None)],
    "DE*ABC*E2": [(Kind.BLOCKED, 0, 30)],
    "DE*ABC*E3": [(Kind.RESERVED, 20, 50)],
    "DE*ABC*E4": [(Kind.RESERVED, 180, 240), (Kind.RESERVED, 240, 300)],
    "DE*ABC*E5": [(Kind.MAINTENANCE, 60, 420), (Kind.RESERVED, 150, 480)],
    "DE*ABC*E6": [(Kind.COMMISSIONING, 9 * 365 * 1440, None)],
    "DE*ABC*E7": [(Kind.MAINTENANCE, 365 * 1440, 366 * 1440)],
    "DE*ABC*E8": [],
    "DE*ABC*E9": [],
}


class Watched:
    """A fleet and a partner that has been told of it. At every look it is judged what was computed, said and shown."""

    def __init__(self, rig: Rig, channel: ScriptedChannel, clock: FrozenClock) -> None:
        self.rig = rig
        self.channel = channel
        self.clock = clock

    async def look(self, *, stepped: bool = False) -> None:
        """Have the service do what it does every second."""
        before = {evse: status for (_, evse), status in self.channel.shown.items()}
        true = await self._truth()
        self.channel.said.clear()
        computed = await self.rig.reconciler.pass_once()
        await self.rig.until(self._owes_nothing, within=PATIENCE)

        assert {evse: status for (_, evse), status in self.channel.shown.items()} == true
        differs = sorted((evse, status) for evse, status in true.items() if status != before[evse])
        assert sorted((one.evse, one.status) for one in self.channel.said) == differs, "one request for each change"
        assert computed <= len(AHEAD)
        if not stepped and not differs:
            assert computed == 0, "nothing was due"
        assert await self.rig.reconciler.pass_once() == 0, "and it is done with at once"

    async def pass_by(self, count: int, each: timedelta) -> None:
        for _ in range(count):
            self.clock.advance(each)
            await self.look(stepped=each > MINUTE)  # beyond a boundary that changes nothing

    async def step(self, by: timedelta) -> None:
        self.clock.set(self.clock.now() + by)
        await self.look(stepped=True)

    async def _truth(self) -> dict[int, str]:
        """What the domain says of everything that was ever asked for."""
        at = self.clock.now()
        async with self.rig.database.read() as connection:
            evses = [evse_from(row) for row in (await connection.execute(select(metadata.tables["evse"]))).mappings()]
            rows = (await connection.execute(select(metadata.tables["temporary_status"]))).mappings()
            asked = [temporary_status_from(row) for row in rows]
        return {
            evse.id: present(
                evse.deployment, evse.actual(None), [one for one in asked if one.evse == evse.id], at
            ).what.value
            for evse in evses
        }

    async def _owes_nothing(self) -> bool:
        return not any(row["next_at"] or row["in_flight"] for row in await stored(self.rig.database, "delivery"))


@pytest.fixture
async def watched(database: Database, clock: FrozenClock, writer: Writer) -> AsyncGenerator[Watched]:
    channel = ScriptedChannel()
    rig = Rig(database, clock, writer, channel)
    await rig.dispatcher.start()
    one = Watched(rig, channel, clock)
    for site, windows in AHEAD.items():
        await register(writer, site)
        await report(writer, "Available", site)
        for kind, begin, end in windows:
            ends = None if end is None else START + end * MINUTE
            when = AppliesWhen.IDLE if kind is Kind.RESERVED else AppliesWhen.ALWAYS
            await plan(writer, site, kind=kind, applies_when=when, valid_from=START + begin * MINUTE, valid_to=ends)
    await rig.partner()
    await rig.until(one._owes_nothing, within=PATIENCE)
    yield one
    await rig.dispatcher.stop()


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
async def test_a_clock_that_steps_and_is_put_right_costs_one_request_for_each_change_and_no_window(
    watched: Watched, step: timedelta
) -> None:
    await watched.look()
    with capture_logs() as logs:
        for count, each in ((3, SECOND), (4, MINUTE), (8, 15 * MINUTE)):
            await watched.step(step)
            await watched.pass_by(count, each)
            await watched.step(-step)
            await watched.pass_by(3, SECOND)
    assert {one["log_level"] for one in logs} == {"warning"}
    assert len(logs) == 3, "said once for each step back"

    # From here on the clock is right, and whatever was planned before comes in its time, to the millisecond.
    edges = {START + edge * MINUTE for windows in AHEAD.values() for one in windows for edge in one[1:] if edge}
    for edge in sorted(edges):
        for at in (edge - MILLISECOND, edge):
            if at > watched.clock.now():
                watched.clock.advance(at - watched.clock.now())
                await watched.look(stepped=True)
    await watched.rig.quiet()
    await _assert_times_rise(watched.rig.database)


async def test_a_clock_that_steps_to_and_fro_every_few_seconds_does_not_make_a_storm(watched: Watched) -> None:
    await watched.look()
    with capture_logs():
        for by in (HOUR, -HOUR, YEARS, -YEARS, -HOUR, HOUR, -YEARS, YEARS, 5 * SECOND, -5 * SECOND) * 2:
            await watched.step(by)
            await watched.pass_by(2, SECOND)
    await _assert_times_rise(watched.rig.database)


async def test_a_machine_that_slept_looks_once_at_what_has_changed_meanwhile(watched: Watched) -> None:
    """The wall clock has gone on and the monotonic one has not, as on Linux after a suspend."""
    await watched.look()
    with capture_logs() as logs:
        for slept in (3 * SECOND, 40 * MINUTE, 8 * HOUR, timedelta(days=400)):
            await watched.step(slept)
            await watched.pass_by(3, SECOND)
    assert logs == [], "to have slept is no reason to look at everything, nor to warn"
    await _assert_times_rise(watched.rig.database)


async def _assert_times_rise(database: Database) -> None:
    """`last_updated` and the version rise, strictly, whatever the clock did: partners compare them."""
    last: dict[int, tuple[int, datetime]] = {}
    for row in await stored(database, "presented_change"):
        before = last.get(row["evse"])
        if before is not None:
            assert row["version"] > before[0]  # by more than one where only what is announced changed in between
            assert row["at"] > before[1]
        last[row["evse"]] = (row["version"], row["at"])
    for row in await stored(database, "presented"):
        version, at = last[row["evse"]]
        assert row["status_version"] == version
        assert (row["version"], row["last_updated"]) == last[row["evse"]] or (
            row["schedule_version"] == row["version"] > version and row["last_updated"] > at
        )


# Clocks that are put right while nobody is there


@pytest.mark.parametrize("wrong_for", [timedelta(), 2 * HOUR], ids=["at once", "two hours later"])
async def test_a_window_shown_too_early_is_taken_back_by_the_next_process_too(
    watched: Watched, wrong_for: timedelta
) -> None:
    """The next look at it would be when it ends: what tells that the clock was wrong is that it was shown at all."""
    with capture_logs():
        await watched.look()
        await watched.step(HOUR)
        watched.clock.advance(wrong_for)
        await watched.look(stepped=True)
        watched.clock.set(watched.clock.now() - HOUR)
        watched.rig.reconciler = Reconciler(
            watched.rig.database, watched.clock, promised=watched.rig.dispatcher.promised
        )
        await watched.look(stepped=True)
        await watched.pass_by(3, SECOND)


async def test_a_step_back_that_could_not_be_dealt_with_is_noticed_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    marking = presented.mark_all_due
    failures: list[bool] = []

    async def fails_once(*what: Any) -> None:
        if not failures:
            failures.append(True)
            raise OSError("the database is away")
        await marking(*what)

    with capture_logs():
        await watched.look()
        await watched.step(HOUR)
        watched.clock.advance(2 * HOUR)
        await watched.look(stepped=True)
        monkeypatch.setattr(presented, "mark_all_due", fails_once)
        watched.clock.set(watched.clock.now() - HOUR)
        with pytest.raises(OSError, match="away"):
            await watched.rig.reconciler.pass_once()
        watched.clock.advance(SECOND)
        await watched.look(stepped=True)


async def test_a_machine_that_has_lost_all_idea_of_the_time_waits_for_it_and_makes_no_storm(watched: Watched) -> None:
    """As some do that have no battery: they begin in 1970 and ask a time server only later."""
    with capture_logs() as logs:
        watched.clock.set(datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC))
        for _ in range(5):
            watched.clock.advance(SECOND)
            await watched.rig.reconciler.pass_once()
        assert len(logs) == 1
        watched.clock.set(START + MINUTE)
        await watched.look(stepped=True)
        await watched.pass_by(3, SECOND)
    assert len(logs) == 1


async def test_a_backend_that_fell_silent_while_the_clock_was_ahead_is_not_believed_for_as_long(
    database: Database, clock: FrozenClock, writer: Writer
) -> None:
    one = Reconciler(database, clock, max_age=HOUR)
    await register(writer)
    with capture_logs():
        clock.set(START + YEARS)
        await report(writer, "Available", max_age=HOUR)
        await one.pass_once()
        clock.set(START)
        await one.pass_once()
        assert [row["what"] for row in await stored(database, "presented")] == ["actual:AVAILABLE"]
        clock.advance(HOUR + SECOND)
        await one.pass_once()
        assert [row["what"] for row in await stored(database, "presented")] == ["actual:UNKNOWN"]
