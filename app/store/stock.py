"""How much is late, and how much each partner is owed, counted through indexes and only so far: for metrics.

A partner that was away may be owed the whole fleet, and a hundred of them a hundred times that. So each count ends
where it says that there is a lot: what it comes to is then the least that there is.
"""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, ScalarSelect, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.partner import Partner
from app.store import partners
from app.store.due import AT_ONCE
from app.store.tables import metadata

_delivery = metadata.tables["delivery"]
_partner = metadata.tables["partner"]
_presented = metadata.tables["presented"]

COUNTED: Final = 50_000  #: rows that a count goes through at most, those of all partners together


class Owed(msgspec.Struct, frozen=True):
    """What a partner is owed, in messages: an EVSE's status and its schedule are two.

    `parked`: refused, and nothing was acknowledged since. `suspect`: an answer was lost.
    """

    owed: int
    suspect: int
    parked: int


class Stock(msgspec.Struct, frozen=True):
    """What the database holds that somebody has to do. Times are UTC.

    `overdue` boundaries are not applied yet, the oldest since `oldest`; `touched` EVSEs are to be looked at at once.
    """

    overdue: int
    oldest: datetime | None
    touched: int
    partners: list[tuple[Partner, Owed]]


async def take(connection: AsyncConnection, at: datetime) -> Stock:
    """Count at the instant `at`."""
    recheck_at = _presented.c.recheck_at
    late = (recheck_at > AT_ONCE, recheck_at <= at)
    oldest = select(recheck_at).where(*late).order_by(recheck_at).limit(1).scalar_subquery()
    clockwork = select(_so_many(*late), oldest, _so_many(recheck_at == AT_ONCE))
    overdue, since, touched = (await connection.execute(clockwork)).one()
    everybody = await partners.all_partners(connection)
    each = max(COUNTED // max(len(everybody), 1), 1)
    row = _delivery.c
    # As the partial indexes are written: SQLite takes them for nothing else.
    suspect = row.suspect == literal(1, literal_execute=True) if connection.dialect.name == "sqlite" else row.suspect
    counts = select(
        _partner.c.id,
        *(_of_partner(which, each) for which in (row.next_at.is_not(None), suspect, row.rejected_version.is_not(None))),
    )
    counted = {key: Owed(*found) for key, *found in await connection.execute(counts)} if everybody else {}
    return Stock(overdue, since, touched, [(one, counted.get(one.id, Owed(0, 0, 0))) for one in everybody])


def _so_many(*which: ColumnElement[bool]) -> ScalarSelect[int]:
    some = select(_presented.c.evse).where(*which).limit(COUNTED).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _of_partner(which: ColumnElement[bool], most: int) -> ScalarSelect[int]:
    some = select(literal(1)).select_from(_delivery).where(_delivery.c.partner == _partner.c.id, which)
    return select(func.count()).select_from(some.limit(most).correlate(_partner).subquery()).scalar_subquery()
