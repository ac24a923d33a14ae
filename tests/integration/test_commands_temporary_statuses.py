"""Planning and ending temporary statuses, as the store does it on both databases."""

from typing import Any

import pytest

from app.domain.errors import (
    AlreadyOver,
    AmbiguousEvse,
    EmptyInterval,
    EvseNotFound,
    TemporaryStatusNotFound,
)
from app.domain.interval import Interval
from app.domain.status import AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import State
from app.store.commands.ending import End
from app.store.commands.temporary_statuses import Plan
from app.store.database import Database
from app.store.spans import span_of
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
    marked,
    plan,
    plan_by_ref,
    register,
    settled,
    stored,
    wish,
)
from tests.clock import START, FrozenClock

IN_AN_HOUR, IN_TWO_HOURS = START + HOUR, START + 2 * HOUR


@pytest.fixture(autouse=True)
async def _evses(writer: Writer) -> None:
    await register(writer, EVSE)
    await register(writer, "DE*ABC*E2")


# Plan


async def test_what_is_planned_is_stored_as_asked(database: Database, writer: Writer) -> None:
    one = await plan(
        writer,
        kind=Kind.RESERVED,
        valid_from=IN_AN_HOUR,
        valid_to=IN_TWO_HOURS,
        applies_when=AppliesWhen.IDLE,
        reason="Müller, 4711",
    )
    (row,) = await stored(database, "temporary_status")
    assert row == {
        "id": one.id,
        "evse": one.evse,
        "operator": "DEABC",
        "kind": "RESERVED",
        "valid_from": IN_AN_HOUR,
        "valid_to": IN_TWO_HOURS,
        "applies_when": "idle",
        "reason": "Müller, 4711",
        "ref": None,
        "created_by": "parking-sensor",
        "created_at": START,
        "updated_at": START,
        "revision": 1,
        "ended_at": None,
        "ended_by": None,
        "end_reason": None,
        "braked": True,
        "batch": None,
        "span": span_of(one),
    }


async def test_it_begins_now_when_no_start_is_given_and_lasts_until_deleted_when_no_end_is(writer: Writer) -> None:
    one = await plan(writer)
    assert one.interval == Interval(START, None)
    assert one.applies_when is AppliesWhen.ALWAYS
    assert one.state(START) is State.ACTIVE


async def test_a_start_in_the_past_is_now(writer: Writer) -> None:
    one = await plan(writer, valid_from=START - HOUR, valid_to=IN_AN_HOUR)
    assert one.interval == Interval(START, IN_AN_HOUR)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"valid_from": IN_TWO_HOURS, "valid_to": IN_AN_HOUR}, EmptyInterval),
        ({"valid_from": IN_AN_HOUR, "valid_to": IN_AN_HOUR}, EmptyInterval),
        ({"valid_to": START}, AlreadyOver),
        ({"valid_from": START - 2 * HOUR, "valid_to": START - HOUR}, AlreadyOver),
    ],
)
async def test_a_window_without_time_in_it_is_refused_and_leaves_no_trace(
    database: Database, writer: Writer, asked: dict[str, Any], refusal: type[Exception]
) -> None:
    audited = await stored(database, "audit")
    with pytest.raises(refusal) as refused:
        await plan(writer, **asked)
    assert getattr(refused.value, "field", None) == "validTo"
    assert await stored(database, "temporary_status") == []
    assert await stored(database, "audit") == audited


async def test_an_evse_that_nobody_registered_is_refused(writer: Writer) -> None:
    with pytest.raises(EvseNotFound) as refused:
        await plan(writer, "DE*ABC*E404")
    assert refused.value.field == "evseId"
    assert "DE*ABC*E404" in str(refused.value)


@pytest.mark.parametrize("written", ["de*abc*e1", "DEABCE1", "deabcE1", "DE*ABCE1"])
async def test_the_evse_is_found_without_regard_to_case_and_separators(writer: Writer, written: str) -> None:
    answer = await writer.run(Plan(SENSOR, wish(written)))
    assert answer.evse.evse_id == EVSE


async def test_a_form_that_fits_two_evses_is_refused_and_says_which(writer: Writer) -> None:
    await register(writer, "DE*ABC*E1*23", uid="a")
    await register(writer, "DE*ABC*E12*3", uid="b")
    with pytest.raises(AmbiguousEvse, match=r"DE\*ABC\*E1\*23 or DE\*ABC\*E12\*3"):
        await plan(writer, "DEABCE123")
    assert (await writer.run(Plan(SENSOR, wish("DE*ABC*E12*3")))).evse.uid == "b"


async def test_a_deprecated_twin_does_not_make_a_form_ambiguous(writer: Writer) -> None:
    await register(writer, "DE*ABC*E1*23", uid="a", deployment=DeploymentState.DEPRECATED)
    await register(writer, "DE*ABC*E12*3", uid="b")
    assert (await writer.run(Plan(SENSOR, wish("DEABCE123")))).evse.uid == "b"


@pytest.mark.parametrize("state", [DeploymentState.STOCK, DeploymentState.DEPRECATED])
async def test_the_gate_does_not_refuse_a_temporary_status(writer: Writer, state: DeploymentState) -> None:
    await register(writer, deployment=state)
    assert (await plan(writer, kind=Kind.COMMISSIONING)).state(START) is State.ACTIVE


async def test_overlaps_are_reported_and_allowed(writer: Writer) -> None:
    over = await plan(writer, valid_to=START + MINUTE)
    active = await plan(writer, kind=Kind.MAINTENANCE, by=ADMIN)
    planned = await plan(writer, kind=Kind.RESERVED, valid_from=IN_AN_HOUR)
    answer = await writer.run(Plan(BOOKING, wish(kind=Kind.RESERVED)))
    assert answer.live == [over, active, planned, answer.one]
    assert answer.created
    assert answer.at == START


async def test_what_is_over_is_no_overlap(writer: Writer, clock: FrozenClock) -> None:
    await plan(writer, valid_to=START + MINUTE)
    await end(writer, await plan(writer))
    clock.advance(MINUTE)
    answer = await writer.run(Plan(SENSOR, wish()))
    assert answer.live == [answer.one]


async def test_every_write_marks_its_evse_and_no_other(database: Database, writer: Writer) -> None:
    await settled(database)
    one = await plan(writer)
    assert await marked(database) == [one.evse]
    await settled(database)
    await change(writer, one, reason="car")
    assert await marked(database) == [one.evse]
    await settled(database)
    await end(writer, one)
    assert await marked(database) == [one.evse]


async def test_what_changes_nothing_marks_nothing(database: Database, writer: Writer) -> None:
    one = (await plan_by_ref(writer, "bay-7")).one
    await end(writer, over := await plan(writer))
    await settled(database)
    audited = await stored(database, "audit")
    await change(writer, one, reason=None)
    await plan_by_ref(writer, "bay-7")
    await end(writer, over)
    assert await marked(database) == []
    assert await stored(database, "audit") == audited


async def test_who_did_what_is_recorded(database: Database, writer: Writer) -> None:
    before = len(await stored(database, "audit"))
    one = await plan(writer)
    await change(writer, one, reason="car", by=ADMIN)
    await end(writer, one)
    said = [(row["actor"], row["action"], row["subject"]) for row in (await stored(database, "audit"))[before:]]
    subject = f"temporary status {one.id}"
    assert said == [
        ("parking-sensor", "create", subject),
        ("backend", "change", subject),
        ("parking-sensor", "end", subject),
    ]


# End


async def test_ending_is_now_and_deletes_nothing(database: Database, writer: Writer, clock: FrozenClock) -> None:
    one = await plan(writer, valid_to=IN_TWO_HOURS)
    clock.advance(HOUR)
    ended = await end(writer, one)
    assert (ended.ended_at, ended.ended_by, ended.end_reason) == (IN_AN_HOUR, "parking-sensor", "deleted")
    assert ended.interval == one.interval
    assert ended.is_active(IN_AN_HOUR - MINUTE)
    assert ended.state(IN_AN_HOUR) is State.ENDED
    (row,) = await stored(database, "temporary_status")
    assert (row["valid_to"], row["ended_at"], row["revision"]) == (IN_TWO_HOURS, IN_AN_HOUR, 2)


async def test_a_planned_one_that_is_ended_never_begins(writer: Writer) -> None:
    one = await plan(writer, valid_from=IN_AN_HOUR, valid_to=IN_TWO_HOURS)
    ended = await end(writer, one)
    assert ended.edges() == []
    assert ended.state(START) is ended.state(IN_AN_HOUR) is State.ENDED


async def test_ending_twice_is_ending_once(database: Database, writer: Writer, clock: FrozenClock) -> None:
    one = await plan(writer)
    first = await end(writer, one)
    before = await stored(database, "temporary_status")
    clock.advance(MINUTE)
    assert await end(writer, one, by=ADMIN) == first
    assert await stored(database, "temporary_status") == before


async def test_ending_what_has_run_out_changes_nothing(writer: Writer, clock: FrozenClock) -> None:
    one = await plan(writer, valid_to=START + MINUTE)
    clock.advance(MINUTE)
    assert await end(writer, one) == one


async def test_ending_what_never_was_is_refused(writer: Writer) -> None:
    with pytest.raises(TemporaryStatusNotFound):
        await writer.run(End(ADMIN, 4711))
