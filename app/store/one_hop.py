"""SQLite's driver with one trip to its thread for a statement, where the library's adapter makes four.

Opening a cursor, executing, fetching and closing each wait for the thread and then for the event loop, at some fifty
microseconds a time: more than SQLite itself takes over most of our statements.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)


class _Done:
    """What is left of a driver's cursor when it is closed."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Has all rows, and nothing open, as soon as its statement was executed."""

    __slots__ = ()

    _awaitable_cursor_close = False  # it is closed already

    def _make_new_cursor(self, connection: Any) -> Any:  # noqa: ARG002
        return _Done()

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    def close(self) -> None:
        self._rows.clear()

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._there(lambda cursor: cursor.execute(operation, () if parameters is None else parameters))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._there(lambda cursor: cursor.executemany(operation, seq_of_parameters))

    async def _there(self, execute: Callable[[sqlite3.Cursor], Any]) -> None:
        done: Any = self._cursor
        connection: Any = self._connection
        rows: list[Any] = []

        def at_once() -> None:
            cursor = connection._conn.cursor()  # noqa: SLF001 - the library's own way, on its thread
            try:
                execute(cursor)
                done.description, done.rowcount, done.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
                if done.description:
                    rows.extend(cursor.fetchall())
            finally:
                cursor.close()

        async with self._adapt_connection._execute_mutex:  # noqa: SLF001
            await connection._execute(at_once)  # noqa: SLF001
        self._rows = deque(rows)


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()

    _cursor_cls = _Cursor


class _Driver(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *arg: Any, **kw: Any) -> AsyncAdapt_aiosqlite_connection:
        made = super().connect(*arg, **kw)
        return _Connection(self, made._connection)  # noqa: SLF001


#: The driver, for `create_async_engine(module=…)`.
DRIVER: Final = _Driver(aiosqlite, sqlite3)
