from collections.abc import Callable
from time import perf_counter

import pytest

from app.domain.presentation import Actual, next_boundary, present
from app.domain.status import ActualStatus, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from tests.unit.builders import at, temporary_status

GENEROUS = 40  #: times as long for ten times as many; a quadratic one would need a hundred


def back_to_back(count: int) -> list[TemporaryStatus]:
    return [temporary_status(1 + n, 2 + n, number=n) for n in range(count)]


def ever_stronger(count: int) -> list[TemporaryStatus]:
    """Each begins later and outranks all before it."""
    return [temporary_status(1 + n, 20_000 + n, number=n) for n in range(count)]


def nested_and_hidden(count: int) -> list[TemporaryStatus]:
    """One covers thousands of weaker ones, none of which changes the answer."""
    hidden = [temporary_status(1 + n, 2 + n, number=n, kind=Kind.RESERVED) for n in range(count)]
    return [temporary_status(0, None, number=count, kind=Kind.MAINTENANCE), *hidden]


def seconds(rows: list[TemporaryStatus]) -> float:
    actual = Actual(ActualStatus.CHARGING, at(30))

    def once() -> float:
        begun = perf_counter()
        present(DeploymentState.PRODUCTION, actual, rows, at(0))
        next_boundary(actual, rows, at(0))
        return perf_counter() - begun

    return min(once() for _ in range(7))


@pytest.mark.parametrize("plan", [back_to_back, ever_stronger, nested_and_hidden], ids=lambda plan: plan.__name__)
def test_ten_times_as_many_windows_take_about_ten_times_as_long(
    plan: Callable[[int], list[TemporaryStatus]],
) -> None:
    few, many = plan(500), plan(5_000)

    assert seconds(many) < GENEROUS * seconds(few)
