"""The few things that every test of the domain needs, with only what matters spelt out."""

from datetime import UTC, datetime, timedelta

from app.domain.evse import Evse
from app.domain.interval import Interval
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus

_MINUTE_ZERO = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def at(minute: float) -> datetime:
    """Return the instant `minute` minutes into the test's day; negative ones lie before it."""
    return _MINUTE_ZERO + timedelta(minutes=minute)


def temporary_status(
    begin: float = 0,
    end: float | None = 60,
    *,
    number: int = 1,
    kind: Kind = Kind.BLOCKED,
    applies_when: AppliesWhen = AppliesWhen.ALWAYS,
    ended_at: float | None = None,
    reason: str | None = None,
) -> TemporaryStatus:
    """Build the temporary status with the id `number`, from minute `begin` to minute `end`."""
    return TemporaryStatus(
        id=number,
        evse=1,
        kind=kind,
        interval=Interval(at(begin), None if end is None else at(end)),
        applies_when=applies_when,
        reason=reason,
        created_by="the-key",
        created_at=_LONG_AGO,
        updated_at=_LONG_AGO,
        ended_at=None if ended_at is None else at(ended_at),
    )


def evse(
    *,
    operator: str = "DEABC",
    location: str | None = "LOC1",
    actual_status: ActualStatus = ActualStatus.AVAILABLE,
    observed_at: datetime | None = None,
    object_changed_at: datetime | None = None,
) -> Evse:
    """Build an EVSE in production."""
    return Evse(
        id=1,
        evse_id="DE*ABC*E1",
        key="DEABCE1",
        operator=operator,
        country="DE",
        party="ABC",
        uid="uid-1",
        location=location,
        deployment=DeploymentState.PRODUCTION,
        actual_status=actual_status,
        observed_at=observed_at,
        object_changed_at=object_changed_at,
        created_by="the-key",
        created_at=_LONG_AGO,
        updated_at=_LONG_AGO,
    )
