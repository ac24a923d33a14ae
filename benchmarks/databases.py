"""Databases as somebody would run them: on a disk, and durable."""

import asyncio
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import Table, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg as postgresql
from sqlalchemy.schema import CreateIndex, DropIndex

from tests.databases import PostgresqlServer, migrate, postgresql_server

KINDS: Final = ("sqlite", "postgresql")
SPELT: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}  #: as they spell themselves
#: As it comes, but for room, and to know afterwards when each row was committed: fsync and synchronous_commit stay on.
CONFIGURATION: Final = """
max_connections = 200
track_commit_timestamp = on
shared_buffers = 1GB
max_wal_size = 4GB
log_min_messages = fatal
"""
_PIECE: Final = 20_000  #: rows handed over at once
_MANY: Final = 50_000  #: rows from which on it is quicker to make the indexes anew


class Databases:
    """Where databases come from: each new one is migrated and empty."""

    def __init__(self, directory: Path, server: PostgresqlServer) -> None:
        self._directory = directory
        self._server = server

    @asynccontextmanager
    async def fresh(self, kind: str) -> AsyncGenerator[str]:
        """The URL of a database that is gone afterwards."""
        if kind == "postgresql":
            async with self._server.fresh() as url:
                yield url
            return
        directory = Path(tempfile.mkdtemp(dir=self._directory))
        url = f"sqlite:///{directory / 'evse-status.db'}"
        await migrate(url)
        try:
            yield url
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def databases(directory: Path) -> Generator[Databases]:
    with postgresql_server(CONFIGURATION, within=directory) as server:
        yield Databases(directory, server)


async def fill(url: str, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Put many rows in, past the service: a million take seconds and not minutes, and no room where they are lazy."""
    few = isinstance(rows, Sequence) and len(rows) <= _MANY
    more = iter(rows)
    if (first := next(more, None)) is None:
        return
    rows = itertools.chain((first,), more)
    if make_url(url).get_backend_name() == "sqlite":
        await asyncio.to_thread(_fill_sqlite, url, table, list(first), rows, few=few)
    else:
        await _fill_postgresql(url, table, list(first), rows)


def _fill_sqlite(url: str, table: Table, names: list[str], rows: Iterable[dict[str, Any]], *, few: bool) -> None:
    dialect = sqlite.dialect()
    change = [_processor(table, name, dialect) for name in names]
    into = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    indexes = [] if few else list(table.indexes)
    with closing(sqlite3.connect(make_url(url).database or "")) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for index in indexes:
            connection.execute(str(DropIndex(index).compile(dialect=dialect)))
        connection.executemany(into, _changed(rows, change))
        for index in indexes:
            connection.execute(str(CreateIndex(index).compile(dialect=dialect)))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA optimize=0x10002")


async def _fill_postgresql(url: str, table: Table, names: list[str], rows: Iterable[dict[str, Any]]) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    change = [_processor(table, name, dialect) for name in names]
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        changed = _changed(rows, change)
        while piece := list(itertools.islice(changed, _PIECE)):
            await connection.copy_records_to_table(table.name, records=piece, columns=names)
        if (key := table.autoincrement_column) is not None:
            sequence = f"pg_get_serial_sequence('{table.name}', '{key.name}')"
            await connection.execute(f"SELECT setval({sequence}, (SELECT max({key.name}) FROM {table.name}))")
        # At once: by itself it would come within a minute, in the middle of what is measured.
        await connection.execute(f"VACUUM ANALYZE {table.name}")
    finally:
        await connection.close()


def _processor(table: Table, name: str, dialect: Any) -> Any:
    return table.c[name].type.dialect_impl(dialect).bind_processor(dialect)


def _changed(rows: Iterable[dict[str, Any]], change: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(
            value if process is None else process(value) for process, value in zip(change, row.values(), strict=True)
        )
