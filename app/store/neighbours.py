"""EVSEs at one location: what a partner has of some may be gone, where it was told of the location anew."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.tables import metadata

_delivery = metadata.tables["delivery"]
_evse = metadata.tables["evse"]


async def lock(connection: AsyncConnection, partner: int, evses: Collection[int]) -> None:
    """Lock what the partner is told of `evses` and of all others at their locations, before any of it is changed.

    In order, as everybody else who locks many of them: whoever overlaps waits, and nobody deadlocks.
    """
    if evses and connection.dialect.name != "sqlite":
        which = (_delivery.c.partner == partner, _delivery.c.evse.in_(_at_locations_of(evses)))
        order = (_delivery.c.evse, _delivery.c.aspect.desc())
        await connection.execute(select(_delivery.c.evse).where(*which).order_by(*order).with_for_update())


async def owe(connection: AsyncConnection, partner: int, evses: Collection[int], at: datetime) -> None:
    """Owe anew whatever the partner was told of other EVSEs at the locations of `evses`: it has lost that by now."""
    told = (_delivery.c.acked_at.is_not(None), _delivery.c.rejected_version.is_(None))
    await _change(connection, partner, evses, told, acked_digest=None, next_at=at)


async def doubt(connection: AsyncConnection, partner: int, evses: Collection[int], at: datetime) -> None:
    """Make suspect all that the partner is told of other EVSEs there: it may lose that at a time that nobody knows."""
    due = case((_delivery.c.next_at < at, _delivery.c.next_at), else_=at)
    await _change(connection, partner, evses, (), suspect=True, confirm_at=null(), next_at=due)


async def _change(
    connection: AsyncConnection, partner: int, evses: Collection[int], which: Collection[Any], **values: Any
) -> None:
    if evses:
        others = (_delivery.c.evse.in_(_at_locations_of(evses)), _delivery.c.evse.not_in(evses))
        changed = update(_delivery).where(_delivery.c.partner == partner, *others, *which)
        await connection.execute(changed.values(values))


def _at_locations_of(evses: Collection[int]) -> Select[Any]:
    one, other = _evse.alias("one"), _evse.alias("other")
    same = and_(other.c.country == one.c.country, other.c.party == one.c.party, other.c.location == one.c.location)
    return select(other.c.id).join(one, same).where(one.c.id.in_(evses))
