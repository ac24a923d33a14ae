"""What a lane must not take for granted: that a wait was one, and that an answer is to what is asked for now."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from app.channels.outcomes import Delivered, Outcome, Unknown
from app.store import partners
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, HOUR, plan, register, report, stored
from tests.clock import FrozenClock
from tests.integration.scripted_channel import LIMITS, SECRETS, Rig, Said, ScriptedChannel


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
async def rig(database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel) -> AsyncGenerator[Rig]:
    rig = Rig(database, clock, writer, channel)
    await rig.dispatcher.start()
    yield rig
    await rig.dispatcher.stop()


async def test_a_step_of_the_clock_does_not_make_a_late_request_arrive_sooner(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    await an_evse(rig)
    await rig.partner()
    await until_nothing_is_owed(rig)
    channel.answer = lambda _said: Unknown("no answer")
    await plan(rig.writer, by=ADMIN)
    await rig.catch_up()
    await rig.until(lambda: len(channel.said) >= 2)
    channel.answer = lambda _said: Delivered("ok")
    await until_it_is_to_be_confirmed(rig, clock)
    clock.set(clock.now() + HOUR)
    await rig.until(lambda: len(channel.delivered) == 3)  # sent, for all the clock says, but not believed
    await rig.until(lambda: the_row_is(rig, suspect=True, in_flight=False))
    clock.advance(LIMITS.settle - timedelta(seconds=1))
    await rig.quiet()
    assert len(channel.delivered) == 3
    clock.advance(timedelta(seconds=1))
    await until_nothing_is_owed(rig)
    assert len(channel.delivered) == 4
    assert await the_row_is(rig, suspect=False)


async def test_what_is_asked_for_anew_while_it_is_told_for_the_first_time_is_told_again(
    rig: Rig, channel: ScriptedChannel
) -> None:
    let_go = asyncio.Event()

    async def hangs(_said: Said) -> Outcome:
        await let_go.wait()
        return Delivered("I had it, and lost it")

    channel.answer = hangs
    evse = await an_evse(rig)
    await rig.partner()
    await rig.until(lambda: len(channel.said) == 1)
    async with rig.database.write() as connection:
        assert await partners.resend(connection, await partners.find(connection, SECRETS, "app"), evse, rig.clock.now())
    let_go.set()
    await rig.until(lambda: len(channel.delivered) == 2)
    await until_nothing_is_owed(rig)


async def an_evse(rig: Rig) -> int:
    key = (await register(rig.writer)).id
    await report(rig.writer, "Available")
    return key


async def until_nothing_is_owed(rig: Rig) -> None:
    await rig.until(lambda: the_row_is(rig, next_at=None, in_flight=False))


async def until_it_is_to_be_confirmed(rig: Rig, clock: FrozenClock) -> None:
    async def noted() -> bool:
        clock.advance(timedelta(milliseconds=50))  # past what holds the partner back
        (row,) = await stored(rig.database, "delivery")
        return row["confirm_at"] is not None

    await rig.until(noted)


async def the_row_is(rig: Rig, **so: object) -> bool:
    (row,) = await stored(rig.database, "delivery")
    return all(row[name] == value for name, value in so.items())
