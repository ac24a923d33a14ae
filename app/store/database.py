"""One database, opened: transactions that write, connections that read, and the lock of an embedded one."""

import fcntl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.store import dialect, engines
from app.store.failures import understood
from app.store.patience import Patience


class DatabaseInUse(Exception):
    """Another `serve` runs on this embedded database."""


class Database:
    """An opened database. `write()` is a transaction, `read()` a connection that sees every commit before it.

    Whatever is done with it may raise `DatabaseUnavailable`.
    """

    def __init__(self, url: str, *, transaction_pooling: bool = False, stall: timedelta | None = None) -> None:
        """Open it, which connects to nothing yet.

        Args:
            url: `sqlite:///path/to/file.db` or `postgresql://user:password@host/name`.
            transaction_pooling: a proxy before PostgreSQL may give every transaction another session.
            stall: how long a transaction on PostgreSQL may stand idle before it is cut off; `None`: for ever.
        """
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise ValueError(f"a database URL begins with sqlite:/// or postgresql://, not {backend}://")
        self.embedded = backend == "sqlite"
        self._pooled = transaction_pooling
        idle = None if self.embedded or stall is None else stall.total_seconds()
        self._patience = Patience(idle, said_on_connecting=not transaction_pooling)
        if self.embedded:
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError("an embedded database needs a file: sqlite:///evse-status.db")
            self.path: Path | None = Path(parsed.database)
            if not self.path.parent.is_dir():
                raise ValueError(
                    f"the folder {self.path.parent} does not exist; sqlite:///name is relative to where you are, "
                    "sqlite:////name is not"
                )
            self._url = parsed.set(drivername="sqlite+aiosqlite")
            self._writer, self._reader = engines.sqlite(self._url)
        else:
            self.path = None
            self._url = parsed.set(drivername="postgresql+asyncpg")
            self._writer, self._reader = engines.postgresql(
                self._url, transaction_pooling=transaction_pooling, stall=idle
            )

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction: committed on the way out, rolled back on any exception."""
        async with _connected(self._writer) as connection:
            await connection.begin()
            try:
                with self._patience.transaction():
                    if limit := self._patience.to_say():
                        await dialect.limit_idling(connection, limit)
                    yield connection
                    await connection.commit()
            except TimeoutError:
                raise
            except BaseException:
                await connection.rollback()  # a failed commit too: closing alone would leave it open
                raise

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A connection for reading; the transaction that a pooling proxy takes sees no less for it."""
        async with _connected(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def migrate(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction like `write()`, that may take as long as it likes."""
        if self.embedded:
            async with self.write() as connection:
                yield connection
            return
        engine = engines.unhurried(self._url, transaction_pooling=self._pooled)
        try:
            with understood():
                async with engine.begin() as connection:
                    yield connection
        finally:
            await engine.dispose()

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


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    with understood():
        async with engine.connect() as connection:
            try:
                yield connection
            except TimeoutError:
                # Its host may have vanished: to roll back would be to wait for it as long again.
                await connection.invalidate()
                raise


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

    @property
    def is_held(self) -> bool:
        """Whether a process serves the database. Leaves nothing behind."""
        try:
            with self._path.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
