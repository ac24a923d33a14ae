"""The engines of one database, and how each of their connections is set up: one that writes, one that reads."""

import asyncio
import contextlib
import sqlite3
import time
from typing import Any, Final

from sqlalchemy import URL, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.store.one_hop import DRIVER

BUSY_TIMEOUT_MS = 10_000  #: only for outsiders, such as a command beside a running service: our own writes queue
CONNECT_SECONDS = 10.0  #: for a new connection to PostgreSQL
COMMAND_SECONDS = 60.0  #: for a statement there; longer only if its host has vanished
PING_SECONDS = 5.0  #: for an answer of one that was connected before


class Hinting(SQLiteCompiler):
    """Says to SQLite which index a query is made for (`Select.with_hint`), which the library leaves out for it."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:  # noqa: ARG002
        return text


# Parameters are hidden in errors, which end up in logs: among them are reasons, references and digests.


def sqlite(url: URL) -> tuple[AsyncEngine, AsyncEngine]:
    """The writing and the reading engine of an embedded database."""
    # One connection: writers queue for it in order, where SQLite's own busy handler would have them poll.
    writer = create_async_engine(url, module=DRIVER, hide_parameters=True, pool_size=1, max_overflow=0, pool_timeout=60)
    # No overflow: a connection is a thread, and starting and stopping one costs more than waiting for a free one.
    reader = create_async_engine(
        url,
        module=DRIVER,
        hide_parameters=True,
        pool_size=6,
        max_overflow=0,
        pool_timeout=60,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )
    for engine in (writer, reader):
        engine.dialect.statement_compiler = Hinting

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
            # Pages of 4 KB. In a storm each commit changes the same ones again, and they are moved to the file once.
            "wal_autocheckpoint=8192",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(writer.sync_engine, "begin")
    def begin(connection: Any) -> None:
        # A deferred transaction that reads first cannot be upgraded once somebody else has written.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(writer.sync_engine, "invalidate")
    def roll_back(connection: Any, _record: Any, _error: Any) -> None:
        # What a task was cancelled in the middle of is thrown away. Closing alone would not end its transaction: SQLite
        # puts that off for as long as any cursor is left, and the task's traceback may hold one.
        with contextlib.suppress(asyncio.CancelledError):
            connection.run_async(lambda driver: asyncio.shield(driver.rollback()))

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


def postgresql(url: URL, *, transaction_pooling: bool, stall: float | None) -> tuple[AsyncEngine, AsyncEngine]:
    """The writing and the reading engine of a PostgreSQL; `stall` is for how many seconds a transaction may idle."""
    connecting: dict[str, Any] = {"timeout": CONNECT_SECONDS, "command_timeout": COMMAND_SECONDS}
    reading = {}
    if transaction_pooling:
        connecting |= _SESSIONLESS
    else:
        reading["isolation_level"] = "AUTOCOMMIT"
        if stall is not None:
            connecting["server_settings"] = {"idle_in_transaction_session_timeout": f"{stall * 1000:.0f}"}
    writer = create_async_engine(url, hide_parameters=True, connect_args=connecting, pool_size=6, max_overflow=4)
    reader = create_async_engine(
        url, hide_parameters=True, connect_args=connecting, pool_size=4, max_overflow=8, **reading
    )
    for engine in (writer, reader):
        event.listen(engine.sync_engine, "checkout", _ping)
    return writer, reader


def unhurried(url: URL, *, transaction_pooling: bool) -> AsyncEngine:
    """An engine whose transactions may take as long as they like: for migrations."""
    connecting = {"timeout": CONNECT_SECONDS, **(_SESSIONLESS if transaction_pooling else {})}
    return create_async_engine(url, hide_parameters=True, connect_args=connecting, poolclass=NullPool)


#: Each transaction may get another session, which knows no statement that was prepared in the last one.
_SESSIONLESS: Final[dict[str, Any]] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",  # the unnamed one, parsed anew whenever it is executed
}


def _ping(connection: Any, record: Any, _proxy: Any) -> None:
    """See whether a connection is still good before it is used: one round trip, where the pool's own takes three."""
    if not record.info.get("used"):
        record.info["used"] = True
        return
    try:
        connection.run_async(lambda driver: driver.execute("SELECT 1", timeout=PING_SECONDS))
    except Exception as gone:
        raise InvalidatePoolError from gone
