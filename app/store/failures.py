"""What a failing database is trying to say: whether the same may work again later, and what people should know."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

_AWAY: Final = "the database is away"
_FULL: Final = "the database's disk is full"
_READ_ONLY: Final = "the database cannot be written to"
_IN_THE_WAY: Final = "others are in the way in the database"

#: By SQLSTATE, or its class.
_POSTGRESQL: Final = {
    "08": _AWAY,
    "25006": _READ_ONLY,  # a standby, or one that is about to become the primary
    "25P03": "a transaction stood still for too long",
    "28": _AWAY,  # its password is being changed
    "3D": _AWAY,
    "40": _IN_THE_WAY,  # deadlocks and serialization failures
    "53": "the database has no room for more",
    "53100": _FULL,
    "55P03": _IN_THE_WAY,
    "57": _AWAY,  # it is shutting down, or starting
    "58": _AWAY,
}
_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: _IN_THE_WAY,
    sqlite3.SQLITE_LOCKED: _IN_THE_WAY,
    sqlite3.SQLITE_PROTOCOL: _IN_THE_WAY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR: "the database's disk fails",
    sqlite3.SQLITE_CANTOPEN: "the database's file cannot be opened",
}


class DatabaseUnavailable(ConnectionError):
    """The database could not do it, through no fault of what was asked: the same may work in a moment.

    Nothing is half-done. Where it broke in a commit, all of it may have been done nevertheless.
    """


@contextmanager
def understood() -> Generator[None]:
    """Tell a database that is unavailable from everything else that may go wrong with it.

    Raises:
        DatabaseUnavailable: with words for people, and nothing in them about hosts or statements.
    """
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise DatabaseUnavailable(reason) from error


def _reason(error: Exception) -> str | None:
    if isinstance(error, DatabaseUnavailable):
        return None  # it is understood already
    if isinstance(error, OSError | exc.TimeoutError):
        return _AWAY  # no connection, or no answer in time
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    state = getattr(cause, "sqlstate", None) or ""
    if reason := _POSTGRESQL.get(state, _POSTGRESQL.get(state[:2])):
        return reason
    return _AWAY if isinstance(error, exc.DBAPIError) and error.connection_invalidated else None
