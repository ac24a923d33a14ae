"""How long each temporary status can be in effect, in few steps: so that an index finds what is in effect at a time.

An index over the beginning alone would have to be read back to the first row ever, as some of them might last that
long; one over the end has the same trouble the other way round. With the step in front, each step is read back by its
own length only, however many rows there are beside.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_

from app.domain.temporary_status import State, TemporaryStatus
from app.store.tables import metadata

HOUR: Final = timedelta(hours=1)
STEPS: Final = (1, 8, 48, 336, 2400)  #: hours; each wide enough that few are read in vain
NO_STEP: Final = 0  #: longer, or nobody knows

_row = metadata.tables["temporary_status"].c


def step_of(one: TemporaryStatus) -> int:
    """The hours from its beginning after which it is surely over, ended early or not; `NO_STEP` where it may go on."""
    edges = one.edges()
    if len(edges) == 1:
        return NO_STEP
    length = edges[1] - edges[0] if edges else timedelta()
    return next((hours for hours in STEPS if length <= hours * HOUR), NO_STEP)


def reached(begin: datetime | None, end: datetime | None, *, whole: bool = False) -> list[ColumnElement[bool]]:
    """A condition for each step, which together hold for all that may be in effect from `begin` until before `end`.

    They are met by a few others too. `None` is no bound; with `whole` it is until `end` and including it.
    """
    return [and_(_row.span == hours, *_begins(hours, begin, end, whole=whole)) for hours in (*STEPS, NO_STEP)]


def begins_after(at: datetime) -> list[ColumnElement[bool]]:
    """The same for all that begin after `at`."""
    return [and_(_row.span == hours, _row.valid_from > at) for hours in (*STEPS, NO_STEP)]


def shares_time(begin: datetime | None, end: datetime | None) -> ColumnElement[bool]:
    """The condition for those in effect at some instant from `begin` until before `end`; ended early is ended."""
    # What was ended before it began never was.
    conditions: list[ColumnElement[bool]] = [or_(_row.ended_at.is_(None), _row.ended_at > _row.valid_from)]
    if end is not None:
        conditions.append(_row.valid_from < end)
    if begin is not None:
        conditions += [or_(ends.is_(None), ends > begin) for ends in (_row.valid_to, _row.ended_at)]
    return and_(*conditions)


def in_state(state: State, at: datetime) -> ColumnElement[bool]:
    """Say in SQL what `TemporaryStatus.state` says in Python; a property test holds the two together."""
    begun = _row.valid_from <= at
    over = or_(
        and_(_row.valid_to.is_not(None), _row.valid_to <= at),
        and_(_row.ended_at.is_not(None), or_(_row.ended_at <= at, _row.ended_at <= _row.valid_from)),
    )
    match state:
        case State.PLANNED:
            return and_(~begun, ~over)
        case State.ACTIVE:
            return and_(begun, ~over)
        case State.ENDED:
            return over


def ends_until(at: datetime) -> ColumnElement[bool]:
    """The condition for those whose end as asked for is at `at` or before."""
    return and_(_row.valid_to.is_not(None), _row.valid_to <= at)


def _begins(hours: int, begin: datetime | None, end: datetime | None, *, whole: bool) -> list[ColumnElement[Any]]:
    conditions: list[ColumnElement[Any]] = []
    if hours != NO_STEP and begin is not None:
        conditions.append(_row.valid_from > begin - hours * HOUR)
    if end is not None:
        conditions.append(_row.valid_from <= end if whole else _row.valid_from < end)
    return conditions
