"""What limits a key: how many at once are counted by hand, and from where it may be called."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import MalformedValue
from app.domain.interval import Interval
from app.domain.rights import UNLIMITED, Rights, network_of, peak
from app.domain.scope import Scope
from app.domain.status import Kind
from tests.unit.builders import at

# How many at once


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    begin = draw(st.integers(0, 8))
    length = draw(st.none() | st.integers(1, 5))
    return Interval(at(begin), None if length is None else at(begin + length))


@given(st.lists(intervals(), max_size=8), intervals())
def test_the_peak_is_what_is_counted_at_every_edge(others: list[Interval], one: Interval):
    edges = [one.begin, *(other.begin for other in others if other.begin in one)]
    assert peak(others, one) == max(sum(edge in other for other in others) for edge in edges)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], 0),
        ([(0, 10), (20, 30)], 0),
        ([(0, 11), (19, 30)], 1),
        ([(0, 15), (15, 30)], 1),  # back to back: they share no instant
        ([(0, 16), (15, 30)], 2),
        ([(0, None), (12, None), (5, 12)], 2),
        ([(11, 12), (13, 14), (15, 16)], 1),
    ],
)
def test_only_what_shares_an_instant_counts_together(others: list[Any], expected: int):
    within = Interval(at(10), at(20))
    assert peak([Interval(at(begin), None if end is None else at(end)) for begin, end in others], within) == expected


# From where


@pytest.mark.parametrize(
    ("networks", "address", "good"),
    [
        ((), "192.0.2.1", True),
        ((), None, True),
        (("192.0.2.0/24",), "192.0.2.0", True),
        (("192.0.2.0/24",), "192.0.2.255", True),
        (("192.0.2.0/24",), "192.0.3.0", False),
        (("192.0.2.0/24",), "192.0.1.255", False),
        (("192.0.2.7",), "192.0.2.7", True),
        (("192.0.2.7",), "192.0.2.70", False),
        (("192.0.2.0/24",), "::ffff:192.0.2.1", True),
        (("192.0.2.0/24",), "::ffff:192.0.3.1", False),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("2001:db8::/32",), "192.0.2.1", False),
        (("192.0.2.0/24", "2001:db8::/32"), "2001:db8::1", True),
        (("192.0.2.0/24",), None, False),
        (("192.0.2.0/24",), "", False),
        (("0.0.0.0/0",), "localhost", False),
        (("192.0.2.0/24",), "192.0.2.1\n", False),
        (("192.0.2.0/24",), "192.0.2.\uff11", False),
    ],
)
def test_a_call_may_come_from_these_networks_only(networks: tuple[str, ...], address: str | None, good: bool):
    assert Rights(networks=networks).allows_from(address) is good


@pytest.mark.parametrize("text", ["", "192.0.2.1/24", "192.0.2.0/33", "192.0.2", "example.com", "192.0.2.0/24\n"])
def test_a_network_that_says_two_things_or_nothing_is_refused(text: str):
    with pytest.raises(MalformedValue) as refusal:
        network_of(text)
    assert refusal.value.field == "networks"


# Which include which

ABC = Scope(operators=("DEABC",))
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"scope": ABC}, {}),
        ({"kinds": ()}, {"kinds": (Kind.BLOCKED,)}),
        ({"kinds": (Kind.BLOCKED,)}, {}),
        ({"longest": MINUTE}, {"longest": 2 * MINUTE}),
        ({"longest": MINUTE}, {}),
        ({"furthest": MINUTE}, {"furthest": 2 * MINUTE}),
        ({"furthest": MINUTE}, {}),
        ({"most_active": 0}, {"most_active": 1}),
        ({"most_active": 1}, {}),
        ({"open_ended": False}, {}),
    ],
)
def test_rights_include_lesser_ones_and_no_greater_ones(less: Any, more: Any):
    for one in (less, more):
        assert Rights(**one).includes(Rights(**one))
    assert Rights(**more).includes(Rights(**less))
    assert not Rights(**less).includes(Rights(**more))


def test_rights_that_are_less_in_one_thing_and_more_in_another_include_each_other_not():
    short, few = Rights(longest=MINUTE), Rights(most_active=1)
    for ours, theirs in product((short, few), (short, few)):
        assert ours.includes(theirs) is (ours == theirs)
    assert UNLIMITED.includes(short)
