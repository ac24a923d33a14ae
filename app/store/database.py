"""The two engines of one database: a writer, one transaction at a time on SQLite, and readers beside it."""

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.store import dialect

BUSY_TIMEOUT_MS = 10_000  #: only for outsiders, such as a command beside a running service: our own writes queue


class DatabaseInUse(Exception):
    """Another `serve` runs on this embedded database."""


class Database:
    """An opened database. `write()` is a transaction, `read()` a connection that sees every commit before it.

    Args:
        url: `sqlite:///path/to/file.db` or `postgresql://user:password@host/name`.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise ValueError(f"a database URL begins with sqlite:/// or postgresql://, not {backend}://")
        self.embedded = backend == "sqlite"
        if self.embedded:
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError("an embedded database needs a file: sqlite:///evse-status.db")
            self.path: Path | None = Path(parsed.database)
            if not self.path.parent.is_dir():
                raise ValueError(
                    f"the folder {self.path.parent} does not exist; sqlite:///name is relative to where you are, "
                    "sqlite:////name is not"
                )
            self._writer, self._reader = _sqlite_engines(parsed.set(drivername="sqlite+aiosqlite"))
        else:
            self.path = None
            self._writer, self._reader = _postgresql_engines(parsed.set(drivername="postgresql+asyncpg"))

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction: committed on the way out, rolled back on any exception."""
        async with self._writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A connection without a transaction, for reading."""
        async with self._reader.connect() as connection:
            yield connection

    async def now(self) -> datetime | None:
        """The database's own time, or `None` for an embedded one, whose time is this machine's."""
        if self.embedded:
            return None
        async with self.read() as connection:
            return await dialect.database_now(connection)

    @property
    def kind(self) -> str:
        """What it is, for people: never its URL, which may hold a password."""
        return f"embedded, {self.path}" if self.embedded else "PostgreSQL"

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()


# Parameters are hidden in errors, which end up in logs: among them are reasons, references and digests.


def _sqlite_engines(url: Any) -> tuple[AsyncEngine, AsyncEngine]:
    # One connection: writers queue for it in order, where SQLite's own busy handler would have them poll.
    writer = create_async_engine(url, hide_parameters=True, pool_size=1, max_overflow=0, pool_timeout=60)
    # No overflow: a connection is a thread, and starting and stopping one costs more than waiting for a free one.
    reader = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=6,
        max_overflow=0,
        pool_timeout=60,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )

    @event.listens_for(writer.sync_engine, "connect")
    @event.listens_for(reader.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.run_async(_into_wal)
        cursor = connection.cursor()
        # FULL: a 201 survives a power loss. With group commit it costs no more than NORMAL.
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_size_limit=67108864",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(writer.sync_engine, "begin")
    def begin(connection: Any) -> None:
        # A deferred transaction that reads first cannot be upgraded once somebody else has written.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return writer, reader


async def _into_wal(connection: Any) -> None:
    # Two processes that open a new database at once both want it for themselves alone for an instant. SQLite refuses
    # one of them without asking its busy handler, since both waiting would be for ever; trying again is not.
    give_up = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as failure:
            if failure.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            await asyncio.sleep(0.01)
        else:
            return


def _postgresql_engines(url: Any) -> tuple[AsyncEngine, AsyncEngine]:
    writer = create_async_engine(url, hide_parameters=True, pool_size=6, max_overflow=4, pool_pre_ping=True)
    reader = create_async_engine(
        url, hide_parameters=True, pool_size=4, max_overflow=8, pool_pre_ping=True, isolation_level="AUTOCOMMIT"
    )
    return writer, reader


class EmbeddedLock:
    """Holds the embedded database for one `serve`: the kernel lets go of it when the process dies, however it dies."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            DatabaseInUse: another process holds it.
        """
        lock = self._path.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise DatabaseInUse(
                f"another evse-status serve holds {self._path}; an embedded database serves one process. "
                "Stop that one, or use PostgreSQL (EVSE_STATUS_DATABASE_URL) for several."
            ) from None
        self._file = lock

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
