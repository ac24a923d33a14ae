"""When and for how long each temporary status can be in effect: so that an index finds what is in effect at a time.

An index over the beginning alone would have to be read back to the first row ever, as some of them might last that
long; one over the end has the same trouble the other way round. So each has a span: which of a few steps its length is
within, and in which stretch of time, as long as that step, it begins. What is in effect at an instant has begun in the
stretch of that instant or in the one before, however many rows there are beside. Within a span the index goes by the
key, as pages do: where much is in effect, a page of it is full after a few rows.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_

from app.domain.temporary_status import State, TemporaryStatus
from app.store.tables import metadata

HOUR: Final = timedelta(hours=1)
STEPS: Final = (1, 8, 48, 336, 2400)  #: hours; each wide enough that few are read in vain
NO_STEP: Final = 0  #: longer, or nobody knows; a span of its own
_EACH: Final = 10_000_000  #: spans for each step: more hours than there are until 2100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_row = metadata.tables["temporary_status"].c


def step_of(one: TemporaryStatus) -> int:
    """The hours from its beginning after which it is surely over, ended early or not; `NO_STEP` where it may go on."""
    edges = one.edges()
    if len(edges) == 1:
        return NO_STEP
    length = edges[1] - edges[0] if edges else timedelta()
    return next((hours for hours in STEPS if length <= hours * HOUR), NO_STEP)


def span_of(one: TemporaryStatus) -> int:
    """The step of its length and the stretch of time that it begins in, as one number."""
    hours = step_of(one)
    return NO_STEP if hours == NO_STEP else _span(hours, one.interval.begin)


def at_instant(at: datetime) -> list[int]:
    """The spans of which some may be in effect at `at`; of all others none is."""
    return [*(_span(hours, begin) for hours in STEPS for begin in (at - hours * HOUR, at)), NO_STEP]


def reached(begin: datetime | None, end: datetime | None, *, whole: bool = False) -> list[ColumnElement[bool]]:
    """A condition for each step, which together hold for all that may be in effect from `begin` until before `end`.

    They are met by a few others too. `None` is no bound; with `whole` it is until `end` and including it.
    """
    steps = [
        and_(_within(hours, begin and begin - hours * HOUR, end), *_begins(hours, begin, end, whole=whole))
        for hours in STEPS
    ]
    return [*steps, and_(_row.span == NO_STEP, *_begins(NO_STEP, begin, end, whole=whole))]


def begins_after(at: datetime) -> list[ColumnElement[bool]]:
    """The same for all that begin after `at`."""
    steps = [and_(_within(hours, at, None), _row.valid_from > at) for hours in STEPS]
    return [*steps, and_(_row.span == NO_STEP, _row.valid_from > at)]


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


def _span(hours: int, begin: datetime) -> int:
    return (STEPS.index(hours) + 1) * _EACH + (begin - _EPOCH) // (hours * HOUR)


def _within(hours: int, begin: datetime | None, end: datetime | None) -> ColumnElement[bool]:
    """The condition for the spans of a step in which something may begin from `begin` to `end`."""
    first = (STEPS.index(hours) + 1) * _EACH
    lowest = first if begin is None else _span(hours, begin)
    return _row.span.between(lowest, first + _EACH - 1 if end is None else _span(hours, end))
