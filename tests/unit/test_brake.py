"""When the brake on the blast radius takes hold: more than a handful and more than a share, within minutes."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.brake import Brake, Braked, Group, groups_of
from app.domain.scope import Scope
from tests.clock import START
from tests.unit.builders import evse

SITE = Group(site=("DE", "ABC", "LOC1"))
OPERATOR = Group(operator="DEABC")
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("group", "evses", "most"),
    [
        (SITE, 0, 5),
        (SITE, 4, 5),  # a small site may be overridden whole
        (SITE, 11, 5),
        (SITE, 12, 6),
        (SITE, 100, 50),
        (OPERATOR, 25, 5),
        (OPERATOR, 30, 6),
        (OPERATOR, 1000, 200),
    ],
)
def test_a_handful_is_let_through_and_beyond_it_a_share(group: Group, evses: int, most: int) -> None:
    assert Brake().most(group, evses) == most


@given(share=st.floats(0.01, 1), size=st.integers(0, 10_000), handful=st.integers(1, 20))
def test_whoever_is_let_through_is_few_or_a_small_share(share: float, size: int, handful: int) -> None:
    most = Brake(site_share=share, handful=handful).most(SITE, size)
    assert most <= handful or most <= share * size
    assert most + 1 > share * size
    assert most + 1 > handful


@pytest.mark.parametrize(
    ("own", "most", "at_fault"),
    [(5, 5, False), (6, 5, True), (6, 23, True), (6, 24, False), (50, 200, False), (51, 200, True)],
)
def test_at_fault_is_who_has_more_than_a_handful_and_a_quarter_of_it(own: int, most: int, at_fault: bool) -> None:
    assert Brake().is_at_fault(own, most) is at_fault


def test_what_begins_within_minutes_before_or_after_is_counted_together() -> None:
    hair = timedelta(milliseconds=1)
    near = [START - 5 * MINUTE, START - 5 * MINUTE - hair, START + 5 * MINUTE, START + 5 * MINUTE + hair, START]
    assert [Brake().is_near(one, START) for one in near] == [True, False, True, False, True]


def test_an_evse_belongs_to_its_site_and_to_its_operator() -> None:
    assert groups_of(evse(location="LOC1")) == [SITE, OPERATOR]
    assert groups_of(evse(location=None)) == [OPERATOR]
    assert [group.scope for group in (SITE, OPERATOR)] == [
        Scope(sites=(("DE", "ABC", "LOC1"),)),
        Scope(operators=("DEABC",)),
    ]
    assert [group.name for group in (SITE, OPERATOR)] == ["site DE/ABC/LOC1", "operator DE*ABC"]


def test_what_a_clock_left_behind_that_was_ahead_neither_holds_nor_lifts_once_it_is_put_right() -> None:
    ahead = START + timedelta(days=365)
    tripped = Braked(group=SITE).tripped(ahead, "sensor", 6, 10, 60 * MINUTE)
    lifted = Braked(group=SITE).lifted("noc", ahead + 60 * MINUTE)
    assert tripped.holds_back("sensor", ahead)
    assert tripped.holds_back("sensor", ahead - MINUTE), "a small step back does not let go"
    assert lifted.is_lifted(ahead - MINUTE)
    assert not tripped.holds_back("sensor", START)
    assert not lifted.is_lifted(START)
    assert Braked(group=SITE).lifted("noc", START + timedelta(days=1)).is_lifted(START)


def test_it_holds_until_it_lets_go_by_itself_or_is_lifted_and_counts_anew_afterwards() -> None:
    tripped = Braked(group=SITE).tripped(START, "sensor", 6, 10, 60 * MINUTE)
    assert tripped.holds_back("sensor", START)
    assert tripped.holds_back("sensor", START + 60 * MINUTE - timedelta(milliseconds=1))
    assert not tripped.holds_back("sensor", START + 60 * MINUTE)
    assert tripped.refused_again().refused == 2
    lifted = tripped.lifted("noc", START + 10 * MINUTE)
    assert lifted.is_lifted(START)
    assert not lifted.holds_back("sensor", START)
    assert not lifted.is_lifted(START + 10 * MINUTE)
    assert not tripped.holds_back("other", START)
    both = tripped.tripped(START + MINUTE, "other", 7, 10, 60 * MINUTE)
    assert sorted(both.holding(START + MINUTE)) == ["other", "sensor"]
    assert sorted(both.holding(START + 60 * MINUTE)) == ["other"]
    assert both.holds_until(START + MINUTE) == START + 61 * MINUTE
    again = lifted.tripped(START + 11 * MINUTE, "other", 7, 10, 60 * MINUTE)
    assert (again.refused, again.tripped_by, again.lifted_until, again.lifted_by) == (1, "other", None, None)
