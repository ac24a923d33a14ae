"""Changing temporary statuses: what has been shown stays as it was."""

from typing import Any

import pytest
from msgspec import UNSET

from app.domain.errors import (
    AlreadyOver,
    EmptyInterval,
    HasBegun,
    HasEnded,
    TemporaryStatusNotFound,
)
from app.domain.interval import Interval
from app.domain.status import AppliesWhen, Kind
from app.store.commands.ending import End
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import (
    ADMIN,
    BOOKING,
    EVSE,
    HOUR,
    MINUTE,
    SENSOR,
    change,
    end,
    plan,
    register,
    stored,
)
from tests.clock import START, FrozenClock

IN_AN_HOUR, IN_TWO_HOURS = START + HOUR, START + 2 * HOUR


@pytest.fixture(autouse=True)
async def _evses(writer: Writer) -> None:
    await register(writer, EVSE)
    await register(writer, "DE*ABC*E2")


async def test_only_what_is_named_changes(writer: Writer, clock: FrozenClock) -> None:
    one = await plan(writer, valid_to=IN_AN_HOUR, reason="car", applies_when=AppliesWhen.IDLE)
    clock.advance(MINUTE)
    longer = await change(writer, one, valid_to=IN_TWO_HOURS)
    assert longer.interval == Interval(START, IN_TWO_HOURS)
    assert (longer.reason, longer.applies_when, longer.kind) == ("car", AppliesWhen.IDLE, Kind.BLOCKED)
    assert (longer.revision, longer.created_at, longer.updated_at) == (2, START, START + MINUTE)


async def test_an_end_of_none_opens_the_window_and_a_reason_of_none_removes_it(writer: Writer) -> None:
    one = await plan(writer, valid_to=IN_AN_HOUR, reason="car")
    assert (await change(writer, one, valid_to=None)).interval.end is None
    assert (await change(writer, one, reason=None)).reason is None


async def test_what_is_planned_may_become_anything(writer: Writer) -> None:
    one = await plan(writer, valid_from=IN_AN_HOUR, valid_to=IN_TWO_HOURS)
    other = await change(
        writer, one, kind=Kind.MAINTENANCE, valid_from=IN_TWO_HOURS, valid_to=None, applies_when=AppliesWhen.IDLE
    )
    assert other.id == one.id
    assert (other.kind, other.interval) == (Kind.MAINTENANCE, Interval(IN_TWO_HOURS, None))
    assert other.applies_when is AppliesWhen.IDLE


async def test_a_planned_start_moved_into_the_past_is_now(writer: Writer, clock: FrozenClock) -> None:
    one = await plan(writer, valid_from=IN_AN_HOUR)
    clock.advance(MINUTE)
    assert (await change(writer, one, valid_from=START)).interval.begin == START + MINUTE


@pytest.mark.parametrize(
    ("what", "refusal", "field"),
    [
        ({"valid_from": IN_AN_HOUR}, HasBegun, "validFrom"),
        ({"valid_from": START - HOUR}, HasBegun, "validFrom"),
        ({"kind": Kind.MAINTENANCE}, HasBegun, "temporaryStatus"),
        ({"valid_to": START}, AlreadyOver, "validTo"),
        ({"valid_to": START + MINUTE}, AlreadyOver, "validTo"),
    ],
)
async def test_what_has_begun_keeps_its_start_its_kind_and_its_past(
    database: Database,
    writer: Writer,
    clock: FrozenClock,
    what: dict[str, Any],
    refusal: type[Exception],
    field: str,
) -> None:
    one = await plan(writer, valid_to=IN_TWO_HOURS)
    clock.advance(MINUTE)
    before = await stored(database, "temporary_status")
    with pytest.raises(refusal) as refused:
        await change(writer, one, **what)
    assert getattr(refused.value, "field", None) == field
    assert await stored(database, "temporary_status") == before


async def test_what_has_begun_may_be_told_its_own_start_and_kind(writer: Writer, clock: FrozenClock) -> None:
    one = await plan(writer)
    clock.advance(MINUTE)
    assert await change(writer, one, valid_from=START, kind=Kind.BLOCKED) == one


async def test_it_has_begun_at_its_very_first_instant(writer: Writer, clock: FrozenClock) -> None:
    one = await plan(writer, valid_from=IN_AN_HOUR)
    clock.set(IN_AN_HOUR)
    with pytest.raises(HasBegun):
        await change(writer, one, kind=Kind.MAINTENANCE)


@pytest.mark.parametrize("what", [{"valid_from": IN_TWO_HOURS}, {"valid_to": IN_AN_HOUR}, {"valid_to": START + MINUTE}])
async def test_a_planned_window_keeps_some_time_in_it(writer: Writer, what: dict[str, Any]) -> None:
    one = await plan(writer, valid_from=IN_AN_HOUR, valid_to=IN_TWO_HOURS)
    with pytest.raises(EmptyInterval) as refused:
        await change(writer, one, **what)
    assert refused.value.field == "validTo"


async def test_what_is_over_stays_as_it_was(writer: Writer, clock: FrozenClock) -> None:
    expired, deleted = await plan(writer, valid_to=START + MINUTE), await plan(writer)
    await end(writer, deleted)
    clock.advance(MINUTE)
    for one in (expired, deleted):
        with pytest.raises(HasEnded):
            await change(writer, one, valid_to=IN_TWO_HOURS)


async def test_no_difference_is_no_new_revision(writer: Writer) -> None:
    one = await plan(writer, valid_to=IN_AN_HOUR, reason="car")
    assert await change(writer, one, valid_to=IN_AN_HOUR, reason="car", valid_from=UNSET) == one


async def test_others_are_changed_and_ended_by_admins_only(database: Database, writer: Writer) -> None:
    one = await plan(writer, by=SENSOR)
    with pytest.raises(TemporaryStatusNotFound) as hidden:
        await change(writer, one, by=BOOKING, reason="mine now")
    with pytest.raises(TemporaryStatusNotFound):
        await end(writer, one, by=BOOKING)
    with pytest.raises(TemporaryStatusNotFound) as missing:
        await writer.run(End(BOOKING, one.id + 1))
    assert str(hidden.value).replace(str(one.id), "#") == str(missing.value).replace(str(one.id + 1), "#")
    assert (await change(writer, one, by=ADMIN, reason="site closed")).reason == "site closed"
    ended = await end(writer, one, by=ADMIN)
    assert (ended.created_by, ended.ended_by) == ("parking-sensor", "backend")
