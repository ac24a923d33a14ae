"""How many records go into one request."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schedule.bundling import IN_TIME, Bundling

ANSWER = 0.15  #: seconds


def learnt(largest: int = 100, seconds: float = ANSWER) -> Bundling:
    bundling = Bundling(largest)
    for _ in range(100):
        bundling.took(seconds)
    return bundling


def told(bundling: Bundling, backlog: int, seconds: float = ANSWER) -> tuple[float, list[int]]:
    """Tell a backlog to a partner that takes so long for each answer; return how long it all took, and the sizes."""
    now, sizes = 0.0, []
    while backlog:
        sizes.append(min(bundling.size(backlog, now), backlog))
        backlog -= sizes[-1]
        now += seconds
        bundling.took(seconds)
    return now, sizes


def test_what_is_told_in_time_one_by_one_is_told_one_by_one() -> None:
    assert set(told(learnt(), int(IN_TIME / ANSWER) - 1)[1]) == {1}


def test_two_thousand_at_once_are_told_in_time() -> None:
    took, sizes = told(learnt(), 2000)
    assert took <= IN_TIME + ANSWER
    assert max(sizes) <= 11  # and in bundles no larger than it takes


@given(backlog=st.integers(1, 20_000), seconds=st.floats(0.005, 1.0))
def test_no_bundle_is_larger_than_it_may_be_and_all_is_told_in_time_if_it_can_be(backlog: int, seconds: float) -> None:
    took, sizes = told(learnt(100, seconds), backlog, seconds)
    assert 1 <= min(sizes) <= max(sizes) <= 100
    assert took <= max(IN_TIME, math.ceil(backlog / 100) * seconds) + 3 + 2 * seconds


def test_where_only_one_may_go_in_a_request_only_one_does() -> None:
    assert set(told(learnt(1), 3000)[1]) == {1}


def test_it_goes_back_to_one_by_one_when_the_backlog_is_told() -> None:
    bundling = learnt()
    assert bundling.size(2000, 0.0) > 1
    bundling.idle()
    assert bundling.size(10, 6.0) == 1


def test_a_bundle_that_was_refused_is_followed_by_one_of_half_its_size_until_one_is_taken() -> None:
    bundling = learnt()
    assert bundling.size(100_000, 0.0) == 100
    bundling.was_refused(100)
    assert bundling.size(100_000, 1.0) == 50
    bundling.was_refused(50)
    assert bundling.size(100_000, 2.0) == 25
    bundling.was_taken()
    assert bundling.size(100_000, 3.0) == 50
    for _ in range(5):
        bundling.was_taken()
    assert bundling.size(100_000, 4.0) == 100


@pytest.mark.parametrize("size", [1, 2])
def test_there_is_always_one(size: int) -> None:
    bundling = learnt()
    bundling.was_refused(size)
    assert bundling.size(100_000, 0.0) == 1


def test_from_enough_on_it_makes_no_difference_how_large_the_backlog_is() -> None:
    bundling = learnt()
    assert bundling.size(bundling.enough, 0.0) == learnt().size(10**9, 0.0) == 100
