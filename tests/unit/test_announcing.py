"""What is announced: what will be shown from when to when, as far as it is known today."""

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.announcing import HORIZON, MOST, Announced, announced, next_announcement
from app.domain.presentation import Actual, next_boundary, present
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from tests.unit.builders import at, temporary_status

FREE = Actual(ActualStatus.AVAILABLE)
DAYS = 24 * 60  #: minutes


def ahead(*temporary: TemporaryStatus, minute: float = 0, actual: Actual = FREE) -> tuple[Announced, ...]:
    return announced(DeploymentState.PRODUCTION, actual, temporary, at(minute))


def stretch(kind: Kind, begin: float, end: float | None) -> Announced:
    return Announced(kind, at(begin), None if end is None else at(end))


def test_nothing_planned_is_nothing_announced() -> None:
    assert ahead() == ()


def test_what_is_planned_is_announced_with_its_end_and_what_is_open_without() -> None:
    assert ahead(temporary_status(10, 20), temporary_status(30, None, kind=Kind.RESERVED)) == (
        stretch(Kind.BLOCKED, 10, 20),
        stretch(Kind.RESERVED, 30, None),
    )


def test_what_is_active_stays_announced_until_it_ends_as_only_there_a_partner_can_read_until_when() -> None:
    one = temporary_status(-10, 20)
    for minute in (-10, 0, 19.99):
        assert ahead(one, minute=minute) == (stretch(Kind.BLOCKED, -10, 20),)
    assert ahead(one, minute=20) == ()


def test_the_stronger_is_announced_over_the_weaker_which_is_there_again_afterwards() -> None:
    weak, strong = temporary_status(0, 60, kind=Kind.RESERVED), temporary_status(20, 30, kind=Kind.MAINTENANCE)
    assert ahead(weak, strong) == (
        stretch(Kind.RESERVED, 0, 20),
        stretch(Kind.MAINTENANCE, 20, 30),
        stretch(Kind.RESERVED, 30, 60),
    )


def test_two_of_one_kind_that_touch_are_one_stretch_also_where_the_first_is_over() -> None:
    one, two, other = temporary_status(-20, 10), temporary_status(10, 20), temporary_status(15, 40)
    assert ahead(one, two, other) == (stretch(Kind.BLOCKED, -20, 40),)
    begun = temporary_status(-20, None), temporary_status(-10, 30)
    assert ahead(*begun) == (stretch(Kind.BLOCKED, -20, None),)


def test_what_was_ended_early_is_announced_no_further() -> None:
    assert ahead(temporary_status(-10, 60, ended_at=0)) == ()
    assert ahead(temporary_status(10, 60, ended_at=0)) == (), "and what was ended before it began, not at all"


def test_behind_the_gate_nothing_is_announced() -> None:
    for state in (DeploymentState.STOCK, DeploymentState.DEPRECATED):
        assert announced(state, FREE, [temporary_status(10, 20)], at(0)) == ()


def test_one_for_an_idle_charger_is_announced_while_it_shows_and_never_ahead() -> None:
    one = temporary_status(10, 20, applies_when=AppliesWhen.IDLE)
    assert ahead(one) == ()
    assert ahead(one, minute=15) == (stretch(Kind.BLOCKED, 10, 20),)
    assert ahead(one, minute=15, actual=Actual(ActualStatus.CHARGING)) == ()


def test_it_is_announced_from_when_it_is_near_enough() -> None:
    far = temporary_status(31 * DAYS, 40 * DAYS)
    near = 31 * DAYS - HORIZON / timedelta(minutes=1)
    assert ahead(far, minute=near - 0.01) == ()
    assert ahead(far, minute=near) == (stretch(Kind.BLOCKED, 31 * DAYS, 40 * DAYS),)
    assert next_announcement([far], at(0)) == at(near)
    assert next_announcement([far], at(near)) is None


def test_no_more_than_so_many_are_announced_and_the_next_follows_when_the_first_is_over() -> None:
    many = [temporary_status(10 * number, 10 * number + 5, number=number) for number in range(1, MOST + 3)]
    said = ahead(*many)
    assert len(said) == MOST
    assert said[0] == stretch(Kind.BLOCKED, 10, 15)
    assert ahead(*many, minute=15)[-1] == stretch(Kind.BLOCKED, 10 * (MOST + 1), 10 * (MOST + 1) + 5)


def test_a_calendar_of_thousands_takes_no_longer_than_it_must() -> None:
    """Not by the clock: what ends the search is that enough was found."""
    many = [temporary_status(10 * number, 10 * number + 5, number=number) for number in range(1, 4000)]
    assert len(ahead(*many)) == MOST


windows = st.lists(
    st.tuples(
        st.integers(-30, 30),
        st.one_of(st.none(), st.integers(1, 40)),
        st.sampled_from(Kind),
        st.sampled_from(AppliesWhen),
    ),
    max_size=7,
)
actuals = st.sampled_from([ActualStatus.AVAILABLE, ActualStatus.CHARGING]).map(Actual)


def planned(drawn: list[tuple[int, int | None, Kind, AppliesWhen]]) -> list[TemporaryStatus]:
    return [
        temporary_status(begin, None if length is None else begin + length, kind=kind, applies_when=when, number=number)
        for number, (begin, length, kind, when) in enumerate(drawn)
    ]


@given(drawn=windows, minute=st.integers(-40, 40), actual=actuals)
def test_it_is_sorted_never_two_at_once_and_never_over(
    drawn: list[tuple[int, int | None, Kind, AppliesWhen]], minute: int, actual: Actual
) -> None:
    said = ahead(*planned(drawn), minute=minute, actual=actual)
    for one in said:
        assert one.end is None or (one.end > one.begin and one.end > at(minute))
    for one, two in itertools.pairwise(said):
        assert one.end is not None
        assert one.end <= two.begin
        assert (one.end, one.kind) != (two.begin, two.kind), "these are one stretch"


@given(drawn=windows, minute=st.integers(-40, 40), later=st.integers(0, 100))
def test_it_comes_as_it_was_announced_unless_somebody_does_something(
    drawn: list[tuple[int, int | None, Kind, AppliesWhen]], minute: int, later: int
) -> None:
    temporary = [one for one in planned(drawn) if one.applies_when is AppliesWhen.ALWAYS]
    moment = at(minute + later)
    shown = present(DeploymentState.PRODUCTION, FREE, temporary, moment).what
    assert shown == next((one.kind for one in ahead(*temporary, minute=minute) if _holds(one, moment)), FREE.status)


@given(drawn=windows, minute=st.integers(-40, 40), actual=actuals)
def test_between_boundaries_nothing_else_is_announced(
    drawn: list[tuple[int, int | None, Kind, AppliesWhen]], minute: int, actual: Actual
) -> None:
    temporary = planned(drawn)
    boundary = next_boundary(actual, temporary, at(minute))
    just_before = at(minute + 200) if boundary is None else boundary - timedelta(milliseconds=1)
    assert announced(DeploymentState.PRODUCTION, actual, temporary, just_before) == ahead(
        *temporary, minute=minute, actual=actual
    )


def _holds(one: Announced, moment: datetime) -> bool:
    return one.begin <= moment and (one.end is None or moment < one.end)


@pytest.mark.parametrize("deployment", DeploymentState)
def test_it_is_the_same_in_whatever_order_they_come(deployment: DeploymentState) -> None:
    temporary = planned([(0, 10, Kind.RESERVED, AppliesWhen.ALWAYS), (5, 10, Kind.BLOCKED, AppliesWhen.ALWAYS)])
    assert announced(deployment, FREE, temporary, at(0)) == announced(deployment, FREE, temporary[::-1], at(0))
