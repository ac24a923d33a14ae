"""A temporary status: what is said about one EVSE for a while. Planned, active or ended is derived, never stored."""

from datetime import datetime
from enum import StrEnum

import msgspec

from app.domain.interval import Interval, before
from app.domain.status import AppliesWhen, Kind


class State(StrEnum):
    """Where a temporary status stands at some instant."""

    PLANNED = "planned"
    ACTIVE = "active"
    ENDED = "ended"


class Window(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """As much of a temporary status as decides what is shown: its kind, and when it is in effect.

    `evse` is the EVSE's key in the store; `ended_at` when it was ended early, if it was.
    """

    id: int
    evse: int
    kind: Kind
    interval: Interval
    applies_when: AppliesWhen = AppliesWhen.ALWAYS
    ended_at: datetime | None = None

    def is_active(self, at: datetime) -> bool:
        """Tell whether it is in effect at `at`: inside the interval and not ended early."""
        begin, end, ended_at = self.interval.begin, self.interval.end, self.ended_at
        return begin <= at and (end is None or at < end) and (ended_at is None or at < ended_at)

    def is_over(self, at: datetime) -> bool:
        """Tell whether it can never be in effect from `at` on; a planned one that was ended never will be."""
        edges = self.edges()
        return not edges or at >= edges[-1] > edges[0]

    def state(self, at: datetime) -> State:
        """Derive where it stands at `at`."""
        if self.is_over(at):
            return State.ENDED
        return State.ACTIVE if self.is_active(at) else State.PLANNED

    def edges(self) -> list[datetime]:
        """List the instants at which it begins or stops to be in effect; none if it was ended before it began."""
        begin, end = self.interval.begin, self.interval.end
        if self.ended_at is not None and before(self.ended_at, end):
            end = self.ended_at
        if end is None:
            return [begin]
        return [begin, end] if begin < end else []


class TemporaryStatus(Window, frozen=True, kw_only=True):
    """One window as it was asked for, and who ended it early, if somebody did.

    `created_by` is the id of the API key that made it, `braked` whether that was one below operations, which the brake
    counts. `batch` is the id of the call that planned it together with others.
    """

    reason: str | None = None
    ref: str | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime
    revision: int = 1
    ended_by: str | None = None
    end_reason: str | None = None
    braked: bool = False
    batch: str | None = None
