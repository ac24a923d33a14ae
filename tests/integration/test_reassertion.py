"""Anti-entropy: what a partner acknowledged is told once more within a round, a share every minute."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.channels import REGISTER
from app.channels.outcomes import NotSent, Rejected
from app.domain.partner import Audience
from app.domain.status import Kind
from app.schedule.housekeeping import Housekeeping
from app.schedule.reassertion import Reassertion, of_active, share
from app.service import Service
from app.settings import Settings
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, HOUR, MINUTE, end, plan, plan_by_ref, register, report, stored
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import Rig, ScriptedChannel, add_partner

ROUND = timedelta(hours=4)
SECOND = timedelta(seconds=1)


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
async def rig(database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel) -> AsyncGenerator[Rig]:
    one = Rig(database, clock, writer, channel)
    await one.dispatcher.start()
    yield one
    await one.dispatcher.stop()


@pytest.fixture
def house(rig: Rig) -> Housekeeping:
    return Housekeeping(rig.database, rig.clock, [Reassertion(rig.database, ROUND, rig.dispatcher.promised)])


async def fleet(rig: Rig, channel: ScriptedChannel, count: int = 24) -> None:
    """A fleet that the partner `app` has been told of."""
    for number in range(count):
        await register(rig.writer, f"DE*ABC*E{number}")
        await report(rig.writer, "Available", f"DE*ABC*E{number}")
    await rig.partner()
    await settled(rig)
    assert len(channel.shown) == count
    channel.said.clear()


async def settled(rig: Rig) -> None:
    async def nothing_due() -> bool:
        rows = await stored(rig.database, "delivery")
        return not any(row["in_flight"] or (row["next_at"] and row["next_at"] <= rig.clock.now()) for row in rows)

    await rig.until(nothing_due)


async def rounds(house: Housekeeping, rig: Rig, clock: FrozenClock, count: float = 1) -> None:
    """Let time pass in steps of ten minutes, which is as much as one run makes up for."""
    for _ in range(round(count * 24)):
        clock.advance(9 * MINUTE)
        await house.do_what_is_due()
        for part in (MINUTE - SECOND, SECOND):  # what was about to be computed anew is told a moment later
            clock.advance(part)
            await rig.catch_up()
            await settled(rig)


async def test_everything_is_told_once_more_within_a_round(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet(rig, channel)
    await house.do_what_is_due()
    await rounds(house, rig, clock)  # half of it was told too recently
    channel.said.clear()
    await rounds(house, rig, clock)
    assert sorted(one.evse for one in channel.said) == sorted(evse for _, evse in channel.shown)
    assert {one.status for one in channel.said} == {"AVAILABLE"}


async def test_it_is_spread_over_the_round_and_not_one_storm(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet(rig, channel)
    await house.do_what_is_due()
    await rounds(house, rig, clock)
    for _ in range(8):
        channel.said.clear()
        await rounds(house, rig, clock, 1 / 24)
        assert len(channel.said) <= 2  # of 24


async def test_after_years_that_never_were_one_share_is_told_and_not_the_fleet(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet(rig, channel)
    await house.do_what_is_due()
    clock.set(START + timedelta(days=3650))
    await house.do_what_is_due()
    clock.advance(MINUTE)
    await settled(rig)
    assert len(channel.said) <= 1


async def test_news_are_not_held_up_and_what_is_owed_anyway_is_owed_once(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet(rig, channel, 3)
    await house.do_what_is_due()
    clock.advance(ROUND)
    channel.answer = lambda _said: NotSent("away", HOUR)
    for number in range(3):
        await report(rig.writer, "Charging", f"DE*ABC*E{number}")
    with capture_logs():
        await rig.catch_up()
        await rig.quiet()
        before = await stored(rig.database, "delivery")
        await house.do_what_is_due()
    assert [row["next_at"] for row in await stored(rig.database, "delivery")] == [row["next_at"] for row in before]


async def test_a_partner_that_failed_and_is_owed_nothing_is_found_out_about(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet(rig, channel, 3)
    await house.do_what_is_due()
    await rig.change(failures=3, last_error="away")
    await rounds(house, rig, clock, 2)
    assert {one.evse for one in channel.said} == {1, 2, 3}
    assert [row["failures"] for row in await stored(rig.database, "partner")] == [0]


async def test_windows_that_are_renewed_all_the_time_keep_nothing_from_its_turn(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet(rig, channel, 3)
    await house.do_what_is_due()
    for number in range(3):
        for _ in range(8):
            # `until` moves, and with it the version; the words do not.
            until = clock.now() + HOUR
            await plan_by_ref(rig.writer, "bay", "DE*ABC*E0", kind=Kind.BLOCKED, valid_to=until)
            await rig.catch_up()
            await settled(rig)
            await rounds(house, rig, clock, 1 / 8)
        if number == 0:
            channel.said.clear()
    assert {one.evse for one in channel.said} == {1, 2, 3}


@pytest.mark.parametrize("state", ["paused", "failing"])
async def test_who_is_away_is_not_owed_more_for_it(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock, state: str
) -> None:
    await fleet(rig, channel)
    await house.do_what_is_due()
    channel.answer = lambda _said: NotSent("away", HOUR)
    if state == "paused":
        await rig.change(paused=True)
    else:
        await report(rig.writer, "Charging", "DE*ABC*E0")  # what it is owed finds out when it is back
        with capture_logs():
            await rig.catch_up()
            await rig.until(lambda: bool(channel.said))
    before = [row["evse"] for row in await stored(rig.database, "delivery") if row["next_at"] is not None]
    for _ in range(24):
        clock.advance(10 * MINUTE)
        await house.do_what_is_due()
    assert [row["evse"] for row in await stored(rig.database, "delivery") if row["next_at"] is not None] == before


async def test_what_a_partner_refused_stays_parked_and_what_it_pulls_is_not_pushed(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock
) -> None:
    channel.answer = lambda _said: Rejected("unknown")
    await register(rig.writer)
    await report(rig.writer, "Available")
    await rig.catch_up()
    await rig.partner("pulls", tells_fleet=False)
    await rig.partner()
    await settled(rig)
    channel.said.clear()
    await house.do_what_is_due()
    await rounds(house, rig, clock, 2)
    assert channel.said == []


async def test_a_partner_that_lost_everything_has_it_again_after_a_round(
    rig: Rig, channel: ScriptedChannel, house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet(rig, channel, 6)
    await house.do_what_is_due()
    await rounds(house, rig, clock)
    had = dict(channel.shown)
    channel.shown.clear()
    await rounds(house, rig, clock)
    assert channel.shown == had


async def test_a_partner_added_later_is_told_in_the_same_round(database: Database, clock: FrozenClock) -> None:
    partner = await add_partner(database, clock, "empty")
    house = Housekeeping(database, clock, [Reassertion(database, ROUND, lambda: None)])
    await house.do_what_is_due()  # no EVSE is there yet: nothing fails
    assert msgspec.structs.asdict(partner)["name"] == "empty"


@pytest.fixture
def active_house(rig: Rig, channel: ScriptedChannel) -> Housekeeping:
    """The chore that re-asserts active temporary statuses, at a partner to whom somebody else writes too."""
    channel.others_write_too = True
    chore = of_active(rig.database, ROUND, rig.dispatcher.promised, {channel.name: channel})
    return Housekeeping(rig.database, rig.clock, [chore])


async def fleet_with_windows(rig: Rig, channel: ScriptedChannel, *active: int, count: int = 12) -> None:
    """A fleet that the partner was told of; the EVSEs with these keys are blocked."""
    await fleet(rig, channel, count)
    for key in active:
        await plan(rig.writer, f"DE*ABC*E{key - 1}", by=ADMIN, kind=Kind.BLOCKED)
    await rig.catch_up()
    await settled(rig)
    channel.said.clear()


async def test_what_somebody_else_overwrote_while_it_was_active_is_right_again_after_a_round(
    rig: Rig, channel: ScriptedChannel, active_house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet_with_windows(rig, channel, 2, 3, 11)
    await active_house.do_what_is_due()
    await rounds(active_house, rig, clock)  # some of them were told too recently
    channel.shown = dict.fromkeys(channel.shown, "overwritten")
    channel.said.clear()
    await rounds(active_house, rig, clock)
    assert sorted(one.evse for one in channel.said) == [2, 3, 11], "each once, and nothing else"
    assert {evse for (_, evse), status in channel.shown.items() if status == "BLOCKED"} == {2, 3, 11}


async def test_what_is_over_is_not_re_asserted(
    rig: Rig, channel: ScriptedChannel, active_house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet_with_windows(rig, channel, 2)
    one = await plan(rig.writer, "DE*ABC*E4", kind=Kind.RESERVED)
    await rig.catch_up()
    await end(rig.writer, one)
    await rig.catch_up()
    await settled(rig)
    await active_house.do_what_is_due()
    channel.said.clear()
    await rounds(active_house, rig, clock, 2)
    assert {one.evse for one in channel.said} == {2}


async def test_where_we_alone_write_nothing_active_is_re_asserted(
    rig: Rig, channel: ScriptedChannel, active_house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet_with_windows(rig, channel, 2, 3)
    channel.others_write_too = False
    await active_house.do_what_is_due()
    await rounds(active_house, rig, clock, 2)
    assert channel.said == []


async def test_the_active_ones_are_spread_and_an_outage_ends_in_no_storm(
    rig: Rig, channel: ScriptedChannel, active_house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet_with_windows(rig, channel, *range(1, 25), count=24)
    await active_house.do_what_is_due()
    await rounds(active_house, rig, clock)
    for gap in (10 * MINUTE, 10 * MINUTE, 10 * MINUTE, 5 * ROUND + HOUR):
        channel.said.clear()
        clock.advance(gap - 10 * MINUTE)
        await rounds(active_house, rig, clock, 1 / 24)
        assert len(channel.said) <= 2  # of 24


async def test_what_a_partner_was_told_is_gone_is_not_re_asserted_as_active(
    rig: Rig, channel: ScriptedChannel, active_house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet_with_windows(rig, channel, 2, 3)
    await rig.change(audience=Audience(operators=("DE*XYZ",)), generation=2)
    await rig.catch_up()
    await settled(rig)
    assert len(channel.said) == 12, "each is told to be gone"
    channel.said.clear()
    await active_house.do_what_is_due()
    await rounds(active_house, rig, clock, 2)
    assert channel.said == []


@pytest.mark.parametrize("state", ["paused", "failing"])
async def test_who_is_away_is_not_owed_its_active_ones(
    rig: Rig, channel: ScriptedChannel, active_house: Housekeeping, clock: FrozenClock, state: str
) -> None:
    await fleet_with_windows(rig, channel, 2, 3)
    await active_house.do_what_is_due()
    channel.answer = lambda _said: NotSent("away", HOUR)
    if state == "paused":
        await rig.change(paused=True)
    else:
        await report(rig.writer, "Charging", "DE*ABC*E0")
        with capture_logs():
            await rig.catch_up()
            await rig.until(lambda: bool(channel.said))
    before = [row["evse"] for row in await stored(rig.database, "delivery") if row["next_at"] is not None]
    for _ in range(24):
        clock.advance(10 * MINUTE)
        await active_house.do_what_is_due()
    assert [row["evse"] for row in await stored(rig.database, "delivery") if row["next_at"] is not None] == before


async def test_both_rounds_go_on_side_by_side(
    rig: Rig, channel: ScriptedChannel, active_house: Housekeeping, clock: FrozenClock
) -> None:
    await fleet_with_windows(rig, channel, 2, count=4)
    whole = Reassertion(rig.database, 2 * ROUND, rig.dispatcher.promised)
    house = Housekeeping(rig.database, rig.clock, [whole, *active_house._chores])
    await house.do_what_is_due()
    await rounds(house, rig, clock, 2)
    assert {row["name"] for row in await stored(rig.database, "chore")} == {"reassertion", "reassertion of the active"}
    channel.said.clear()
    await rounds(house, rig, clock, 2)
    told = [one.evse for one in channel.said]
    assert {told.count(key) for key in (1, 3, 4)} == {1}
    assert told.count(2) == 2


@pytest.mark.parametrize(
    ("settings", "chores"),
    [
        ({}, ["reassertion", "reassertion of the active"]),
        ({"reassert_active_every": timedelta()}, ["reassertion"]),
        ({"reassert_every": timedelta()}, ["reassertion of the active"]),
    ],
)
def test_a_service_does_both_unless_told_otherwise(
    tmp_path: Path, settings: dict[str, timedelta], chores: list[str]
) -> None:
    service = Service(Settings(database_url=f"sqlite:///{tmp_path / 'here.db'}", **settings))  # type: ignore[arg-type]
    assert [one.name for one in service._housekeeping._chores if isinstance(one, Reassertion)] == chores


@pytest.mark.parametrize(("channel", "others_write_too"), [("driver_app", False), ("oicp", True), ("ocpi", False)])
def test_only_at_hubject_others_may_write_as_well(channel: str, others_write_too: bool) -> None:
    assert REGISTER[channel].others_write_too is others_write_too


instants = st.integers(0, 60 * 365 * 24 * 3600).map(lambda seconds: START + timedelta(seconds=seconds))


@given(
    begin=instants,
    steps=st.lists(st.timedeltas(timedelta(0), timedelta(hours=5)), min_size=1, max_size=30),
    last=st.integers(0, 5000),
)
def test_shares_that_follow_each_other_leave_nobody_out_and_name_nobody_twice(
    begin: datetime, steps: list[timedelta], last: int
) -> None:
    told: list[int] = []
    at = begin
    end = begin + ROUND
    for step in [*steps, end - begin]:
        until = min(at + step, end)
        told += [key for after, up_to in share(at, until, ROUND, last) for key in range(after + 1, up_to + 1)]
        at = until
    assert sorted(told) == list(range(1, last + 1))


def test_a_gap_of_a_whole_round_names_everybody() -> None:
    assert share(START, START + ROUND, ROUND, 7) == [(0, 7)]
    assert share(START, START + 2 * ROUND, ROUND, 7) == [(0, 7)]


def test_the_largest_fleet_has_its_turn_in_any_year() -> None:
    at = datetime(2099, 12, 31, 12, tzinfo=UTC)
    [(after, up_to)] = share(at - MINUTE, at, timedelta(days=1), 6_000_000)
    assert up_to - after in {4166, 4167}  # a minute of a day
