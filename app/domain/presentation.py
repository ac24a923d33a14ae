"""Which status is shown, why, and until when. This file is the product; everything else carries it somewhere."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from app.domain.status import IDLE, ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import Window
from app.domain.total import total

PRECEDENCE: Final = tuple(Kind)
_PLACE: Final = {kind: place for place, kind in enumerate(PRECEDENCE)}
_FAR: Final = datetime.max.replace(tzinfo=UTC)


class Gate(StrEnum):
    """What the deployment state makes of an EVSE that is not in production."""

    WITHHELD = "WITHHELD"  #: never mentioned; to those it was shared with before, removed
    REMOVED = "REMOVED"  #: gone for good


#: What is shown: a temporary status, the charger's own, or nothing at all.
What: TypeAlias = Kind | ActualStatus | Gate

GATE: Final = total(
    DeploymentState,
    {
        DeploymentState.STOCK: Gate.WITHHELD,
        DeploymentState.PRODUCTION: None,
        DeploymentState.DEPRECATED: Gate.REMOVED,
    },
)


class Actual(msgspec.Struct, frozen=True, gc=False):
    """The charger's own status, which counts as unknown from `stale_from` on when its backend has gone silent."""

    status: ActualStatus
    stale_from: datetime | None = None

    def at(self, at: datetime) -> ActualStatus:
        return self.status if self.stale_from is None or at < self.stale_from else ActualStatus.UNKNOWN


class Presentation(msgspec.Struct, frozen=True, gc=False):
    """What is shown for one EVSE, which temporary status says so, and how long the answer holds.

    `because` is the temporary status behind it; `None` means the charger itself, or the gate.
    `until` is when what or why changes by the clock alone; `None` means not before somebody does something.
    """

    what: What
    because: int | None = None
    until: datetime | None = None


def present(
    deployment: DeploymentState, actual: Actual, temporary_statuses: Collection[Window], at: datetime
) -> Presentation:
    """Resolve what is shown for one EVSE at the instant `at`.

    The gate first; then the strongest active temporary status (`COMMISSIONING > MAINTENANCE > BLOCKED > RESERVED`,
    within a kind the latest-ending, then the lowest id); else what the charger does at that moment.
    """
    if gate := GATE[deployment]:
        return Presentation(gate)
    status = actual.at(at)
    applicable = [one for one in temporary_statuses if applies(one, status)]
    active = [one for one in applicable if one.is_active(at)]
    strongest = min(active, key=rank) if len(active) > 1 else active[0] if active else None
    until = _next_answer(strongest, applicable, at)
    stale_from = actual.stale_from
    if stale_from is None or at >= stale_from or (until is not None and until <= stale_from):
        return _answer(strongest, status, until)

    # The charger's word expires before any temporary status changes the answer. Does that change it?
    later = present(deployment, Actual(ActualStatus.UNKNOWN), temporary_statuses, stale_from)
    now = _answer(strongest, status, None)
    holds_on = (later.what, later.because) == (now.what, now.because)
    return msgspec.structs.replace(now, until=later.until if holds_on else stale_from)


def next_boundary(actual: Actual, temporary_statuses: Iterable[Window], after: datetime) -> datetime | None:
    """Return the next instant at which anything begins, ends or expires, or `None` if there is none.

    Never later than `until`: many a boundary changes nothing, but no change happens between boundaries.
    """
    edges = [edge for one in temporary_statuses for edge in one.edges()]
    if actual.stale_from is not None:
        edges.append(actual.stale_from)
    return min((edge for edge in edges if edge > after), default=None)


def applies(one: Window, actual: ActualStatus) -> bool:
    return one.applies_when is AppliesWhen.ALWAYS or actual in IDLE


def rank(one: Window) -> tuple[int, float, int]:
    end = one.interval.end or _FAR
    return (_PLACE[one.kind], -end.timestamp(), one.id)


def _next_answer(strongest: Window | None, applicable: Collection[Window], at: datetime) -> datetime | None:
    """Return when the strongest changes: it ends, or one that outranks it begins. One pass, as a rank never moves."""
    ahead = [one for one in applicable if (edges := one.edges()) and edges[0] > at]
    if strongest is None:
        return min((one.interval.begin for one in ahead), default=None)
    its = rank(strongest)
    changes = [one.interval.begin for one in ahead if rank(one) < its]
    changes += strongest.edges()[1:]
    return min(changes, default=None)


def _answer(strongest: Window | None, actual: ActualStatus, until: datetime | None) -> Presentation:
    if strongest is None:
        return Presentation(actual, None, until)
    return Presentation(strongest.kind, strongest.id, until)
