import itertools

import pytest

from app.domain.presentation import Actual, Gate, Presentation, next_boundary, present
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from tests.unit.builders import at, temporary_status

COMMISSIONING, MAINTENANCE, BLOCKED, RESERVED = Kind.COMMISSIONING, Kind.MAINTENANCE, Kind.BLOCKED, Kind.RESERVED
AVAILABLE, CHARGING, UNKNOWN = ActualStatus.AVAILABLE, ActualStatus.CHARGING, ActualStatus.UNKNOWN
STRONGEST_FIRST = [COMMISSIONING, MAINTENANCE, BLOCKED, RESERVED]


def shown(
    *temporary_statuses: TemporaryStatus,
    minute: float = 15,
    actual: ActualStatus = AVAILABLE,
    stale_from: float | None = None,
    deployment: DeploymentState = DeploymentState.PRODUCTION,
) -> Presentation:
    charger = Actual(actual, None if stale_from is None else at(stale_from))
    return present(deployment, charger, temporary_statuses, at(minute))


@pytest.mark.parametrize("actual", ActualStatus)
def test_with_no_temporary_status_the_charger_speaks_for_itself(actual: ActualStatus) -> None:
    answer = shown(actual=actual)

    assert answer == Presentation(actual)
    assert type(answer.what) is ActualStatus


@pytest.mark.parametrize("kind", Kind)
def test_an_active_temporary_status_is_shown_with_its_id_until_it_ends(kind: Kind) -> None:
    answer = shown(temporary_status(10, 20, number=7, kind=kind), actual=CHARGING)

    assert answer == Presentation(kind, 7, at(20))
    assert type(answer.what) is Kind


@pytest.mark.parametrize(
    ("deployment", "gate"), [(DeploymentState.STOCK, Gate.WITHHELD), (DeploymentState.DEPRECATED, Gate.REMOVED)]
)
@pytest.mark.parametrize("kind", [None, *Kind])
def test_outside_production_the_gate_answers_whatever_is_planned(
    deployment: DeploymentState, gate: Gate, kind: Kind | None
) -> None:
    planned = [] if kind is None else [temporary_status(10, 20, kind=kind)]

    assert shown(*planned, deployment=deployment, stale_from=17) == Presentation(gate)


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        pytest.param(9, Presentation(AVAILABLE, None, at(10)), id="before: the charger, until it begins"),
        pytest.param(10, Presentation(BLOCKED, 1, at(20)), id="as it begins"),
        pytest.param(19, Presentation(BLOCKED, 1, at(20)), id="until it ends"),
        pytest.param(20, Presentation(AVAILABLE), id="as it ends: the charger again"),
    ],
)
def test_a_window_is_shown_from_its_begin_up_to_its_end(minute: float, expected: Presentation) -> None:
    assert shown(temporary_status(10, 20), minute=minute) == expected


@pytest.mark.parametrize(
    ("stronger", "weaker"), [pytest.param(*pair, id=" over ".join(pair)) for pair in itertools.combinations(Kind, 2)]
)
@pytest.mark.parametrize(("strong_end", "weak_end"), [(30, 40), (40, 30), (40, 40), (30, None), (None, 30)])
def test_the_stronger_kind_is_shown_whichever_ends_later(
    stronger: Kind, weaker: Kind, strong_end: float | None, weak_end: float | None
) -> None:
    strong = temporary_status(10, strong_end, number=2, kind=stronger)
    weak = temporary_status(10, weak_end, number=1, kind=weaker)

    answer = shown(weak, strong)

    assert STRONGEST_FIRST.index(stronger) < STRONGEST_FIRST.index(weaker)
    assert (answer.what, answer.because) == (stronger, 2)


@pytest.mark.parametrize(
    ("first_end", "second_end", "because"),
    [
        pytest.param(30, 40, 2, id="the later end"),
        pytest.param(40, 30, 1, id="the later end, the other way round"),
        pytest.param(40, None, 2, id="an open end is the latest"),
        pytest.param(None, 40, 1, id="an open end is the latest, the other way round"),
        pytest.param(40, 40, 1, id="the same end: the lowest id"),
        pytest.param(None, None, 1, id="two open ends: the lowest id"),
        pytest.param(40, 40 + 1 / 60_000, 2, id="a millisecond decides"),
    ],
)
def test_within_a_kind_the_latest_ending_is_shown_then_the_lowest_id(
    first_end: float | None, second_end: float | None, because: int
) -> None:
    one, two = temporary_status(10, first_end, number=1), temporary_status(5, second_end, number=2)

    assert shown(one, two).because == because
    assert shown(two, one).because == because


@pytest.mark.parametrize("actual", ActualStatus)
def test_an_idle_one_shows_only_while_the_charger_is_available_or_unknown(actual: ActualStatus) -> None:
    sensor = temporary_status(10, 20, applies_when=AppliesWhen.IDLE)
    expected = Presentation(BLOCKED, 1, at(20)) if actual in {AVAILABLE, UNKNOWN} else Presentation(actual)

    assert shown(sensor, actual=actual) == expected


def test_an_idle_one_that_does_not_apply_lets_a_weaker_one_through() -> None:
    sensor = temporary_status(10, 20, number=1, applies_when=AppliesWhen.IDLE)
    booking = temporary_status(10, 30, number=2, kind=RESERVED)

    assert shown(sensor, booking, actual=AVAILABLE) == Presentation(BLOCKED, 1, at(20))
    assert shown(sensor, booking, actual=CHARGING) == Presentation(RESERVED, 2, at(30))


def test_back_to_back_windows_change_places_without_a_gap() -> None:
    first, second = temporary_status(10, 20, number=1), temporary_status(20, 30, number=2)

    assert shown(first, second, minute=19) == Presentation(BLOCKED, 1, at(20))
    assert shown(first, second, minute=20) == Presentation(BLOCKED, 2, at(30))


def test_when_the_stronger_ends_the_next_strongest_of_that_moment_shows_not_what_was_before() -> None:
    booking = temporary_status(0, 20, number=1, kind=RESERVED)
    maintenance = temporary_status(10, 30, number=2, kind=MAINTENANCE)
    sensor = temporary_status(15, 40, number=3, kind=BLOCKED)
    rows = (booking, maintenance, sensor)

    assert shown(*rows, minute=5) == Presentation(RESERVED, 1, at(10))
    assert shown(*rows, minute=10) == Presentation(MAINTENANCE, 2, at(30))
    assert shown(*rows, minute=30) == Presentation(BLOCKED, 3, at(40))


def test_when_all_have_ended_the_charger_shows_as_it_is_at_that_moment() -> None:
    maintenance = temporary_status(10, 20, kind=MAINTENANCE)

    assert shown(maintenance, minute=15, actual=AVAILABLE).what is MAINTENANCE
    assert shown(maintenance, minute=20, actual=CHARGING) == Presentation(CHARGING)


def test_a_weaker_one_that_comes_and_goes_meanwhile_changes_nothing() -> None:
    maintenance = temporary_status(10, 40, number=1, kind=MAINTENANCE)
    hidden = temporary_status(20, 30, number=2, kind=RESERVED)

    assert shown(maintenance, hidden) == Presentation(MAINTENANCE, 1, at(40))
    assert next_boundary(Actual(AVAILABLE), [maintenance, hidden], at(15)) == at(20)


def test_a_later_ending_one_of_the_same_kind_takes_over_as_it_begins() -> None:
    first, longer = temporary_status(10, 30, number=1), temporary_status(20, 40, number=2)

    assert shown(first, longer, minute=15) == Presentation(BLOCKED, 1, at(20))
    assert shown(first, longer, minute=20) == Presentation(BLOCKED, 2, at(40))


def test_one_that_was_ended_early_is_shown_until_then_and_its_asked_end_is_no_boundary() -> None:
    ended_early = temporary_status(10, 40, ended_at=20)

    assert shown(ended_early, minute=15) == Presentation(BLOCKED, 1, at(20))
    assert shown(ended_early, minute=20) == Presentation(AVAILABLE)
    assert next_boundary(Actual(AVAILABLE), [ended_early], at(20)) is None


@pytest.mark.parametrize("end", [pytest.param(40, id="with an end"), pytest.param(None, id="open end")])
def test_one_that_was_ended_before_it_began_is_neither_shown_nor_waited_for(end: float | None) -> None:
    never = temporary_status(20, end, ended_at=10)

    assert shown(never, minute=5) == shown(never, minute=25) == Presentation(AVAILABLE)
    assert next_boundary(Actual(AVAILABLE), [never], at(5)) is None


def test_an_open_end_is_shown_until_somebody_ends_it() -> None:
    assert shown(temporary_status(10, None)) == Presentation(BLOCKED, 1, None)


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        pytest.param(15, Presentation(CHARGING, None, at(20)), id="fresh"),
        pytest.param(20, Presentation(UNKNOWN), id="stale at that instant"),
        pytest.param(25, Presentation(UNKNOWN), id="stale ever after"),
    ],
)
def test_a_silent_charger_becomes_unknown(minute: float, expected: Presentation) -> None:
    assert shown(minute=minute, actual=CHARGING, stale_from=20) == expected


def test_a_charger_that_is_unknown_already_does_not_change_when_it_goes_stale() -> None:
    assert shown(temporary_status(30, 40), actual=UNKNOWN, stale_from=20) == Presentation(UNKNOWN, None, at(30))


def test_going_stale_behind_a_temporary_status_changes_nothing() -> None:
    assert shown(temporary_status(10, 40), actual=CHARGING, stale_from=20) == Presentation(BLOCKED, 1, at(40))


def test_going_stale_behind_a_temporary_status_without_end_changes_nothing_ever() -> None:
    assert shown(temporary_status(10, None), actual=CHARGING, stale_from=20) == Presentation(BLOCKED, 1, None)


def test_going_stale_lets_an_idle_one_through() -> None:
    sensor = temporary_status(10, 40, applies_when=AppliesWhen.IDLE)

    assert shown(sensor, actual=CHARGING, stale_from=20) == Presentation(CHARGING, None, at(20))
    assert shown(sensor, minute=20, actual=CHARGING, stale_from=20) == Presentation(BLOCKED, 1, at(40))


def test_going_stale_lets_an_idle_one_over_a_weaker_one() -> None:
    sensor = temporary_status(10, 40, number=1, applies_when=AppliesWhen.IDLE)
    booking = temporary_status(10, 50, number=2, kind=RESERVED)

    assert shown(sensor, booking, actual=CHARGING, stale_from=20) == Presentation(RESERVED, 2, at(20))


def test_blocked_by_a_temporary_status_and_blocked_by_the_charger_are_told_apart() -> None:
    by_hand, by_charger = shown(temporary_status(10, 20)), shown(actual=ActualStatus.BLOCKED)

    assert (type(by_hand.what), by_hand.because) == (Kind, 1)
    assert (type(by_charger.what), by_charger.because) == (ActualStatus, None)


def test_going_stale_is_a_boundary_and_what_lies_behind_is_none() -> None:
    boundary_after = [next_boundary(Actual(CHARGING, at(20)), [temporary_status(10, 30)], at(m)) for m in (9, 10, 20)]

    assert boundary_after == [at(10), at(20), at(30)]
    assert next_boundary(Actual(CHARGING, at(20)), [temporary_status(10, 30)], at(30)) is None
