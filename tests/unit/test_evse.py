from datetime import timedelta

import pytest

from app.domain.evse import Evse
from app.domain.presentation import Actual
from app.domain.status import ActualStatus, DeploymentState
from tests.unit.builders import at, evse

MAX_AGE = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("minute", "believed"),
    [
        pytest.param(10, ActualStatus.CHARGING, id="just seen"),
        pytest.param(20 - 1 / 60_000, ActualStatus.CHARGING, id="a millisecond before the age"),
        pytest.param(20, ActualStatus.UNKNOWN, id="at the age"),
    ],
)
def test_what_the_charger_does_is_believed_for_the_maximum_age(minute: float, believed: ActualStatus) -> None:
    charger = evse(actual_status=ActualStatus.CHARGING, observed_at=at(10))

    assert charger.actual(MAX_AGE).at(at(minute)) is believed


def test_without_a_maximum_age_it_is_believed_for_ever() -> None:
    charger = evse(actual_status=ActualStatus.CHARGING, observed_at=at(10))

    assert charger.actual(None).at(at(10_000_000)) is ActualStatus.CHARGING


def test_what_was_never_reported_is_unknown_and_not_in_the_field_yet() -> None:
    new = Evse(
        id=1,
        evse_id=None,
        key=None,
        operator="DEABC",
        country="DE",
        party="ABC",
        uid="uid-1",
        created_by="the-key",
        created_at=at(0),
        updated_at=at(0),
    )

    assert new.actual(MAX_AGE) == Actual(ActualStatus.UNKNOWN)
    assert new.deployment is DeploymentState.STOCK


def test_what_was_never_observed_does_not_age() -> None:
    assert evse(observed_at=None).actual(MAX_AGE).stale_from is None
