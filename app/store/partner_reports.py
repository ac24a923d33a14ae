"""How a partner does: how far behind it is, what it said, and how long it takes until it knows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect
from app.store.tables import metadata

_delivery = metadata.tables["delivery"]
_attempt = metadata.tables["attempt"]
_evse = metadata.tables["evse"]
_presented = metadata.tables["presented"]

SAMPLE: Final = 1000  #: deliveries that the delays are of


class Owing(msgspec.Struct, frozen=True, rename="camel"):
    """How far a partner is behind, in EVSEs.

    `acknowledged`: it has the latest status. `owed`: to be told, or told once more. `parked`: it refused the latest,
    until there is something newer, or until what it lacks turns up, for which it is asked now and then. `suspect`: an
    answer was lost, so that it is told once more later. `waiting_since` (UTC) is the oldest news that it does not have.
    """

    shared: int
    acknowledged: int
    owed: int
    parked: int
    suspect: int
    waiting_since: datetime | None


class Delays(msgspec.Struct, frozen=True, rename="camel"):
    """Milliseconds from when something came to be shown until the partner had it: percentiles of the latest `of`."""

    of: int
    median_ms: int | None = None
    p90_ms: int | None = None
    p99_ms: int | None = None
    longest_ms: int | None = None


async def owing(connection: AsyncConnection, partner: int) -> Owing:
    """Count what is owed to one partner."""
    row = _delivery.c
    parked = func.coalesce(row.rejected_version == row.want, False)
    of_status = row.aspect == Aspect.STATUS.value
    evses = func.count(row.evse.distinct())  # an EVSE of which the status and the schedule are owed is one
    counts = select(
        func.count().filter(of_status),
        func.count().filter(of_status & (row.acked == row.want) & row.acked_digest.is_not(None)),
        evses.filter(row.next_at.is_not(None) & ~parked),
        evses.filter(parked),
        evses.filter(row.suspect),
    ).where(row.partner == partner)
    # News to it since they came to be shown, or since the EVSE was shared with it if that came later.
    since = case((_presented.c.last_updated > row.shared_at, _presented.c.last_updated), else_=row.shared_at)
    waiting = (
        select(func.min(since))
        .join(_presented, _presented.c.evse == row.evse)
        .where(
            row.partner == partner,
            row.next_at.is_not(None),
            ~parked,
            or_(row.acked.is_(None), row.acked < row.want),
        )
    )
    counted = (await connection.execute(counts)).one()
    return Owing(*counted, waiting_since=(await connection.execute(waiting)).scalar_one())


async def delays(connection: AsyncConnection, partner: int) -> Delays:
    """How long the latest deliveries of news to one partner took, all the waiting for retries included."""
    query = (
        select(_attempt.c.delay_ms)
        .where(_attempt.c.partner == partner, _attempt.c.delay_ms.is_not(None))
        .order_by(_attempt.c.id.desc())
        .limit(SAMPLE)
    )
    return percentiles((await connection.execute(query)).scalars().all())


def percentiles(delays_ms: Sequence[int]) -> Delays:
    """Nearest rank: each figure is one that was measured."""
    if not delays_ms:
        return Delays(0)
    ordered = sorted(delays_ms)
    median, p90, p99 = (ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 90, 99))
    return Delays(len(ordered), median, p90, p99, ordered[-1])


async def deliveries_page(
    connection: AsyncConnection, partner: int, *, after: int, limit: int, owed_only: bool
) -> list[dict[str, Any]]:
    """A page of what a partner is owed and acknowledged, by EVSE key; `place` is where the next page goes on."""
    place = _delivery.c.evse * 2 + case((_delivery.c.aspect == Aspect.STATUS.value, 0), else_=1)
    query = (
        select(_delivery, _evse.c.evse_id, place.label("place"))
        .join(_evse, _evse.c.id == _delivery.c.evse)
        # The first says no more than the second, but is what the index is over.
        .where(_delivery.c.partner == partner, _delivery.c.evse >= after // 2, place > after)
        .order_by(_delivery.c.evse, place)
        .limit(limit)
    )
    if owed_only:
        query = query.where(_delivery.c.next_at.is_not(None) | (_delivery.c.rejected_version == _delivery.c.want))
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def attempts(connection: AsyncConnection, partner: int, limit: int) -> list[dict[str, Any]]:
    """The latest attempts at one partner, newest first."""
    query = (
        select(_attempt, _evse.c.evse_id)
        .join(_evse, _evse.c.id == _attempt.c.evse)
        .where(_attempt.c.partner == partner)
        .order_by(_attempt.c.id.desc())
        .limit(limit)
    )
    return [dict(row) for row in (await connection.execute(query)).mappings()]
