"""EVSEs at one location: what a partner has of some may be gone, where it was told of the location anew."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.tables import metadata

_delivery = metadata.tables["delivery"]
_evse = metadata.tables["evse"]


async def owe_neighbours(connection: AsyncConnection, partner: int, evses: Collection[int], at: datetime) -> None:
    """Owe anew whatever the partner was told of other EVSEs at the locations of `evses`."""
    if not evses:
        return
    one, other = _evse.alias("one"), _evse.alias("other")
    same = and_(other.c.country == one.c.country, other.c.party == one.c.party, other.c.location == one.c.location)
    neighbours = select(other.c.id).join(one, same).where(one.c.id.in_(evses), other.c.id.not_in(evses))
    told = (
        _delivery.c.partner == partner,
        _delivery.c.evse.in_(neighbours),
        _delivery.c.acked_at.is_not(None),
        _delivery.c.rejected_version.is_(None),
    )
    if connection.dialect.name != "sqlite":
        # In order, as everybody else who locks many of them: whoever overlaps waits, and nobody deadlocks.
        order = (_delivery.c.evse, _delivery.c.aspect.desc())
        await connection.execute(select(_delivery.c.evse).where(*told).order_by(*order).with_for_update())
    await connection.execute(update(_delivery).where(*told).values(acked_digest=None, next_at=at))
