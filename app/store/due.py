"""When a presented status is to be computed anew."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.prepared import among
from app.store.tables import metadata

#: What `recheck_at` is set to when a presented status may be out of date: an instant that no clock can step behind.
AT_ONCE: Final = datetime(2000, 1, 1, tzinfo=UTC)

_presented = metadata.tables["presented"]


async def mark_due(connection: AsyncConnection, evses: Iterable[int]) -> None:
    """Have the presented status of these EVSEs computed anew, soon and by whoever reconciles."""
    theirs = among(connection, _presented.c.evse, sorted(evses))
    # Locked in order first, so that two replicas with overlapping batches wait for each other and never deadlock.
    if connection.dialect.name != "sqlite":
        locked = select(_presented.c.evse).where(theirs).order_by(_presented.c.evse).with_for_update().subquery()
        await connection.execute(select(func.count()).select_from(locked))
    await connection.execute(update(_presented).where(theirs).values(recheck_at=AT_ONCE))
