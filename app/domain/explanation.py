"""Why something is shown: a verdict for each temporary status, and what the record says of the past. Pure.

What is shown now, or would be, is derived by `present`; what was shown is what was recorded then, never derived.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.interval import before
from app.domain.presentation import Actual, Gate, Presentation, What, applies, rank
from app.domain.status import ActualStatus, Kind
from app.domain.temporary_status import TemporaryStatus


class Tense(StrEnum):
    """Where an instant lies, seen from now."""

    PAST = "past"
    NOW = "now"
    FUTURE = "future"


class Verdict(StrEnum):
    """Why a temporary status is shown at some instant, or is not."""

    SHOWN = "shown"
    GATE = "gate"  #: in effect, but the deployment state stands in front of everything
    NOT_IDLE = "notIdle"  #: in effect, but for an idle charger only, and the charger was not idle
    OUTRANKED = "outranked"  #: in effect, but a stronger one is shown
    NOT_BEGUN = "notBegun"
    ENDED_EARLY = "endedEarly"
    NEVER_BEGAN = "neverBegan"  #: ended before it began
    OVER = "over"
    UNRECORDED = "unrecorded"  #: in effect by what is known today, but the record of that time shows something else


class Judged(msgspec.Struct, frozen=True):
    """A temporary status and its verdict; `by` is the one that outranks it."""

    one: TemporaryStatus
    verdict: Verdict
    by: TemporaryStatus | None = None


class Change(msgspec.Struct, frozen=True):
    """A line of the record: at `at` (UTC) what was shown went from `before` to `after`, or only its `until` moved."""

    at: datetime
    version: int
    before: What
    after: What
    because: int | None
    until: datetime | None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded around an instant.

    `latest` is the last line at or before it, `turned` the last of those that changed what is shown, `following` the
    first line after it, `turns` the first after it that changed what is shown. `stored` is what the store says is shown
    today, since `last_updated` at the latest; `computed` is false as long as nobody has looked at the EVSE at all.
    """

    latest: Change | None
    turned: Change | None
    following: Change | None
    turns: Change | None
    stored: Presentation
    last_updated: datetime
    computed: bool

    def recalls(self, at: datetime, kept_since: datetime) -> Presentation | None:
        """What was shown at `at`; `None` where that is not known any more.

        `kept_since` is from when on every change is still there. Lines go oldest first, so that one that is left is
        good for its time, however long ago that was.
        """
        if self.latest is not None:
            return Presentation(self.latest.after, self.latest.because, self.latest.until)
        if self.following is not None:
            return Presentation(self.following.before) if at >= kept_since else None
        return self.stored if at >= min(kept_since, self.last_updated) else None

    def since(self, at: datetime) -> datetime | None:
        """From when on it was shown; `None` where that is longer ago than the record goes back."""
        if self.turned is not None:
            return self.turned.at
        untouched = self.latest is None and self.following is None
        return self.last_updated if untouched and self.last_updated <= at else None


#: How many that are yet to begin, and how many that are over, stand beside those in effect.
MOST_BESIDE: Final = 10

_IN_EFFECT: Final = frozenset(
    {Verdict.SHOWN, Verdict.GATE, Verdict.NOT_IDLE, Verdict.OUTRANKED, Verdict.UNRECORDED},
)


def judged(
    temporary_statuses: Iterable[TemporaryStatus], actual: Actual, presentation: Presentation, at: datetime
) -> list[Judged]:
    """Give each its verdict where `present` says `presentation` at `at`, which is now or later."""
    known = list(temporary_statuses)
    shown = next((one for one in known if one.id == presentation.because), None)
    return [_judged(one, presentation.what, actual.at(at), shown, at, whatever_ended=True) for one in known]


def judged_by_record(
    temporary_statuses: Iterable[TemporaryStatus],
    actual: ActualStatus | None,
    recalled: Presentation,
    at: datetime,
) -> list[Judged]:
    """Give each its verdict where `recalled` was shown at `at`, which is past.

    `actual` is what the charger was doing, `None` where that is not known. They are judged by what is known of them
    today.
    """
    known = list(temporary_statuses)
    shown = next((one for one in known if one.id == recalled.because), None)
    if isinstance(recalled.what, ActualStatus):
        actual = recalled.what
    return [_judged(one, recalled.what, actual, shown, at) for one in known]


def completed(recalled: Presentation, temporary_statuses: Collection[TemporaryStatus], at: datetime) -> Presentation:
    """Name the temporary status behind what was recorded where the record does not, or names one that was over.

    When one ends and another of its kind goes on until the same time, what is shown does not change and nothing is
    recorded. So the strongest of that very kind is named that was in effect then; if there is none, the record stays.
    """
    if not isinstance(recalled.what, Kind):
        return recalled
    in_effect = [one for one in temporary_statuses if one.is_active(at)]
    if any(one.id == recalled.because for one in in_effect):
        return recalled
    same_kind = [one for one in in_effect if one.kind is recalled.what]
    named = min(same_kind, key=rank, default=None)
    return recalled if named is None else msgspec.structs.replace(recalled, because=named.id)


def shown_since(
    temporary_statuses: Collection[TemporaryStatus], actual: Actual, presentation: Presentation, at: datetime
) -> datetime | None:
    """Since when `presentation`, which `present` says at `at`, holds by the clock; `None` for longer than can be told.

    The last of: the beginning of what is shown, the end of whatever was stronger, the moment from which the charger's
    word no longer counts.
    """
    if isinstance(presentation.what, Gate):
        return None
    shown = next((one for one in temporary_statuses if one.id == presentation.because), None)
    status, stale_from = actual.at(at), actual.stale_from
    stale = stale_from is not None and at >= stale_from
    since = [] if shown is None else [shown.interval.begin]
    for one in temporary_statuses:
        edges = one.edges()
        stronger = shown is None or rank(one) < rank(shown)
        if stronger and len(edges) > 1 and edges[1] <= at and _applied(one, actual, edges[1]):
            since.append(edges[1])
    if stale and stale_from is not None:
        counts = actual.status is not status if shown is None else not applies(shown, actual.status)
        since += [stale_from] if counts else []
    return max(since, default=None)


def beside(verdicts: Sequence[Judged]) -> tuple[list[Judged], int]:
    """Keep those in effect, the next to begin and the last that were over; and say how many are left out."""
    in_effect = [one for one in verdicts if one.verdict in _IN_EFFECT]
    coming = [one for one in verdicts if one.verdict is Verdict.NOT_BEGUN]
    past = [one for one in verdicts if one.verdict not in _IN_EFFECT and one.verdict is not Verdict.NOT_BEGUN]
    in_effect.sort(key=lambda one: (one.verdict is not Verdict.SHOWN, rank(one.one)))
    coming.sort(key=lambda one: (one.one.interval.begin, one.one.id))
    past.sort(key=lambda one: (_over_at(one.one), one.one.id), reverse=True)
    kept = [*in_effect, *coming[:MOST_BESIDE], *past[:MOST_BESIDE]]
    return kept, len(verdicts) - len(kept)


def may_differ(one: TemporaryStatus, at: datetime) -> bool:
    """Tell whether it was changed since `at`, so that it is known only as it is now; an end is known with its time."""
    made = 1 if one.ended_at is None else 2
    return one.updated_at > at and one.revision > made


def _judged(
    one: TemporaryStatus,
    what: What,
    actual: ActualStatus | None,
    shown: TemporaryStatus | None,
    at: datetime,
    *,
    whatever_ended: bool = False,
) -> Judged:
    if shown is not None and one.id == shown.id:
        return Judged(one, Verdict.SHOWN)
    if (timing := _timing(one, at, whatever_ended=whatever_ended)) is not None:
        return Judged(one, timing)
    if isinstance(what, Gate):
        return Judged(one, Verdict.GATE)
    if actual is not None and not applies(one, actual):
        return Judged(one, Verdict.NOT_IDLE)
    if shown is not None and rank(shown) < rank(one):
        return Judged(one, Verdict.OUTRANKED, shown)
    return Judged(one, Verdict.UNRECORDED)


def _timing(one: TemporaryStatus, at: datetime, *, whatever_ended: bool) -> Verdict | None:
    """Say why it is not in effect at `at`, `None` where it is.

    `whatever_ended`: one that was ended is, though by a clock that was ahead its end may seem to lie in the future.
    """
    ended = one.ended_at is not None and (whatever_ended or one.ended_at <= at)
    if ended and not one.edges():
        return Verdict.NEVER_BEGAN
    if at < one.interval.begin and not ended:
        return Verdict.NOT_BEGUN
    if not ended:
        return None if one.is_active(at) else Verdict.OVER
    early = at in one.interval or before(one.ended_at or at, one.interval.end)
    return Verdict.ENDED_EARLY if early else Verdict.OVER


def _applied(one: TemporaryStatus, actual: Actual, end: datetime) -> bool:
    """Tell whether it counted until its `end`, as far as the charger's word goes: that is as it is now."""
    before_stale = actual.stale_from is None or end <= actual.stale_from
    return applies(one, actual.status if before_stale else ActualStatus.UNKNOWN)


def _over_at(one: TemporaryStatus) -> datetime:
    ends = [end for end in (one.interval.end, one.ended_at) if end is not None]
    return min(ends, default=one.interval.begin)
