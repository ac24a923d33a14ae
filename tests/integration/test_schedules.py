"""Schedules: told in advance and in requests of their own, never beside the status of the same EVSE."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.channels.outcomes import Delivered, NotSent, Outcome, Rejected, Unknown
from app.domain.delivery import Aspect
from app.domain.evse_id import parse_evse_id
from app.domain.presentation import present
from app.domain.status import DeploymentState, Kind
from app.store import partner_reports, presented
from app.store.commands.ending import End, EndOnEvse
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, HOUR, MINUTE, plan, register, report, stored
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import LIMITS, Rig, Said, ScriptedChannel

SECOND = timedelta(seconds=1)


@pytest.fixture
def channel() -> ScriptedChannel:
    one = ScriptedChannel()
    one.announces = True
    return one


@pytest.fixture
async def replicas(postgresql_url: str) -> AsyncGenerator[list[Database]]:
    opened = [Database(postgresql_url) for _ in range(2)]
    yield opened
    for one in opened:
        await one.close()


@pytest.fixture
async def rig(database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel) -> AsyncGenerator[Rig]:
    one = Rig(database, clock, writer, channel)
    await one.dispatcher.start()
    yield one
    await one.dispatcher.stop()


def done(rig: Rig) -> Callable[[], Any]:
    async def check() -> bool:
        clock = rig.clock
        assert isinstance(clock, FrozenClock)
        clock.advance(timedelta(milliseconds=20))  # what a lane found due for reconcile it looks at again in a moment
        await rig.reconciler.pass_once()
        return all(row["next_at"] is None and not row["in_flight"] for row in await stored(rig.database, "delivery"))

    return check


async def told(rig: Rig, channel: ScriptedChannel, *evse_ids: str, **partner: Any) -> None:
    """EVSEs that show AVAILABLE, and a partner that was told so."""
    for one in evse_ids or (EVSE,):
        await register(rig.writer, one)
        await report(rig.writer, "Available", one)
    await rig.partner(**{"gets_schedule": True, **partner})
    await rig.until(done(rig))
    channel.said.clear()


async def row_of(rig: Rig, aspect: Aspect) -> dict[str, Any]:
    (row,) = [one for one in await stored(rig.database, "delivery") if one["aspect"] == aspect.value]
    return row


async def planned(rig: Rig, minutes: int = 60, evse_id: str = EVSE, kind: Kind = Kind.MAINTENANCE) -> int:
    begin = rig.clock.now() + minutes * MINUTE
    made = await plan(rig.writer, evse_id, by=ADMIN, kind=kind, valid_from=begin, valid_to=begin + HOUR)
    await rig.catch_up()
    return made.id


def said(channel: ScriptedChannel) -> list[tuple[Aspect, str]]:
    return [(one.aspect, one.status) for one in channel.said]


def at(minutes: int) -> str:
    return f"{START + minutes * MINUTE:%H:%M:%S}"


async def test_what_is_planned_is_told_at_once_and_the_status_only_when_it_comes(
    rig: Rig, clock: FrozenClock, channel: ScriptedChannel
) -> None:
    await told(rig, channel)
    await planned(rig)
    await rig.until(done(rig))
    assert said(channel) == [(Aspect.SCHEDULE, f"MAINTENANCE@{at(60)}")]
    assert (await row_of(rig, Aspect.STATUS))["want"] == (await row_of(rig, Aspect.STATUS))["acked"]
    clock.advance(HOUR)
    await rig.catch_up()
    await rig.until(done(rig))
    assert said(channel)[1:] == [(Aspect.STATUS, "MAINTENANCE")], "the schedule was known, and holds on"
    clock.advance(HOUR)
    await rig.catch_up()
    await rig.until(done(rig))
    assert sorted(said(channel)[2:]) == [(Aspect.SCHEDULE, "nothing"), (Aspect.STATUS, "AVAILABLE")]


async def test_a_partner_that_did_not_ask_for_schedules_hears_of_none(rig: Rig, channel: ScriptedChannel) -> None:
    await told(rig, channel, gets_schedule=False)
    await planned(rig)
    await rig.quiet()
    assert channel.said == []
    assert len(await stored(rig.database, "delivery")) == 1


async def test_a_plan_that_is_given_up_is_taken_back(rig: Rig, channel: ScriptedChannel) -> None:
    await told(rig, channel)
    made = await planned(rig)
    await rig.until(done(rig))
    await rig.writer.run(End(ADMIN, made))
    await rig.catch_up()
    await rig.until(done(rig))
    assert said(channel)[1:] == [(Aspect.SCHEDULE, "nothing")]


async def test_a_partner_that_rejects_schedules_gets_every_status_all_the_same(
    rig: Rig, clock: FrozenClock, channel: ScriptedChannel
) -> None:
    await told(rig, channel)
    channel.answer = lambda one: Rejected("422") if one.aspect is Aspect.SCHEDULE else Delivered()
    await planned(rig)
    clock.advance(HOUR)
    await rig.catch_up()
    await rig.until(done(rig))
    assert channel.shown["app", 1] == "MAINTENANCE"
    assert (await row_of(rig, Aspect.SCHEDULE))["rejected_version"] == (await row_of(rig, Aspect.SCHEDULE))["want"]
    async with rig.database.read() as connection:
        owing = await partner_reports.owing(connection, 1)
    assert (owing.shared, owing.acknowledged, owing.owed, owing.parked) == (1, 1, 0, 1)


async def test_a_partner_that_no_longer_wants_schedules_is_told_that_there_is_none(
    rig: Rig, channel: ScriptedChannel
) -> None:
    await told(rig, channel)
    await planned(rig)
    await rig.until(done(rig))
    channel.said.clear()
    await rig.change(gets_schedule=False, generation=2)
    await rig.catch_up()
    await rig.until(lambda: (Aspect.SCHEDULE, "nothing") in said(channel))
    await rig.until(done(rig))
    await planned(rig, 240)
    await rig.quiet()
    assert [one for one in said(channel) if one[0] is Aspect.SCHEDULE] == [(Aspect.SCHEDULE, "nothing")]


async def test_a_partner_that_begins_to_want_schedules_is_told_of_what_is_planned(
    rig: Rig, channel: ScriptedChannel
) -> None:
    await told(rig, channel, gets_schedule=False)
    await planned(rig)
    await rig.change(gets_schedule=True, generation=2)
    await rig.catch_up()
    await rig.until(lambda: (Aspect.SCHEDULE, f"MAINTENANCE@{at(60)}") in said(channel))


async def test_an_evse_that_leaves_takes_its_schedule_with_it(rig: Rig, channel: ScriptedChannel) -> None:
    await told(rig, channel)
    await planned(rig)
    await rig.until(done(rig))
    channel.said.clear()
    await register(rig.writer, EVSE, deployment=DeploymentState.DEPRECATED)
    await rig.catch_up()
    await rig.until(done(rig))
    assert sorted(said(channel)) == [(Aspect.SCHEDULE, "nothing"), (Aspect.STATUS, "REMOVED")]


async def test_a_status_waits_for_the_schedule_of_its_own_evse_and_for_no_other(
    rig: Rig, channel: ScriptedChannel
) -> None:
    other = "DE*ABC*E2"
    await told(rig, channel, EVSE, other)
    let_go = asyncio.Event()

    async def hangs(one: Said) -> Outcome:
        if one.aspect is Aspect.SCHEDULE:
            await let_go.wait()
        return Delivered()

    channel.answer = hangs
    await planned(rig)
    await rig.until(lambda: bool(channel.said))
    await report(rig.writer, "Charging")
    await report(rig.writer, "Charging", other)
    await rig.catch_up()
    await rig.until(lambda: channel.shown["app", 2] == "CHARGING")
    await rig.quiet()
    assert channel.shown["app", 1] == "AVAILABLE"
    let_go.set()
    await rig.until(done(rig))
    assert channel.shown["app", 1] == "CHARGING"
    assert channel.at_once_per_evse == 1


# A whole EVSE that is told for one of them carries the other


@pytest.mark.parametrize("lost", list(Aspect))
async def test_an_answer_that_was_lost_puts_both_in_doubt_and_both_are_told_once_more(
    rig: Rig, clock: FrozenClock, channel: ScriptedChannel, lost: Aspect
) -> None:
    await told(rig, channel)
    await planned(rig)
    await rig.until(done(rig))
    channel.said.clear()
    answers = iter([Unknown("lost")])
    channel.answer = lambda one: next(answers, Delivered()) if one.aspect is lost else Delivered()
    if lost is Aspect.STATUS:
        await report(rig.writer, "Charging")
        await rig.catch_up()
    else:
        await planned(rig, 200)

    async def doubted() -> bool:
        return all(row["suspect"] for row in await stored(rig.database, "delivery"))

    await rig.until(doubted)
    clock.advance(LIMITS.back_off_longest)

    async def to_be_confirmed() -> bool:
        return all(row["confirm_at"] is not None for row in await stored(rig.database, "delivery"))

    await rig.until(to_be_confirmed)
    channel.said.clear()
    clock.advance(LIMITS.settle)
    await rig.until(done(rig))
    assert sorted(one.aspect for one in channel.said) == [Aspect.SCHEDULE, Aspect.STATUS]
    assert not any(row["suspect"] for row in await stored(rig.database, "delivery"))


@pytest.mark.parametrize("under_way", list(Aspect))
async def test_a_process_that_dies_while_it_tells_one_leaves_both_in_doubt(
    rig: Rig, clock: FrozenClock, channel: ScriptedChannel, under_way: Aspect
) -> None:
    await told(rig, channel)
    await planned(rig)
    await rig.until(done(rig))

    async def hangs(one: Said) -> Outcome:
        if one.aspect is under_way:
            await asyncio.Event().wait()
        return Delivered()

    channel.answer = hangs
    channel.said.clear()
    if under_way is Aspect.STATUS:
        await report(rig.writer, "Charging")
        await rig.catch_up()
    else:
        await planned(rig, 200)
    await rig.until(lambda: bool(channel.said))
    await rig.die()
    channel.answer = lambda _one: NotSent("away")
    clock.advance(2 * LIMITS.lease)  # on PostgreSQL nothing else tells that its owner is dead
    after = Rig(rig.database, clock, rig.writer, channel)
    await after.dispatcher.start()

    async def doubted() -> bool:
        return all(row["suspect"] for row in await stored(rig.database, "delivery"))

    await after.until(doubted)
    await after.dispatcher.stop()


async def test_two_replicas_never_tell_both_at_once_and_end_with_the_truth(
    replicas: list[Database], clock: FrozenClock, channel: ScriptedChannel
) -> None:
    dice = random.Random(7)
    writer = Writer(replicas[0], clock)
    await writer.start()
    rigs = [Rig(one, clock, writer, channel) for one in replicas]
    evse_ids = [f"DE*ABC*E{number}" for number in range(1, 6)]
    for one in evse_ids:
        await register(writer, one)
        await report(writer, "Available", one)
    for rig in rigs:
        await rig.dispatcher.start()
    try:
        await rigs[0].partner(gets_schedule=True)

        async def slow(_said: Said) -> Outcome:
            await asyncio.sleep(dice.random() * 0.01)
            return Delivered()

        channel.answer = slow
        for _ in range(60):
            evse_id = dice.choice(evse_ids)
            if dice.random() < 0.5:
                await report(writer, dice.choice(["Available", "Charging"]), evse_id)
            elif dice.random() < 0.7:
                begin = clock.now() + dice.randint(0, 20) * SECOND
                ends = begin + dice.randint(1, 30) * SECOND
                await plan(writer, evse_id, by=ADMIN, kind=dice.choice(list(Kind)), valid_from=begin, valid_to=ends)
            else:
                await writer.run(EndOnEvse(ADMIN, parse_evse_id(evse_id), include_planned=True))
            clock.advance(SECOND)
            await rigs[0].catch_up()
            rigs[1].dispatcher.promised()
            await asyncio.sleep(0.003)
        await rigs[0].until(done(rigs[0]))
    finally:
        await asyncio.gather(*(rig.dispatcher.stop() for rig in rigs))
        await writer.stop()
    assert channel.at_once_per_evse == 1
    async with replicas[0].read() as connection:
        keys = (await connection.execute(select(metadata.tables["evse"].c.id))).scalars().all()
        truths = await presented.truths(connection, keys)
        live = await presented.live_by_evse(connection, keys, clock.now())
    for key, true in truths.items():
        now = present(true.evse.deployment, true.evse.actual(None), live.get(key, []), clock.now())
        assert channel.shown["app", key] == now.what
        ahead = " ".join(f"{one.kind}@{one.begin:%H:%M:%S}" for one in true.shown.announced) or "nothing"
        assert channel.schedules.get(("app", key), "nothing") == ahead


# Neighbours


async def test_what_a_partner_may_have_lost_with_a_location_is_told_again(rig: Rig, channel: ScriptedChannel) -> None:
    here, there = "DE*ABC*E2", "DE*ABC*E3"
    await told(rig, channel, EVSE, here, there)
    for one, location in ((EVSE, "LOC1"), (here, "LOC1"), (there, "LOC2")):
        await register(rig.writer, one, location=location)
    await rig.catch_up()
    await rig.until(done(rig))
    channel.said.clear()
    channel.answer = lambda one: Delivered(disturbs=one.evse == 1)
    await report(rig.writer, "Charging")
    await rig.catch_up()
    await rig.until(lambda: len(channel.said) == 2)
    await rig.until(done(rig))
    assert [(one.evse, one.status) for one in channel.said] == [(1, "CHARGING"), (2, "AVAILABLE")]


async def test_what_a_partner_may_yet_lose_is_told_once_more_when_it_can_no_longer_lose_it(
    rig: Rig, clock: FrozenClock, channel: ScriptedChannel
) -> None:
    here, there = "DE*ABC*E2", "DE*ABC*E3"
    await told(rig, channel, EVSE, here, there)
    for one, location in ((EVSE, "LOC1"), (here, "LOC1"), (there, "LOC2")):
        await register(rig.writer, one, location=location)
    await rig.catch_up()
    await rig.until(done(rig))
    lost = iter([Unknown("lost", disturbs=True)])
    channel.answer = lambda one: next(lost, Delivered()) if one.evse == 1 else Delivered()
    await report(rig.writer, "Charging")
    await rig.catch_up()

    async def doubted() -> bool:
        return [row["suspect"] for row in await stored(rig.database, "delivery")] == [True, True, False]

    await rig.until(doubted)
    clock.advance(LIMITS.back_off_longest)

    async def to_be_confirmed() -> bool:
        return all(row["confirm_at"] for row in await stored(rig.database, "delivery") if row["suspect"])

    await rig.until(to_be_confirmed)
    channel.said.clear()
    clock.advance(LIMITS.settle)
    await rig.until(done(rig))
    assert sorted(one.evse for one in channel.said) == [1, 2]
