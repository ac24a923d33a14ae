"""A copy of an embedded database as it was at one instant, while a service writes to it, and the check of it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

_PAGES: Final = 2048  #: copied at a time, between two looks at how far it is
_BUSY_SECONDS: Final = 10.0


class NotWhole(Exception):
    """The copy is not what was to be copied, or what was to be copied is no database of ours."""


class Copied(msgspec.Struct, frozen=True):
    """What is in the copy: the revision of its tables, the rows of each, and its size in bytes."""

    revision: str
    rows: dict[str, int]
    size: int


def copy(source: Path, target: Path, told: Callable[[int, int], None]) -> Copied:
    """Copy the database `source` into the empty file `target`, and check it; `told` how many pages of how many.

    What is committed meanwhile is not in it, and nobody who writes has to wait.

    Raises:
        NotWhole: there is no database of ours, or the copy is not a sound one.
    """
    with _opened(source) as there:
        # A read transaction over all of it: else whatever is committed in between has the copying begin anew.
        there.execute("BEGIN")
        revision = _revision(there)
        with _opened(target) as here:
            there.backup(here, pages=_PAGES, progress=lambda _, left, pages: told(pages - left, pages))
        rows = _rows(there)
    with _opened(target) as here:
        # One file, with nothing beside it. A service that begins on it makes its own.
        here.execute("PRAGMA journal_mode=DELETE")
        found = [row[0] for row in here.execute("PRAGMA integrity_check(10)")]
        if found != ["ok"]:
            raise NotWhole(f"the copy is damaged, and so may the database be: {'; '.join(found)}")
        if here.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise NotWhole("rows in the copy refer to rows that are not there, and so may those of the database")
        if (_revision(here), _rows(here)) != (revision, rows):
            raise NotWhole("the copy does not hold what the database held")
    return Copied(revision, rows, target.stat().st_size)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    # Never made where there is none; and not for reading alone, which cannot take in what a dead process left behind.
    uri = f"{path.resolve().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise NotWhole(f"{path}: {error}") from None


def _revision(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        row = None
    if row is None:
        raise NotWhole("there is no database of ours in it yet")
    return str(row[0])


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    ).fetchall()
    # The names are the database's own.
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables}  # noqa: S608
