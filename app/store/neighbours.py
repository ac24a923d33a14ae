"""EVSEs at one location: what a partner has of some may be gone, where it was told of the location anew."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.tables import metadata

_delivery = metadata.tables["delivery"]
_evse = metadata.tables["evse"]


async def owe_neighbours(connection: AsyncConnection, partner: int, evses: Collection[int], at: datetime) -> None:
    """Owe anew whatever the partner was told of other EVSEs at the locations of `evses`: it has lost that by now."""
    told = (_delivery.c.acked_at.is_not(None), _delivery.c.rejected_version.is_(None))
    await _change(connection, partner, evses, told, acked_digest=None, next_at=at)


async def doubt_neighbours(connection: AsyncConnection, partner: int, evses: Collection[int], at: datetime) -> None:
    """Make suspect all that the partner is told of other EVSEs there: it may lose that at a time that nobody knows."""
    due = case((_delivery.c.next_at < at, _delivery.c.next_at), else_=at)
    await _change(connection, partner, evses, (), suspect=True, confirm_at=null(), next_at=due)


async def _change(
    connection: AsyncConnection, partner: int, evses: Collection[int], which: Collection[Any], **values: Any
) -> None:
    if not evses:
        return
    one, other = _evse.alias("one"), _evse.alias("other")
    same = and_(other.c.country == one.c.country, other.c.party == one.c.party, other.c.location == one.c.location)
    neighbours = select(other.c.id).join(one, same).where(one.c.id.in_(evses), other.c.id.not_in(evses))
    chosen = (_delivery.c.partner == partner, _delivery.c.evse.in_(neighbours), *which)
    if connection.dialect.name != "sqlite":
        # In order, as everybody else who locks many of them: whoever overlaps waits, and nobody deadlocks.
        order = (_delivery.c.evse, _delivery.c.aspect.desc())
        await connection.execute(select(_delivery.c.evse).where(*chosen).order_by(*order).with_for_update())
    await connection.execute(update(_delivery).where(*chosen).values(values))
