"""Which temporary statuses are announced: what will be shown from when to when, as far as it is known today."""

import heapq
import itertools
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.interval import before
from app.domain.presentation import GATE, Actual, applies, rank
from app.domain.status import AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import Window

#: How far ahead a beginning is announced. Drivers plan trips, not holidays; and a list must not grow without bound.
HORIZON: Final = timedelta(days=30)
MOST: Final = 50  #: stretches that are announced; the later ones have to wait


class Announced(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stretch of time in which temporary statuses of this kind are shown: from `begin` up to, not including, `end`.

    Both UTC; an `end` of `None` is not known yet.
    """

    kind: Kind
    begin: datetime
    end: datetime | None = None


def announced(
    deployment: DeploymentState, actual: Actual, temporary_statuses: Collection[Window], at: datetime
) -> tuple[Announced, ...]:
    """List what is going to be shown, as seen at `at`: sorted, never two at once, at most `MOST`.

    What is active is among it until it ends, and what begins within `HORIZON`. A planned one that applies only to an
    idle charger is not: nobody knows what the charger will be doing.
    """
    if GATE[deployment]:
        return ()
    status, horizon = actual.at(at), at + HORIZON
    counted = [
        one
        for one in temporary_statuses
        if not one.is_over(at)
        and one.interval.begin <= horizon
        and (applies(one, status) if one.is_active(at) else one.applies_when is AppliesWhen.ALWAYS)
    ]
    if len(counted) <= 1:  # as it is nearly everywhere, and it takes a third of the time
        return tuple(Announced(one.kind, *one.edges()) for one in counted)
    stretches: list[Announced] = []
    for begin, end, kind in _sweep(counted):
        if stretches and stretches[-1].kind is kind and stretches[-1].end == begin:
            stretches[-1] = Announced(kind, stretches[-1].begin, end)
            continue
        if len(stretches) == MOST:
            break
        # What is over is left out only here, as what goes on after it may be the same, and has begun with it. The last
        # alone can be, as they come one after the other; and of all not the last, as nothing is counted that is over.
        if stretches and not before(at, stretches[-1].end):
            stretches.pop()
        stretches.append(Announced(kind, begin, end))
    return tuple(stretches)


def _sweep(counted: Collection[Window]) -> Iterator[tuple[datetime, datetime | None, Kind]]:
    """Go from edge to edge and say which kind is shown in between, lazily: a calendar may hold thousands."""
    in_order = sorted(((edges, one) for one in counted if (edges := one.edges())), key=_beginning)
    if all(edges[1:] and edges[1] <= later[0] for (edges, _), (later, _) in itertools.pairwise(in_order)):
        # One after the other, as nearly everywhere: none has to yield to another.
        yield from ((edges[0], edges[1] if edges[1:] else None, one.kind) for edges, one in in_order)
        return
    spans = sorted((edges[0], rank(one), edges[1:], one.kind) for edges, one in in_order)
    edges = sorted({edge for begin, _, ends, _ in spans for edge in (begin, *ends)})
    under_way: list[tuple[tuple[int, float, int], list[datetime], Kind]] = []  # a heap, strongest first
    begun = 0
    for begin, end in itertools.zip_longest(edges, edges[1:]):
        while begun < len(spans) and spans[begun][0] <= begin:
            heapq.heappush(under_way, spans[begun][1:])
            begun += 1
        while under_way and under_way[0][1] and under_way[0][1][0] <= begin:
            heapq.heappop(under_way)
        if under_way:
            yield begin, end, under_way[0][2]


def _beginning(of: tuple[list[datetime], Window]) -> datetime:
    return of[0][0]


def next_announcement(temporary_statuses: Collection[Window], after: datetime) -> datetime | None:
    """Return when, by the clock alone, the next temporary status comes near enough to be announced."""
    horizon = after + HORIZON
    beyond = [one.interval.begin for one in temporary_statuses if one.interval.begin > horizon and one.edges()]
    return min(beyond) - HORIZON if beyond else None
