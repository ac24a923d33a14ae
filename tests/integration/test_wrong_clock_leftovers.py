"""Leases, holds, retries and confirmations set under a wrong clock: none of them stops anything once it is right."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import pytest
from structlog.testing import capture_logs

from app.channels.channel import Lane
from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.schedule.housekeeping import Housekeeping
from app.schedule.reassertion import Reassertion
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import HOUR, MINUTE, register, report, stored
from tests.clock import FrozenClock
from tests.integration.scripted_channel import LIMITS, Rig, Said, ScriptedChannel, add_partner

SECOND: Final = timedelta(seconds=1)
PATIENCE: Final = 30.0  #: seconds, for a machine that is busy with other tests
YEARS: Final = timedelta(days=3653)
STEPS: Final = {"+1h": HOUR, "-1h": -HOUR, "+10y": YEARS}

#: How each partner answers while the clock is wrong. `hangs` never does, `forgets` loses the first answer only.
FAILURES: Final[dict[str, Outcome]] = {
    "refuses": Refused("your time is not mine"),
    "is away": NotSent("could not connect"),
    "loses answers": Unknown("no answer"),
    "does not know it": Rejected("603: unknown EVSE", retry_slowly=True),
}
PARTNERS: Final = [*FAILURES, "hangs", "forgets"]
_ALL: Final = frozenset(PARTNERS)


class Answers:
    """The partners' script: under the wrong clock each fails in its own way, afterwards all are well."""

    def __init__(self) -> None:
        self.well = True
        self.let_go = asyncio.Event()
        self._forgot = False

    async def __call__(self, said: Said) -> Outcome:
        if self.well:
            return Delivered("ok")
        if said.partner == "hangs":
            await self.let_go.wait()
            return Unknown("no answer")
        if said.partner == "forgets":
            forgot, self._forgot = self._forgot, True
            return Delivered("ok") if forgot else Unknown("no answer")
        return FAILURES[said.partner]


@asynccontextmanager
async def working(
    database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel, answers: Answers
) -> AsyncGenerator[Rig]:
    rig = Rig(database, clock, writer, channel)
    await rig.dispatcher.start()
    try:
        yield rig
    finally:
        answers.let_go.set()
        await rig.dispatcher.stop()


@pytest.mark.parametrize(
    ("died", "lane"),
    [(False, Lane(in_flight=4)), (True, Lane(in_flight=1, exclusive=True))],
    ids=["the same process", "after a crash"],
)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
async def test_whatever_was_put_off_under_a_wrong_clock_is_done_when_it_is_right(
    database: Database, clock: FrozenClock, writer: Writer, step: timedelta, *, died: bool, lane: Lane
) -> None:
    channel = ScriptedChannel(lane)
    channel.answer = answers = Answers()
    with capture_logs():
        async with working(database, clock, writer, channel, answers) as rig:
            await register(writer)
            await report(writer, "Available")
            for name in PARTNERS:
                await add_partner(database, clock, name)
            rig.dispatcher.partners_changed()
            await rig.until(lambda: len(rig.dispatcher._lanes) == len(PARTNERS), within=PATIENCE)
            await rig.catch_up()
            await rig.until(lambda: len(channel.shown) == len(PARTNERS), within=PATIENCE)
            await rig.until(lambda: _nothing_under_way(database), within=PATIENCE)

            answers.well = False
            clock.set(clock.now() + step)
            await rig.catch_up()
            await report(writer, "Charging")
            channel.said.clear()
            await rig.catch_up()
            await rig.until(lambda: {one.partner for one in channel.said} == set(PARTNERS), within=PATIENCE)
            await rig.until(lambda: _failures_are_stored(database), within=PATIENCE)
            clock.advance(SECOND)
            await rig.until(lambda: _to_be_confirmed(database, "forgets"), within=PATIENCE)
            if died:
                await rig.die()
            clock.set(clock.now() - step)
            answers.well = True
            channel.said.clear()
            if not died:
                await _is_right(rig, channel, answers, clock)
        if died:
            async with working(database, clock, writer, channel, answers) as rig:
                await rig.until(lambda: len(rig.dispatcher._lanes) == len(PARTNERS), within=PATIENCE)
                await _is_right(rig, channel, answers, clock)


async def _is_right(rig: Rig, channel: ScriptedChannel, answers: Answers, clock: FrozenClock) -> None:
    """All are told after the longest first back-off, settled after the settle time, and asked a few times at most."""
    await rig.catch_up()
    answers.let_go.set()
    await rig.until(lambda: _nothing_hangs(rig.database), within=PATIENCE)
    at_once = _ALL - {"does not know it"}
    await _before_long(
        rig, clock, lambda: {said.partner for said in channel.delivered if said.status == "CHARGING"} >= at_once
    )
    for wait in (LIMITS.settle, LIMITS.settle, LIMITS.retry_slowly, SECOND):
        clock.advance(wait + SECOND)
        await rig.catch_up()
        await rig.until(lambda: _nothing_hangs(rig.database), within=PATIENCE)
    await _before_long(rig, clock, lambda: _nothing_under_way(rig.database))
    assert set(channel.shown.values()) == {"CHARGING"}
    rows = await stored(rig.database, "delivery")
    assert not any(row["suspect"] or row["rejected_version"] for row in rows)
    assert max(Counter(one.partner for one in channel.said).values()) <= 4
    assert channel.at_once_per_evse == 1
    partners = await stored(rig.database, "partner")
    assert [(one["failures"], one["failed_at"], one["hold_until"]) for one in partners] == [(0, None, None)] * len(rows)


async def _before_long(rig: Rig, clock: FrozenClock, holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something holds, with time passing, but less than two minutes: things were put off by more."""
    give_up = clock.now() + 2 * MINUTE

    async def check() -> bool:
        await asyncio.sleep(0.02)
        clock.advance(SECOND / 20)  # what a lane came upon too early it takes up again a moment later
        answer = holds()
        return await answer if isinstance(answer, Awaitable) else answer

    await rig.until(check, within=PATIENCE)
    assert clock.now() < give_up


async def _nothing_under_way(database: Database) -> bool:
    return not any(row["next_at"] or row["in_flight"] for row in await stored(database, "delivery"))


async def _nothing_hangs(database: Database) -> bool:
    return not any(row["in_flight"] for row in await stored(database, "delivery"))


async def _failures_are_stored(database: Database) -> bool:
    rows = await stored(database, "delivery")
    return sorted(row["attempts"] or row["in_flight"] for row in rows) == [True, *[1] * (len(PARTNERS) - 1)] and (
        sum(row["in_flight"] for row in rows) == 1
    )


async def _to_be_confirmed(database: Database, partner: str) -> bool:
    (key,) = [row["id"] for row in await stored(database, "partner") if row["name"] == partner]
    return any(row["confirm_at"] for row in await stored(database, "delivery") if row["partner"] == key)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["ahead", "back"])
async def test_a_request_under_way_while_the_clock_steps_stays_the_only_one_about_its_evse(
    database: Database, clock: FrozenClock, writer: Writer, step: timedelta
) -> None:
    """By the clock its lease is over, or further away than any can be; its own process knows better."""
    channel, answers = ScriptedChannel(), Answers()
    async with working(database, clock, writer, channel, answers) as rig:
        await register(writer)
        await report(writer, "Available")
        await rig.partner("hangs")
        await rig.until(lambda: len(channel.delivered) == 1, within=PATIENCE)
        channel.answer, answers.well = answers, False
        await report(writer, "Charging")
        await rig.catch_up()
        await rig.until(lambda: len(channel.said) == 2, within=PATIENCE)
        with capture_logs():
            clock.set(clock.now() + step)
            await rig.catch_up()
            await rig.quiet()
            answers.well = True
            answers.let_go.set()
            await rig.until(lambda: _nothing_hangs(database), within=PATIENCE)
            await _before_long(rig, clock, lambda: len(channel.delivered) == 2)
        assert channel.at_once_per_evse == 1
        assert [one.status for one in channel.said] == ["AVAILABLE", "CHARGING", "CHARGING"]


async def test_what_failed_by_a_clock_that_was_ahead_is_tried_again_by_the_next_process_without_delay(
    database: Database, clock: FrozenClock, writer: Writer
) -> None:
    """Nothing was computed by that clock, so that only the log of attempts tells that there was one."""
    channel, answers = ScriptedChannel(), Answers()
    with capture_logs():
        async with working(database, clock, writer, channel, answers) as rig:
            await register(writer)
            await report(writer, "Available")
            await rig.partner("is away")
            await rig.until(lambda: len(channel.delivered) == 1, within=PATIENCE)
            channel.answer, answers.well = answers, False
            await report(writer, "Charging")
            await rig.catch_up()
            clock.set(clock.now() + HOUR)
            await rig.until(lambda: _tried(database, clock), within=PATIENCE)
            await rig.die()
        clock.set(clock.now() - HOUR)
        answers.well = True
        async with working(database, clock, writer, channel, answers) as rig:
            await rig.until(lambda: len(rig.dispatcher._lanes) == 1, within=PATIENCE)
            await rig.catch_up()
            await _before_long(rig, clock, lambda: len(channel.delivered) == 2)


async def _tried(database: Database, clock: FrozenClock) -> bool:
    return any(row["at"] == clock.now() for row in await stored(database, "attempt")) and await _nothing_hangs(database)


async def test_what_was_acknowledged_by_a_clock_that_was_ahead_is_told_once_more_in_its_round(
    database: Database, clock: FrozenClock, writer: Writer
) -> None:
    channel, answers = ScriptedChannel(), Answers()
    round_takes = 2 * HOUR
    with capture_logs():
        async with working(database, clock, writer, channel, answers) as rig:
            house = Housekeeping(database, clock, [Reassertion(database, round_takes, rig.dispatcher.promised)])
            await register(writer)
            await rig.partner()
            await _before_long(rig, clock, lambda: _nothing_under_way(database))
            clock.set(clock.now() + YEARS)
            await report(writer, "Charging")
            await rig.catch_up()
            await _before_long(rig, clock, lambda: _nothing_under_way(database))
            clock.set(clock.now() - YEARS)
            await rig.catch_up()
            await _before_long(rig, clock, lambda: _nothing_under_way(database))
            told = len(channel.said)
            for _ in range(round(2 * round_takes / (10 * MINUTE))):
                clock.advance(10 * MINUTE)
                await house.do_what_is_due()
                clock.advance(MINUTE)
                await _before_long(rig, clock, lambda: _nothing_under_way(database))
            assert 1 <= len(channel.said) - told <= 3
