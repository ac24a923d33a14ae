"""The few statements that differ between SQLite and PostgreSQL."""

from datetime import datetime

from sqlalchemy import Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_SQLITE_LAST_KEY = text("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = :table")
_POSTGRESQL_KEYS = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")


async def take_keys(connection: AsyncConnection, table: str, count: int) -> list[int]:
    """Reserve `count` new keys of `table`, so that what refers to a row can be decided before it is written."""
    if count == 0:
        return []
    if connection.dialect.name == "sqlite":
        # The write transaction is held: nobody else can take the same ones.
        last: int = (await connection.execute(_SQLITE_LAST_KEY, {"table": table})).scalar_one()
        return list(range(last + 1, last + 1 + count))
    return list((await connection.execute(_POSTGRESQL_KEYS, {"table": table, "count": count})).scalars())


async def database_now(connection: AsyncConnection) -> datetime:
    """PostgreSQL's clock as it runs, not as it stood when the transaction began."""
    now: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return now


async def limit_idling(connection: AsyncConnection, seconds: float) -> None:
    """Have PostgreSQL cut this transaction off once it stands idle for longer."""
    await connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {seconds * 1000:.0f}")


def insert_or_ignore(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that leaves a row alone which is there already."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()
