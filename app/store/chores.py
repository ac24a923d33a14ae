"""Housekeeping's own rows: when a chore was last done, and the deleting."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import dialect
from app.store.tables import metadata

SLICE: Final = 2000  #: rows deleted in one transaction

_chore = metadata.tables["chore"]


async def take(connection: AsyncConnection, name: str, at: datetime, every: timedelta) -> bool:
    """Tell whether a chore is due at `at`, and if so note it as done: of several replicas one gets to do it."""
    new = dialect.insert_or_ignore(connection, _chore).values(name=name, last_run_at=at)
    if (await connection.execute(new)).rowcount == 1:
        return True
    due = or_(_chore.c.last_run_at <= at - every, _chore.c.last_run_at > at + every)  # the latter: a clock stepped back
    taken = await connection.execute(update(_chore).where(_chore.c.name == name, due).values(last_run_at=at))
    return taken.rowcount == 1


async def purge(connection: AsyncConnection, table: str, before: datetime) -> int:
    """Delete up to `SLICE` rows of `table` that are older than `before`, and return how many."""
    rows = metadata.tables[table]
    old = select(rows.c.id).where(rows.c.at < before).order_by(rows.c.at).limit(SLICE)
    return (await connection.execute(delete(rows).where(rows.c.id.in_(old.scalar_subquery())))).rowcount
