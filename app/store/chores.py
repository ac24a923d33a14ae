"""Housekeeping's own rows: when a chore was last done, who is at it, and the deleting."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import dialect
from app.store.due import AT_ONCE
from app.store.tables import metadata

SLICE: Final = 2000  #: rows deleted in one transaction

_chore = metadata.tables["chore"]


async def begin(
    connection: AsyncConnection, name: str, token: str, at: datetime, *, every: timedelta, lease: timedelta
) -> datetime | None:
    """Take a chore that is due and that nobody is at; return when it was last done, `AT_ONCE` if never.

    `None` where it is not due, or another replica is at it. Whoever dies over it holds it for as long as the lease.
    """
    await connection.execute(dialect.insert_or_ignore(connection, _chore).values(name=name, last_run_at=AT_ONCE))
    # What lies further ahead than it is ever set was written under a clock that has since been stepped back.
    due = or_(_chore.c.last_run_at <= at - every, _chore.c.last_run_at > at + every)
    free = or_(_chore.c.lease_until.is_(None), _chore.c.lease_until <= at, _chore.c.lease_until > at + 2 * lease)
    taken = update(_chore).where(_chore.c.name == name, due, free).values(token=token, lease_until=at + lease)
    last: datetime | None = (await connection.execute(taken.returning(_chore.c.last_run_at))).scalar_one_or_none()
    return last


async def keep(connection: AsyncConnection, name: str, token: str, at: datetime, lease: timedelta) -> bool:
    """Go on with a chore for another lease; tell whether it is still ours."""
    mine = update(_chore).where(_chore.c.name == name, _chore.c.token == token)
    return (await connection.execute(mine.values(lease_until=at + lease))).rowcount == 1


async def finish(connection: AsyncConnection, name: str, token: str, at: datetime) -> None:
    """Note a chore as last done at `at`, unless another replica has taken it over."""
    mine = update(_chore).where(_chore.c.name == name, _chore.c.token == token)
    await connection.execute(mine.values(last_run_at=at, token=None, lease_until=None))


async def purge(connection: AsyncConnection, table: str, before: datetime) -> int:
    """Delete up to `SLICE` rows of `table` that are older than `before`, and return how many."""
    rows = metadata.tables[table]
    old = select(rows.c.id).where(rows.c.at < before).order_by(rows.c.at).limit(SLICE)
    return (await connection.execute(delete(rows).where(rows.c.id.in_(old.scalar_subquery())))).rowcount
