from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.interval import Interval
from app.domain.status import AppliesWhen, Kind
from app.domain.temporary_status import State, TemporaryStatus
from tests.unit.builders import at, temporary_status

PLANNED, ACTIVE, ENDED = State.PLANNED, State.ACTIVE, State.ENDED
JUST_BEFORE = -1 / 60_000  #: minutes: one millisecond

CLOSED = temporary_status(10, 20)
OPEN = temporary_status(10, None)
ENDED_MIDWAY = temporary_status(10, 20, ended_at=15)
ENDED_OPEN = temporary_status(10, None, ended_at=15)
ENDED_AS_IT_BEGAN = temporary_status(10, 20, ended_at=10)
ENDED_BEFORE_IT_BEGAN = temporary_status(10, 20, ended_at=5)
ENDED_OPEN_BEFORE_IT_BEGAN = temporary_status(10, None, ended_at=5)
ENDED_AS_IT_WAS_OVER = temporary_status(10, 20, ended_at=20)
ENDED_LATE = temporary_status(10, 20, ended_at=25)


@pytest.mark.parametrize(
    ("one", "minute", "state"),
    [
        pytest.param(CLOSED, 10 + JUST_BEFORE, PLANNED, id="planned until it begins"),
        pytest.param(CLOSED, 10, ACTIVE, id="active as it begins"),
        pytest.param(CLOSED, 20 + JUST_BEFORE, ACTIVE, id="active until it ends"),
        pytest.param(CLOSED, 20, ENDED, id="ended as it ends"),
        pytest.param(CLOSED, 99, ENDED, id="ended ever after"),
        pytest.param(OPEN, 10 + JUST_BEFORE, PLANNED, id="open end: planned until it begins"),
        pytest.param(OPEN, 10, ACTIVE, id="open end: active as it begins"),
        pytest.param(OPEN, 10_000_000, ACTIVE, id="open end: active ever after"),
        pytest.param(ENDED_MIDWAY, 10, ACTIVE, id="ended midway: was active before"),
        pytest.param(ENDED_MIDWAY, 15 + JUST_BEFORE, ACTIVE, id="ended midway: active until then"),
        pytest.param(ENDED_MIDWAY, 15, ENDED, id="ended midway: ended at that instant"),
        pytest.param(ENDED_MIDWAY, 20, ENDED, id="ended midway: ended at its asked end too"),
        pytest.param(ENDED_OPEN, 15 + JUST_BEFORE, ACTIVE, id="open end, ended: active until then"),
        pytest.param(ENDED_OPEN, 15, ENDED, id="open end, ended: ended at that instant"),
        pytest.param(ENDED_AS_IT_BEGAN, 10, ENDED, id="ended as it began: never active"),
        pytest.param(ENDED_AS_IT_BEGAN, 15, ENDED, id="ended as it began: ended ever after"),
        pytest.param(ENDED_BEFORE_IT_BEGAN, 5, ENDED, id="ended before it began: ended at once"),
        pytest.param(ENDED_BEFORE_IT_BEGAN, 10, ENDED, id="ended before it began: never active"),
        pytest.param(ENDED_BEFORE_IT_BEGAN, 20, ENDED, id="ended before it began: ended ever after"),
        pytest.param(ENDED_OPEN_BEFORE_IT_BEGAN, 10, ENDED, id="open end, ended before it began: never active"),
        pytest.param(ENDED_AS_IT_WAS_OVER, 20 + JUST_BEFORE, ACTIVE, id="ended as it was over: active until then"),
        pytest.param(ENDED_AS_IT_WAS_OVER, 20, ENDED, id="ended as it was over: ended"),
        pytest.param(ENDED_LATE, 20 + JUST_BEFORE, ACTIVE, id="ended late: active until its asked end"),
        pytest.param(ENDED_LATE, 20, ENDED, id="ended late: its asked end counts"),
    ],
)
def test_where_it_stands_is_derived_from_the_clock(one: TemporaryStatus, minute: float, state: State) -> None:
    assert one.state(at(minute)) is state
    assert one.is_active(at(minute)) is (state is ACTIVE)
    assert one.is_over(at(minute)) is (state is ENDED)


@pytest.mark.parametrize(
    ("one", "edges"),
    [
        pytest.param(CLOSED, [10, 20], id="begin and end"),
        pytest.param(OPEN, [10], id="open end"),
        pytest.param(ENDED_MIDWAY, [10, 15], id="ended midway"),
        pytest.param(ENDED_OPEN, [10, 15], id="open end, ended"),
        pytest.param(ENDED_AS_IT_BEGAN, [], id="ended as it began"),
        pytest.param(ENDED_BEFORE_IT_BEGAN, [], id="ended before it began"),
        pytest.param(ENDED_OPEN_BEFORE_IT_BEGAN, [], id="open end, ended before it began"),
        pytest.param(ENDED_AS_IT_WAS_OVER, [10, 20], id="ended as it was over"),
        pytest.param(ENDED_LATE, [10, 20], id="ended after it was over"),
    ],
)
def test_its_edges_are_where_it_begins_and_stops_to_be_in_effect(one: TemporaryStatus, edges: list[int]) -> None:
    assert one.edges() == [at(minute) for minute in edges]


def test_the_words_for_where_it_stands_are_those_of_the_api() -> None:
    assert {state.value for state in State} == {"planned", "active", "ended"}


def test_one_that_was_only_asked_for_applies_always_and_is_in_its_first_revision() -> None:
    plain = TemporaryStatus(
        id=1,
        evse=1,
        kind=Kind.BLOCKED,
        interval=Interval(at(0)),
        created_by="the-key",
        created_at=at(0),
        updated_at=at(0),
    )

    assert (plain.applies_when, plain.revision, plain.ended_at) == (AppliesWhen.ALWAYS, 1, None)


def test_a_window_is_active_at_the_instant_it_begins() -> None:
    assert temporary_status(10, 20).is_active(at(10))


def test_a_window_is_over_at_the_instant_it_ends() -> None:
    assert not temporary_status(10, 20).is_active(at(20))


def test_a_window_of_one_millisecond_is_active_for_one_millisecond() -> None:
    blink = temporary_status(10, 10 - JUST_BEFORE)

    assert blink.interval.end == at(10) + timedelta(milliseconds=1)
    assert [blink.state(at(10) + timedelta(milliseconds=step)) for step in (-1, 0, 1)] == [PLANNED, ACTIVE, ENDED]


@given(
    begin=st.integers(0, 8),
    length=st.none() | st.integers(1, 8),
    ended_at=st.none() | st.integers(0, 20),
    minute=st.integers(-1, 25),
)
def test_it_is_active_exactly_between_its_edges_and_moves_only_forward(
    begin: int, length: int | None, ended_at: int | None, minute: int
) -> None:
    one = temporary_status(begin, None if length is None else begin + length, ended_at=ended_at)
    begun = [edge for edge in one.edges() if edge <= at(minute)]

    assert one.is_active(at(minute)) is (len(begun) == 1)
    assert one.is_over(at(minute)) is (not one.edges() or len(begun) == 2)
    order = [PLANNED, ACTIVE, ENDED]
    assert order.index(one.state(at(minute))) <= order.index(one.state(at(minute + 1)))
