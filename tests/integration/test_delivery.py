"""Delivery: whatever a partner does, it ends up with what is true, in order, and nobody else waits for it."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from app.channels.channel import Lane
from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.domain.evse_id import parse_evse_id
from app.domain.partner import Audience
from app.domain.presentation import Gate
from app.domain.status import DeploymentState, Kind
from app.schedule.decisions import Limits
from app.store import partners
from app.store.commands.ending import EndOnEvse
from app.store.commands.evses import Register
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, HOUR, plan, register, report, stored
from tests.clock import FrozenClock
from tests.integration.scripted_channel import LIMITS, SECRETS, Rig, Said, ScriptedChannel, add_partner

SECOND = timedelta(seconds=1)
LONGEST = LIMITS.back_off_longest
AWAY = NotSent("could not connect")


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@asynccontextmanager
async def working(
    database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel, **more: Any
) -> AsyncGenerator[Rig]:
    rig = Rig(database, clock, writer, channel, **more)
    await rig.dispatcher.start()
    try:
        yield rig
    finally:
        await rig.dispatcher.stop()


@pytest.fixture
async def rig(database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel) -> AsyncGenerator[Rig]:
    async with working(database, clock, writer, channel) as one:
        yield one


async def fleet(rig: Rig, count: int, **more: Any) -> list[int]:
    """Register EVSEs that show AVAILABLE."""
    sites = [f"DE*ABC*E{number}" for number in range(1, count + 1)]
    keys = [one.id for one in await asyncio.gather(*(register(rig.writer, site, **more) for site in sites))]
    await asyncio.gather(*(report(rig.writer, "Available", site) for site in sites))
    return keys


async def rows(rig: Rig, partner: str = "app") -> dict[int, dict[str, Any]]:
    """What a partner is owed, by EVSE."""
    keys = {row["name"]: row["id"] for row in await stored(rig.database, "partner")}
    return {row["evse"]: row for row in await stored(rig.database, "delivery") if row["partner"] == keys.get(partner)}


def is_owed_nothing(rig: Rig, partner: str = "app") -> Callable[[], Any]:
    async def check() -> bool:
        return all(row["next_at"] is None and not row["in_flight"] for row in (await rows(rig, partner)).values())

    return check


async def told(rig: Rig, channel: ScriptedChannel, count: int = 1, partner: str = "app") -> list[int]:
    """A fleet, and a partner that has been told of it."""
    keys = await fleet(rig, count)
    await rig.partner(partner)
    await rig.until(is_owed_nothing(rig, partner))
    assert {key: channel.shown[partner, key] for key in keys} == dict.fromkeys(keys, "AVAILABLE")
    channel.said.clear()
    channel.delivered.clear()
    return keys


async def failed(rig: Rig) -> None:
    """Wait until a failure has been counted."""

    async def counted() -> bool:
        return any(row["failures"] for row in await stored(rig.database, "partner"))

    await rig.until(counted)


async def to_be_confirmed(rig: Rig) -> None:
    """Wait until what was delivered has been stored as what is to be confirmed."""

    async def noted() -> bool:
        return any(row["confirm_at"] for row in (await rows(rig)).values())

    await rig.until(noted)


async def block(rig: Rig, evse_id: str = EVSE, kind: Kind = Kind.BLOCKED) -> None:
    await plan(rig.writer, evse_id, by=ADMIN, kind=kind)
    await rig.catch_up()


async def free(rig: Rig, evse_id: str = EVSE) -> None:
    await rig.writer.run(EndOnEvse(ADMIN, parse_evse_id(evse_id)))
    await rig.catch_up()


class Hanging:
    """Answers nothing until it is let go."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome = outcome or Delivered("late")
        self._let_go = asyncio.Event()

    async def __call__(self, _said: Said) -> Outcome:
        await self._let_go.wait()
        return self.outcome

    def let_go(self) -> None:
        self._let_go.set()


# The plain case


async def test_a_change_reaches_the_partner_and_is_acknowledged_and_logged(rig: Rig, channel: ScriptedChannel) -> None:
    (evse,) = await told(rig, channel)
    await block(rig)
    await rig.until(is_owed_nothing(rig))
    assert [(one.evse, one.status) for one in channel.said] == [(evse, "BLOCKED")]
    row = (await rows(rig))[evse]
    assert (row["acked"], row["want"], row["acked_digest"]) == (
        channel.said[0].version,
        channel.said[0].version,
        "BLOCKED",
    )
    attempt = (await stored(rig.database, "attempt"))[-1]
    assert (attempt["evse"], attempt["said"], attempt["outcome"], attempt["answer"]) == (
        evse,
        "BLOCKED",
        "Delivered",
        "ok",
    )


async def test_what_the_partner_could_not_tell_apart_is_not_sent(rig: Rig, channel: ScriptedChannel) -> None:
    (evse,) = await told(rig, channel)
    await plan(rig.writer, valid_from=rig.clock.now() + HOUR)  # moves the version: until when it holds has changed
    await rig.catch_up()
    await rig.until(is_owed_nothing(rig))
    row = (await rows(rig))[evse]
    assert channel.said == []
    assert row["acked"] == row["want"] > 1


async def test_nothing_is_said_that_is_about_to_be_wrong(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    """While an EVSE waits to be computed anew, what is known of it is not sent."""
    await told(rig, channel)
    await rig.change(paused=True)
    await rig.until(lambda: channel.closed == [("app", 1)])
    await block(rig)
    await plan(rig.writer, kind=Kind.COMMISSIONING)  # not computed yet
    await rig.change(paused=False)
    await rig.until(lambda: len(channel.connected) == 3)
    await rig.quiet()
    assert channel.said == []
    await rig.catch_up()
    clock.advance(SECOND)
    await rig.until(is_owed_nothing(rig))
    assert [one.status for one in channel.said] == ["COMMISSIONING"]


# Order


async def test_one_request_at_a_time_about_one_evse_and_then_only_the_latest(
    rig: Rig, channel: ScriptedChannel
) -> None:
    await told(rig, channel)
    channel.answer = hanging = Hanging()
    await block(rig)
    await rig.until(lambda: len(channel.said) == 1)
    for kind in (Kind.MAINTENANCE, Kind.COMMISSIONING):
        await block(rig, kind=kind)
        await rig.quiet()
    assert len(channel.said) == 1
    hanging.let_go()
    await rig.until(is_owed_nothing(rig))
    assert [one.status for one in channel.said] == ["BLOCKED", "COMMISSIONING"]
    assert channel.at_once_per_evse == 1


async def test_as_many_evses_at_once_as_the_lane_is_wide(rig: Rig, channel: ScriptedChannel) -> None:
    await fleet(rig, 10)
    channel.answer = hanging = Hanging()
    await rig.partner()
    await rig.until(lambda: len(channel.said) == 4)
    await rig.quiet()
    assert len(channel.said) == channel.at_once["app"] == 4
    hanging.let_go()
    await rig.until(is_owed_nothing(rig))
    assert len(channel.said) == 10


async def _storm(rigs: list[Rig], channel: ScriptedChannel, clock: FrozenClock, dice: random.Random) -> None:
    """Changes on a few EVSEs, faster than they are answered, by several services at once."""
    sites = [f"DE*ABC*E{number}" for number in range(1, 7)]

    async def dawdling(_said: Said) -> Outcome:
        await asyncio.sleep(dice.uniform(0, 0.01))
        return Delivered("ok")

    channel.answer = dawdling
    for _ in range(40):
        site = dice.choice(sites)
        words = dice.choice(["Available", "Charging", "Faulted", "Unavailable"])
        await report(rigs[0].writer, words, site)
        await asyncio.gather(*(one.catch_up() for one in rigs))
        await asyncio.sleep(dice.uniform(0, 0.01))
        clock.advance(timedelta(milliseconds=60))
    await asyncio.gather(*(one.catch_up() for one in rigs))

    async def settled() -> bool:
        clock.advance(timedelta(milliseconds=60))
        return bool(await is_owed_nothing(rigs[0])())

    await rigs[0].until(settled)
    shown = {row["evse"]: row["what"].partition(":")[2] for row in await stored(rigs[0].database, "presented")}
    assert {key: channel.shown["app", key] for key in shown} == shown
    assert channel.at_once_per_evse == 1


@pytest.mark.parametrize("lane", [Lane(in_flight=4), Lane(in_flight=1, exclusive=True)], ids=["wide", "exclusive"])
async def test_a_storm_of_changes_ends_with_the_truth_and_never_two_requests_about_one_evse(
    database: Database, clock: FrozenClock, writer: Writer, lane: Lane
) -> None:
    channel = ScriptedChannel(lane)
    async with working(database, clock, writer, channel) as rig:
        await told(rig, channel, 6)
        await _storm([rig], channel, clock, random.Random(1))
        assert channel.at_once["app"] <= lane.in_flight


@pytest.mark.parametrize("lane", [Lane(in_flight=4), Lane(in_flight=1, exclusive=True)], ids=["wide", "exclusive"])
async def test_so_it_does_with_two_services_on_one_database(
    postgresql_url: str, clock: FrozenClock, lane: Lane
) -> None:
    channel = ScriptedChannel(lane)
    here, there = Database(postgresql_url), Database(postgresql_url)
    writer = Writer(here, clock)
    await writer.start()
    async with working(here, clock, writer, channel) as first, working(there, clock, writer, channel) as second:
        await told(first, channel, 6)
        second.dispatcher.partners_changed()
        await second.until(lambda: len(second.dispatcher._lanes) == 1)
        await _storm([first, second], channel, clock, random.Random(2))
        if lane.exclusive:
            assert channel.at_once["app"] == 1
    await writer.stop()
    await here.close()
    await there.close()


async def test_an_exclusive_lane_goes_to_the_other_service_when_its_holder_stops_or_dies(
    postgresql_url: str, clock: FrozenClock
) -> None:
    channel = ScriptedChannel(Lane(in_flight=1, exclusive=True))
    here, there = Database(postgresql_url), Database(postgresql_url)
    writer = Writer(here, clock)
    await writer.start()
    async with working(there, clock, writer, channel) as second:
        async with working(here, clock, writer, channel) as first:
            await told(first, channel)
            with capture_logs():
                await first.die()
        await second.until(lambda: len(second.dispatcher._lanes) == 1)
        await block(second)
        await second.quiet()
        assert channel.said == []  # the lane is still the dead one's
        clock.advance(LIMITS.lease)
        await second.until(is_owed_nothing(second))
        async with working(here, clock, writer, channel) as third:
            await third.until(lambda: len(third.dispatcher._lanes) == 1)
            await second.dispatcher.stop()
            await free(third)
            await third.until(is_owed_nothing(third))
    assert [one.status for one in channel.said] == ["BLOCKED", "AVAILABLE"]
    await writer.stop()
    await here.close()
    await there.close()


# Partners that are away


async def test_a_partner_that_was_away_gets_one_request_an_evse_with_what_is_true_then(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    keys = await told(rig, channel, 8)
    channel.answer = lambda _said: AWAY
    for kind in (Kind.RESERVED, Kind.BLOCKED, Kind.MAINTENANCE, Kind.COMMISSIONING):
        for number in range(1, 9):
            await plan(rig.writer, f"DE*ABC*E{number}", by=ADMIN, kind=kind)
        await rig.catch_up()
        await rig.quiet()
        clock.advance(LONGEST)
    tries = len(channel.said)
    channel.answer = lambda _said: Delivered("back")
    await rig.until(is_owed_nothing(rig))
    assert Counter(one.evse for one in channel.said[tries:]) == dict.fromkeys(keys, 1)
    assert {one.status for one in channel.said[tries:]} == {"COMMISSIONING"}


async def test_there_and_back_again_while_a_partner_was_away_is_not_worth_a_request(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    (evse,) = await told(rig, channel)
    channel.answer = lambda _said: AWAY
    await block(rig)
    await failed(rig)
    await free(rig)
    channel.answer = lambda _said: Delivered("back")
    clock.advance(LONGEST)
    await rig.until(is_owed_nothing(rig))
    assert channel.delivered == []
    row = (await rows(rig))[evse]
    assert (row["acked"], row["acked_digest"]) == (row["want"], "AVAILABLE")


async def test_there_and_back_again_is_sent_where_the_way_there_may_have_arrived(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    await told(rig, channel)
    channel.answer = lambda _said: Unknown("no answer")
    await block(rig)
    await failed(rig)
    await free(rig)
    channel.answer = lambda _said: Delivered("back")
    clock.advance(LONGEST)
    await rig.until(lambda: len(channel.delivered) == 1)
    assert channel.delivered[0].status == "AVAILABLE"


async def test_after_a_lost_answer_the_state_is_sent_once_more_when_nothing_can_arrive_late(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    (evse,) = await told(rig, channel)
    channel.answer = lambda _said: Unknown("no answer")
    await block(rig)
    await failed(rig)
    channel.answer = lambda _said: Delivered("ok")
    clock.advance(SECOND)
    await to_be_confirmed(rig)
    clock.advance(LIMITS.settle - timedelta(milliseconds=1))
    await rig.quiet()
    assert len(channel.delivered) == 1
    assert (await rows(rig))[evse]["suspect"]
    clock.advance(timedelta(milliseconds=1))
    await rig.until(is_owed_nothing(rig))
    assert [one.status for one in channel.delivered] == ["BLOCKED", "BLOCKED"]
    assert not (await rows(rig))[evse]["suspect"]


@pytest.mark.parametrize(
    "failure", [AWAY, Refused("the key is wrong"), Unknown("no answer")], ids=lambda one: type(one).__name__
)
async def test_a_failure_holds_all_back_until_one_probe_gets_through(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock, failure: Outcome
) -> None:
    await told(rig, channel, 12)
    channel.answer = lambda _said: failure
    for number in range(1, 13):
        await plan(rig.writer, f"DE*ABC*E{number}", by=ADMIN)
    await rig.catch_up()
    await rig.quiet()
    await failed(rig)
    assert 1 <= len(channel.said) <= 4  # those that were under way when the first of them failed
    (row,) = await stored(rig.database, "partner")
    assert row["failures"] == 1
    assert clock.now() < row["hold_until"] <= clock.now() + LONGEST

    channel.said.clear()
    channel.answer = hanging = Hanging()
    clock.advance(LONGEST)
    await rig.until(lambda: len(channel.said) == 1)
    await rig.quiet()
    assert len(channel.said) == 1  # the probe
    channel.answer = lambda _said: Delivered("ok")
    hanging.let_go()
    await rig.until(lambda: len({one.evse for one in channel.delivered}) == 12)
    (row,) = await stored(rig.database, "partner")
    assert (row["failures"], row["hold_until"], row["last_error"]) == (0, None, None)


async def test_a_partner_that_fails_again_and_again_is_asked_ever_more_rarely(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    await told(rig, channel, 3)
    channel.answer = lambda _said: AWAY
    await block(rig)

    async def held() -> bool:
        (row,) = await stored(rig.database, "partner")
        return row["hold_until"] is not None and row["hold_until"] > clock.now()

    for _ in range(120):  # two hours, a minute at a time
        await rig.until(held)
        clock.advance(timedelta(minutes=1))
    assert len(channel.said) <= 100
    (row,) = await stored(rig.database, "partner")
    assert row["failures"] >= len(channel.said) - 1 >= 10  # the last one may not be counted yet


# Rejections


async def test_a_rejection_parks_one_evse_for_one_version(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    first, second = await told(rig, channel, 2)
    channel.answer = lambda said: Rejected("not mine") if said.evse == first else Delivered("ok")
    await block(rig, "DE*ABC*E1")
    await block(rig, "DE*ABC*E2")
    await rig.until(is_owed_nothing(rig))
    clock.advance(10 * HOUR)
    await rig.quiet()
    assert Counter(one.evse for one in channel.said) == {first: 1, second: 1}
    row = (await rows(rig))[first]
    assert (row["rejected_version"], row["acked_digest"], row["last_error"]) == (row["want"], "AVAILABLE", "not mine")
    (partner,) = await stored(rig.database, "partner")
    assert partner["failures"] == 0

    channel.answer = lambda _said: Delivered("ok")
    await block(rig, "DE*ABC*E1", Kind.MAINTENANCE)
    await rig.until(is_owed_nothing(rig))
    assert channel.shown["app", first] == "MAINTENANCE"
    assert (await rows(rig))[first]["rejected_version"] is None


async def test_what_a_partner_may_come_to_know_is_tried_again_slowly(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    (evse,) = await told(rig, channel)
    channel.answer = lambda _said: Rejected("603: unknown EVSE", retry_slowly=True)
    await block(rig)

    async def parked() -> bool:
        return (await rows(rig))[evse]["rejected_version"] is not None

    await rig.until(parked)
    clock.advance(LIMITS.retry_slowly - SECOND)
    await rig.catch_up()
    await rig.quiet()
    assert len(channel.said) == 1
    channel.answer = lambda _said: Delivered("now it is known")
    clock.advance(SECOND)
    await rig.catch_up()  # it is looked at again, too, and nothing is said before that
    clock.advance(SECOND)
    await rig.until(is_owed_nothing(rig))
    assert channel.shown["app", evse] == "BLOCKED"


# Partners beside each other


async def test_a_partner_that_hangs_does_not_delay_another(rig: Rig, channel: ScriptedChannel) -> None:
    await fleet(rig, 20)
    hanging = Hanging()
    channel.answer = lambda said: hanging(said) if said.partner == "slow" else Delivered("ok")
    for name in ("slow", "app"):
        await rig.partner(name)
    await rig.until(is_owed_nothing(rig, "app"))
    for kind in (Kind.BLOCKED, Kind.MAINTENANCE):
        for number in range(1, 21):
            await plan(rig.writer, f"DE*ABC*E{number}", by=ADMIN, kind=kind)
        await rig.catch_up()
        await rig.until(is_owed_nothing(rig, "app"))
    assert len([one for one in channel.said if one.partner == "slow"]) == 4  # and not one of them is answered
    assert len([one for one in channel.said if one.partner == "app"]) == 60
    hanging.let_go()


async def test_lanes_follow_the_partners(rig: Rig, channel: ScriptedChannel) -> None:
    await told(rig, channel)
    await rig.change(generation=2, configuration={"url": "elsewhere"})
    await rig.until(lambda: channel.connected[-1] == ("app", 2))
    await rig.until(lambda: channel.closed == [("app", 1)])
    await rig.partner("other")
    assert channel.connected[-1] == ("other", 1)
    async with rig.database.write() as connection:
        await partners.remove(connection, "app", rig.clock.now(), "test")
    rig.dispatcher.partners_changed()
    await rig.until(lambda: ("app", 2) in channel.closed)
    await block(rig)
    await rig.until(is_owed_nothing(rig, "other"))
    assert {one.partner for one in channel.said if one.status == "BLOCKED"} == {"other"}


async def test_a_partner_that_cannot_be_connected_to_is_nobody_elses_trouble(
    rig: Rig, channel: ScriptedChannel
) -> None:
    def connecting(partner: Any) -> None:
        if partner.name == "broken":
            raise OSError("its certificate cannot be read")

    channel.connecting = connecting
    await fleet(rig, 1)
    for name in ("broken", "app"):
        await add_partner(rig.database, rig.clock, name)
    with capture_logs() as logs:
        rig.dispatcher.partners_changed()
        await rig.catch_up()
        await rig.until(lambda: len(channel.delivered) == 1)
        rig.dispatcher.partners_changed()
        await rig.quiet()
    assert [(one["event"], one["partner"]) for one in logs] == [("a partner cannot be connected to", "broken")]
    channel.connecting = lambda _partner: None
    rig.dispatcher.partners_changed()
    await rig.until(is_owed_nothing(rig, "broken"))


async def test_a_paused_partner_gets_nothing_and_afterwards_what_is_true_then(
    rig: Rig, channel: ScriptedChannel
) -> None:
    keys = await told(rig, channel, 3)
    await rig.change(paused=True)
    await rig.until(lambda: channel.closed == [("app", 1)])
    for kind in (Kind.BLOCKED, Kind.MAINTENANCE):
        for number in range(1, 4):
            await block(rig, f"DE*ABC*E{number}", kind)
    await rig.quiet()
    assert channel.said == []
    await rig.change(paused=False)
    await rig.until(is_owed_nothing(rig))
    assert sorted((one.evse, one.status) for one in channel.said) == [(key, "MAINTENANCE") for key in keys]


async def test_a_partner_removed_while_a_request_is_under_way_leaves_nothing_behind(
    rig: Rig, channel: ScriptedChannel
) -> None:
    await told(rig, channel)
    channel.answer = hanging = Hanging()
    await block(rig)
    await rig.until(lambda: len(channel.said) == 1)
    with capture_logs() as logs:
        async with rig.database.write() as connection:
            await partners.remove(connection, "app", rig.clock.now(), "test")
        rig.dispatcher.partners_changed()
        hanging.let_go()
        await rig.until(lambda: channel.closed == [("app", 1)])
    assert logs == []
    assert await stored(rig.database, "delivery") == await stored(rig.database, "attempt") == []


# Generations


async def test_a_new_generation_is_told_everything_once_more(rig: Rig, channel: ScriptedChannel) -> None:
    keys = await told(rig, channel, 5)
    await rig.change(generation=2)
    await rig.catch_up()
    await rig.until(lambda: len(channel.said) >= 5)
    await rig.until(is_owed_nothing(rig))
    assert sorted((one.evse, one.generation) for one in channel.said) == [(key, 2) for key in keys]


async def test_an_answer_under_an_older_generation_does_not_count(rig: Rig, channel: ScriptedChannel) -> None:
    await told(rig, channel)
    channel.answer = hanging = Hanging()
    await block(rig)
    await rig.until(lambda: len(channel.said) == 1)
    channel.answer = lambda _said: Delivered("ok")
    await rig.change(generation=2)
    await rig.catch_up()
    await rig.until(lambda: channel.connected[-1] == ("app", 2))
    hanging.let_go()
    await rig.until(is_owed_nothing(rig))
    assert [(one.generation, one.status) for one in channel.said] == [(1, "BLOCKED"), (2, "BLOCKED")]


async def test_a_lane_that_has_not_heard_of_a_new_address_tells_nothing_to_the_old_one(
    rig: Rig, channel: ScriptedChannel
) -> None:
    """A command beside the service, or another replica, changed the partner; what is owed since is for the new one."""
    (evse,) = await told(rig, channel)
    await rig.change(generation=2, told=False)
    await rig.catch_up()
    await rig.until(is_owed_nothing(rig))
    assert [(one.evse, one.generation) for one in channel.said] == [(evse, 2)]


async def test_what_is_asked_for_anew_is_sent_even_where_the_partner_has_it(rig: Rig, channel: ScriptedChannel) -> None:
    (evse,) = await told(rig, channel)
    async with rig.database.write() as connection:
        assert await partners.resend(connection, await partners.find(connection, SECRETS, "app"), evse, rig.clock.now())
    await rig.until(lambda: len(channel.said) == 1)
    await rig.until(is_owed_nothing(rig))
    assert len(channel.said) == 1


# Stopping and dying


async def test_stopping_loses_no_answer_and_begins_nothing(rig: Rig, channel: ScriptedChannel) -> None:
    *under_way, never_begun = await told(rig, channel, 3)
    channel.answer = hanging = Hanging()
    for number in (1, 2):
        await block(rig, f"DE*ABC*E{number}")
    await rig.until(lambda: len(channel.said) == 2)
    await asyncio.sleep(0.1)  # until its lane does nothing but wait
    stopping = asyncio.create_task(rig.dispatcher.stop())
    await asyncio.sleep(0.1)
    await block(rig, "DE*ABC*E3")  # there would be room for it
    await rig.quiet()
    assert not stopping.done()
    hanging.let_go()
    await asyncio.wait_for(stopping, 10)
    assert len(channel.said) == 2
    after = await rows(rig)
    assert {key: row["acked_digest"] for key, row in after.items()} == {
        **dict.fromkeys(under_way, "BLOCKED"),
        never_begun: "AVAILABLE",
    }
    assert not any(row["in_flight"] or row["suspect"] for row in after.values())
    assert channel.closed == [("app", 1)]


async def test_an_answer_that_cannot_be_stored_is_stored_when_it_can(
    rig: Rig, channel: ScriptedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (evse,) = await told(rig, channel)
    storing = partners.set_standing
    failures: list[bool] = []

    async def fails_once(*what: Any) -> Any:
        if not failures:
            failures.append(True)
            raise OSError("the database is away")
        return await storing(*what)

    monkeypatch.setattr(partners, "set_standing", fails_once)
    with capture_logs() as logs:
        await block(rig)
        await rig.until(is_owed_nothing(rig))
    assert [one["log_level"] for one in logs] == ["error"]
    assert len(channel.said) == 1
    assert (await rows(rig))[evse]["acked_digest"] == "BLOCKED"


async def test_what_was_under_way_when_the_service_died_is_sent_again_and_settled(
    database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel
) -> None:
    """Embedded at once, as nobody else can be alive; on PostgreSQL when the dead one's lease is over."""
    async with working(database, clock, writer, channel) as first:
        (evse,) = await told(first, channel)
        channel.answer = Hanging()
        await block(first)
        await first.until(lambda: len(channel.said) == 1)
        with capture_logs():
            await first.die()
    assert (await rows(first))[evse]["in_flight"]
    channel.answer = lambda _said: Delivered("ok")
    with capture_logs():
        async with working(database, clock, writer, channel) as second:
            await second.until(lambda: len(second.dispatcher._lanes) == 1)
            if not database.embedded:
                clock.advance(LIMITS.lease - timedelta(milliseconds=1))
                await second.quiet()
                assert len(channel.said) == 1
                clock.advance(timedelta(milliseconds=1))
            await to_be_confirmed(second)
            assert len(channel.delivered) == 1
            assert (await rows(second))[evse]["suspect"]
            clock.advance(LIMITS.settle)
            await second.until(is_owed_nothing(second))
            assert [one.status for one in channel.said] == ["BLOCKED"] * 3
            assert not (await rows(second))[evse]["suspect"]


async def test_a_claim_that_was_held_up_for_too_long_is_not_used(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    (evse,) = await told(rig, channel)

    def held_up(_notice: Any) -> None:
        channel.translating = lambda _notice: None
        clock.advance(timedelta(seconds=20))  # what is left of the lease would not outlast the request for sure

    channel.translating = held_up
    await block(rig)
    await rig.quiet()
    assert channel.said == []
    row = (await rows(rig))[evse]
    assert not row["in_flight"]
    clock.advance(SECOND)
    await rig.until(is_owed_nothing(rig))
    assert len(channel.said) == 1
    assert not (await rows(rig))[evse]["suspect"]


# Channels that break their word


async def test_a_channel_that_raises_may_have_sent_it(rig: Rig, channel: ScriptedChannel) -> None:
    (evse,) = await told(rig, channel)

    def breaks(_said: Said) -> Outcome:
        raise ZeroDivisionError

    channel.answer = breaks
    with capture_logs() as logs:
        await block(rig)
        await rig.until(lambda: len(channel.said) == 1)
        await rig.quiet()
    assert [one["log_level"] for one in logs] == ["error", "warning"]
    assert (await rows(rig))[evse]["suspect"]


async def test_what_a_channel_cannot_say_is_parked_and_hinders_nothing_else(rig: Rig, channel: ScriptedChannel) -> None:
    first, second = await told(rig, channel, 2)

    def cannot(notice: Any) -> None:
        if notice.evse.id == first:
            raise KeyError("no such word")

    channel.translating = cannot
    with capture_logs():
        await block(rig, "DE*ABC*E1")
        await block(rig, "DE*ABC*E2")
        await rig.until(is_owed_nothing(rig))
    assert [one.evse for one in channel.said] == [second]
    row = (await rows(rig))[first]
    assert row["rejected_version"] == row["want"]
    assert "no such word" in row["last_error"]


# Who is told of what


@pytest.mark.parametrize("state", [DeploymentState.STOCK, DeploymentState.DEPRECATED])
async def test_leaving_production_is_told_to_those_it_was_shared_with_and_to_nobody_else(
    rig: Rig, channel: ScriptedChannel, state: DeploymentState
) -> None:
    (evse,) = await told(rig, channel)
    await rig.partner("elsewhere", audience=Audience(locations=("LOC9",)))
    await register(rig.writer, deployment=state)
    await rig.catch_up()
    await rig.until(is_owed_nothing(rig))
    await rig.partner("newcomer")
    await rig.quiet()
    gate = Gate.REMOVED if state is DeploymentState.DEPRECATED else Gate.WITHHELD
    assert [(one.partner, one.evse, one.status) for one in channel.said] == [("app", evse, gate)]


async def test_an_evse_that_was_never_shared_is_never_mentioned(rig: Rig, channel: ScriptedChannel) -> None:
    await rig.partner()
    await register(rig.writer, deployment=DeploymentState.STOCK)
    await block(rig)
    await report(rig.writer, "Charging")
    await rig.catch_up()
    await register(rig.writer, deployment=DeploymentState.DEPRECATED)
    await rig.catch_up()
    await rig.quiet()
    assert channel.said == []
    assert await stored(rig.database, "delivery") == []


async def test_an_evse_enters_and_leaves_what_a_partner_gets_with_its_location(
    rig: Rig, channel: ScriptedChannel
) -> None:
    evse = (await register(rig.writer, location="LOC1")).id
    await rig.partner(audience=Audience(locations=("LOC1",)))
    await rig.until(is_owed_nothing(rig))
    for location in ("LOC2", "LOC1"):
        await rig.writer.run(Register(by=ADMIN, evse_id=parse_evse_id(EVSE), location=location))
        await rig.catch_up()
        await rig.until(is_owed_nothing(rig))
    assert [(one.evse, one.status) for one in channel.said] == [(evse, "UNKNOWN"), (evse, "REMOVED"), (evse, "UNKNOWN")]


async def test_a_partner_that_does_not_ask_for_the_fleet_hears_of_changes_only(
    rig: Rig, channel: ScriptedChannel
) -> None:
    first, second = await fleet(rig, 2)
    await rig.catch_up()
    await rig.partner(tells_fleet=False)
    await rig.quiet()
    assert channel.said == []
    await block(rig, "DE*ABC*E2")
    await rig.until(is_owed_nothing(rig))
    assert [one.evse for one in channel.said] == [second]
    await register(rig.writer, "DE*ABC*E1", deployment=DeploymentState.DEPRECATED)
    await rig.catch_up()
    await rig.until(is_owed_nothing(rig))
    assert [one.evse for one in channel.said] == [second, first]


# Everything at once


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_goes_wrong_once_it_stops_every_partner_shows_what_is_true(
    database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel, seed: int
) -> None:
    """Changes, failures, deaths, pauses, new generations: then peace, and the two are compared."""
    dice = random.Random(seed)
    limits: Limits = msgspec.structs.replace(LIMITS, back_off_longest=timedelta(seconds=10))

    def bad(_said: Said) -> Outcome:
        may: list[Outcome] = [AWAY, Unknown("?"), Refused("no"), Rejected("no", True)]
        return dice.choice([*may, *[Delivered("ok")] * 3])

    sites = [f"DE*ABC*E{number}" for number in range(1, 6)]
    generation = 1
    with capture_logs():
        rig = Rig(database, clock, writer, channel, limits=limits)
        await rig.dispatcher.start()
        await fleet(rig, len(sites))
        await rig.partner()
        channel.answer = bad
        for _ in range(60):
            await report(writer, dice.choice(["Available", "Charging", "Faulted"]), dice.choice(sites))
            await rig.catch_up()
            clock.advance(timedelta(seconds=dice.uniform(0, 20)))
            rig.dispatcher.promised()
            await asyncio.sleep(0.005)
            match dice.randint(1, 12):
                case 1:
                    await rig.die()
                    rig = Rig(database, clock, writer, channel, limits=limits)
                    await rig.dispatcher.start()
                case 2:
                    generation += 1
                    await rig.change(generation=generation)
                case 3:
                    await rig.change(paused=dice.random() < 0.5)
                case _:
                    pass
        channel.answer = lambda _said: Delivered("ok")
        await rig.change(paused=False)

        async def settled() -> bool:
            clock.advance(SECOND)
            await rig.catch_up()
            soon = clock.now() + HOUR  # what was rejected waits for longer
            return not any(
                row["in_flight"] or (row["next_at"] and row["next_at"] < soon) for row in (await rows(rig)).values()
            )

        await rig.until(settled, within=30)
        clock.advance(LIMITS.retry_slowly)
        await rig.until(settled, within=30)
        await rig.until(is_owed_nothing(rig))
        await rig.dispatcher.stop()
    rejected = {key for key, row in (await rows(rig)).items() if row["rejected_version"] == row["want"]}
    shown = {row["evse"]: row["what"].partition(":")[2] for row in await stored(database, "presented")}
    assert rejected == set()
    assert {key: channel.shown["app", key] for key in shown} == shown
    assert channel.at_once_per_evse == 1


async def test_a_lane_stops_without_its_database_while_claims_wait(
    rig: Rig, channel: ScriptedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.schedule.lane._LAST_TRIES", -1.0)
    answered = asyncio.Event()

    async def answers(_: Said) -> Outcome:
        await answered.wait()
        return Delivered("ok")

    channel.answer = answers
    partner = await rig.partner()
    lane = rig.dispatcher._lanes[partner.id]
    lane._requests._takes = 0.01  # it has answered quickly so far
    await fleet(rig, 8)
    await rig.catch_up()
    await rig.until(lambda: lane._requests.waiting)
    await rig._mortal.die()
    stopping = asyncio.create_task(lane.stop())
    await asyncio.sleep(0)
    answered.set()
    await asyncio.wait_for(stopping, 5)
    assert len(channel.said) == channel.lane.in_flight
    rig.dispatcher._lanes.clear()
