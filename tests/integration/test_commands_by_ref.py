"""What callers do under a reference of their own: leases, orders, and one row for each."""

from typing import Any

import pytest

from app.domain.errors import (
    AlreadyOver,
    EmptyInterval,
    EvseNotFound,
)
from app.domain.interval import Interval
from app.domain.status import AppliesWhen, Kind
from app.domain.temporary_status import State
from app.store.commands.ending import EndByRef
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
    marked,
    plan_by_ref,
    register,
    settled,
    stored,
)
from tests.clock import START, FrozenClock

IN_AN_HOUR, IN_TWO_HOURS = START + HOUR, START + 2 * HOUR


@pytest.fixture(autouse=True)
async def _evses(writer: Writer) -> None:
    await register(writer, EVSE)
    await register(writer, "DE*ABC*E2")


async def test_a_lease_is_renewed_in_place(database: Database, writer: Writer, clock: FrozenClock) -> None:
    first = await plan_by_ref(writer, "bay-7", valid_to=START + 2 * MINUTE, reason="car")
    for beat in range(1, 4):
        clock.advance(MINUTE)
        renewed = await plan_by_ref(writer, "bay-7", valid_to=clock.now() + 2 * MINUTE, reason="car")
        assert not renewed.created
        assert renewed.one.id == first.one.id
        assert renewed.one.interval == Interval(START, clock.now() + 2 * MINUTE)
        assert renewed.one.revision == 1 + beat
    assert first.created
    assert len(await stored(database, "temporary_status")) == 1


async def test_the_same_again_changes_nothing(database: Database, writer: Writer) -> None:
    first = await plan_by_ref(writer, "bay-7", valid_to=IN_AN_HOUR)
    again = await plan_by_ref(writer, "bay-7", valid_to=IN_AN_HOUR)
    assert again.one == first.one
    assert not again.created
    assert (await stored(database, "temporary_status"))[0]["revision"] == 1


async def test_what_is_left_out_of_a_replacement_gets_its_default(writer: Writer) -> None:
    first = await plan_by_ref(writer, "bay-7", valid_to=IN_AN_HOUR, reason="car", applies_when=AppliesWhen.IDLE)
    bare = await plan_by_ref(writer, "bay-7")
    assert bare.one.id == first.one.id
    assert bare.one.interval == Interval(START, None)
    assert (bare.one.reason, bare.one.applies_when) == (None, AppliesWhen.ALWAYS)


async def test_a_planned_one_is_replaced_in_place_whatever_changes(writer: Writer) -> None:
    first = await plan_by_ref(writer, "order-1", valid_from=IN_AN_HOUR, valid_to=IN_TWO_HOURS, kind=Kind.RESERVED)
    moved = await plan_by_ref(writer, "order-1", valid_from=IN_TWO_HOURS, kind=Kind.MAINTENANCE)
    assert moved.one.id == first.one.id
    assert (moved.one.kind, moved.one.interval) == (Kind.MAINTENANCE, Interval(IN_TWO_HOURS, None))


async def test_a_planned_one_replaced_without_a_start_begins_now(writer: Writer, clock: FrozenClock) -> None:
    first = await plan_by_ref(writer, "order-1", valid_from=IN_AN_HOUR)
    clock.advance(MINUTE)
    now = await plan_by_ref(writer, "order-1", valid_to=IN_AN_HOUR)
    assert now.one.id == first.one.id
    assert now.one.interval == Interval(START + MINUTE, IN_AN_HOUR)


async def test_another_kind_ends_what_is_active_and_begins_anew(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    first = await plan_by_ref(writer, "bay-7", valid_to=IN_AN_HOUR)
    clock.advance(MINUTE)
    other = await plan_by_ref(writer, "bay-7", kind=Kind.MAINTENANCE)
    assert other.created
    assert other.live == [other.one]
    old, new = await stored(database, "temporary_status")
    assert (old["id"], old["kind"], old["valid_to"]) == (first.one.id, "BLOCKED", IN_AN_HOUR)
    assert (old["ended_at"], old["ended_by"], old["end_reason"]) == (START + MINUTE, "parking-sensor", "replaced")
    assert (new["id"], new["kind"], new["valid_from"]) == (other.one.id, "MAINTENANCE", START + MINUTE)
    assert new["revision"] == 1


async def test_a_new_start_ahead_ends_what_is_active_and_plans_anew(writer: Writer, clock: FrozenClock) -> None:
    first = await plan_by_ref(writer, "order-1")
    clock.advance(MINUTE)
    later = await plan_by_ref(writer, "order-1", valid_from=IN_AN_HOUR)
    assert later.created
    assert later.one.id != first.one.id
    assert later.one.state(clock.now()) is State.PLANNED
    assert later.live == [later.one]


async def test_moving_to_another_evse_ends_it_here_and_begins_it_there(database: Database, writer: Writer) -> None:
    first = await plan_by_ref(writer, "order-1", valid_from=IN_AN_HOUR)
    await settled(database)
    moved = await plan_by_ref(writer, "order-1", "DE*ABC*E2", valid_from=IN_AN_HOUR)
    assert moved.created
    assert moved.evse.evse_id == "DE*ABC*E2"
    old, new = await stored(database, "temporary_status")
    assert (old["end_reason"], old["evse"]) == ("replaced", first.one.evse)
    assert (new["ended_at"], new["evse"]) == (None, moved.evse.id)
    assert await marked(database) == [first.evse.id, moved.evse.id]


async def test_after_it_ran_out_the_reference_makes_a_new_one(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    first = await plan_by_ref(writer, "bay-7", valid_to=START + MINUTE)
    clock.advance(HOUR)
    second = await plan_by_ref(writer, "bay-7", valid_to=IN_TWO_HOURS)
    assert second.created
    assert second.one.id != first.one.id
    assert second.one.interval == Interval(IN_AN_HOUR, IN_TWO_HOURS)
    old, _ = await stored(database, "temporary_status")
    assert (old["valid_to"], old["ended_at"], old["end_reason"]) == (START + MINUTE, START + MINUTE, "expired")


async def test_after_it_was_ended_the_reference_makes_a_new_one(writer: Writer) -> None:
    first = await plan_by_ref(writer, "bay-7")
    await writer.run(EndByRef(SENSOR, "bay-7"))
    second = await plan_by_ref(writer, "bay-7")
    assert second.created
    assert second.one.id != first.one.id


@pytest.mark.parametrize(
    ("evse_id", "asked", "refusal"),
    [
        (EVSE, {"valid_to": START}, AlreadyOver),
        (EVSE, {"valid_from": IN_TWO_HOURS, "valid_to": IN_AN_HOUR}, EmptyInterval),
        (EVSE, {"kind": Kind.MAINTENANCE, "valid_to": START}, AlreadyOver),
        ("DE*ABC*E2", {"valid_to": START}, AlreadyOver),
        ("DE*ABC*E404", {}, EvseNotFound),
    ],
)
@pytest.mark.parametrize("begins", [None, IN_AN_HOUR])
async def test_a_replacement_that_fails_leaves_the_old_one_as_it_was(
    database: Database,
    writer: Writer,
    evse_id: str,
    asked: dict[str, Any],
    refusal: type[Exception],
    begins: Any,
) -> None:
    await plan_by_ref(writer, "bay-7", valid_from=begins, valid_to=IN_TWO_HOURS, reason="car")
    await settled(database)
    before = {table: await stored(database, table) for table in ("temporary_status", "audit", "presented")}
    with pytest.raises(refusal):
        await plan_by_ref(writer, "bay-7", evse_id, **asked)
    assert {table: await stored(database, table) for table in before} == before


async def test_a_reference_is_unique_per_key_not_for_everybody(database: Database, writer: Writer) -> None:
    mine = await plan_by_ref(writer, "1", by=SENSOR)
    theirs = await plan_by_ref(writer, "1", by=BOOKING)
    assert theirs.created
    assert theirs.one.id != mine.one.id
    assert await writer.run(EndByRef(ADMIN, "1")) is None
    ended = await writer.run(EndByRef(BOOKING, "1"))
    assert ended is not None
    assert ended.one.id == theirs.one.id
    assert [row["ended_at"] for row in await stored(database, "temporary_status")] == [None, START]


async def test_ending_by_reference_is_idempotent(writer: Writer, clock: FrozenClock) -> None:
    assert await writer.run(EndByRef(SENSOR, "bay-7")) is None
    await plan_by_ref(writer, "bay-7")
    first = await writer.run(EndByRef(SENSOR, "bay-7"))
    assert first is not None
    assert first.one.ended_at == START
    clock.advance(MINUTE)
    assert await writer.run(EndByRef(SENSOR, "bay-7")) is None


async def test_ending_by_reference_what_ran_out_changes_nothing(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await plan_by_ref(writer, "bay-7", valid_to=START + MINUTE)
    before = await stored(database, "temporary_status")
    clock.advance(MINUTE)
    await writer.run(EndByRef(SENSOR, "bay-7"))
    assert await stored(database, "temporary_status") == before


async def test_what_was_made_under_a_reference_can_be_changed_by_its_id(writer: Writer) -> None:
    one = (await plan_by_ref(writer, "bay-7", valid_to=IN_AN_HOUR)).one
    longer = await change(writer, one, valid_to=IN_TWO_HOURS)
    assert (await plan_by_ref(writer, "bay-7", valid_to=IN_TWO_HOURS)).one == longer
