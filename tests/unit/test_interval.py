from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import EmptyInterval
from app.domain.interval import Interval, before
from tests.unit.builders import at

MILLISECOND = timedelta(milliseconds=1)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    begin = draw(st.integers(0, 10))
    length = draw(st.none() | st.integers(1, 10))
    return Interval(at(begin), None if length is None else at(begin + length))


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        pytest.param(at(10) - MILLISECOND, False, id="just before it begins"),
        pytest.param(at(10), True, id="as it begins"),
        pytest.param(at(15), True, id="in the middle"),
        pytest.param(at(20) - MILLISECOND, True, id="just before it ends"),
        pytest.param(at(20), False, id="as it ends"),
        pytest.param(at(21), False, id="afterwards"),
    ],
)
def test_an_interval_is_half_open(instant: datetime, inside: bool) -> None:
    assert (instant in Interval(at(10), at(20))) is inside


def test_an_open_end_has_a_begin_but_is_never_over() -> None:
    open_ended = Interval(at(10))

    assert at(10) - MILLISECOND not in open_ended
    assert at(10) in open_ended
    assert at(10_000_000) in open_ended


def test_the_shortest_interval_lasts_one_millisecond() -> None:
    shortest = Interval(at(10), at(10) + MILLISECOND)

    assert at(10) in shortest
    assert at(10) + MILLISECOND not in shortest


@pytest.mark.parametrize("end", [pytest.param(10, id="as it begins"), pytest.param(9, id="before it begins")])
def test_an_interval_without_any_time_is_refused(end: float) -> None:
    with pytest.raises(EmptyInterval) as refusal:
        Interval(at(10), at(end))

    assert refusal.value.field == "validTo"


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        pytest.param((0, 10), (10, 20), False, id="back to back"),
        pytest.param((0, 10), (9, 20), True, id="one shared minute"),
        pytest.param((0, 10), (11, 20), False, id="apart"),
        pytest.param((0, 30), (10, 20), True, id="one inside the other"),
        pytest.param((0, 10), (0, 10), True, id="the same"),
        pytest.param((0, None), (10, 20), True, id="open end reaches the later one"),
        pytest.param((20, None), (10, 20), False, id="open end begins as the other ends"),
        pytest.param((0, None), (100, None), True, id="two open ends"),
    ],
)
def test_two_intervals_overlap_when_they_share_an_instant(
    one: tuple[int, int | None], other: tuple[int, int | None], overlap: bool
) -> None:
    first, second = (Interval(at(begin), None if end is None else at(end)) for begin, end in (one, other))

    assert first.overlaps(second) is overlap
    assert second.overlaps(first) is overlap


@given(one=intervals(), other=intervals())
def test_overlapping_means_that_some_minute_lies_in_both(one: Interval, other: Interval) -> None:
    share_a_minute = any(at(minute) in one and at(minute) in other for minute in range(25))

    assert one.overlaps(other) is share_a_minute


@given(one=intervals(), minute=st.integers(-1, 25))
def test_every_instant_is_ahead_of_inside_or_past_an_interval(one: Interval, minute: int) -> None:
    ahead, past = at(minute) < one.begin, not before(at(minute), one.end)

    assert [ahead, at(minute) in one, past].count(True) == 1


def test_an_unknown_end_comes_after_everything() -> None:
    assert before(at(10_000_000), None)
    assert before(at(9), at(10))
    assert not before(at(10), at(10))
