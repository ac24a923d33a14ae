"""Many rows in one piece: an embedded database writes them as one JSON document, and msgspec reads that.

SQLite's driver hands over row after row, and waits for Python's lock before each: for as long as everything else that
the process does will hold it. So reading a few hundred took several times as long as finding them, and nothing could
be computed meanwhile.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, Text, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.instants import Instant
from app.store.prepared import Among, Prepared

_UTC: Final = "Z"  # as it is stored it says no zone


class Reading:
    """A query for many rows, put together once."""

    def __init__(self, make: Callable[[Among], Select[Any]], rows: "msgspec.json.Decoder[list[Any]]") -> None:
        """`make` is as for `Prepared`; `rows` knows of what types they are."""
        self._rows = rows
        self._one_by_one = Prepared(make)
        self._at_once = Prepared(lambda among: _as_document(make(among)))

    async def rows(
        self, connection: AsyncConnection, keys: Collection[int] = (), /, **values: Any
    ) -> Sequence[Sequence[Any]]:
        """What it finds; in its order, if it has a limit. PostgreSQL's driver reads them at once as they come."""
        if connection.dialect.name != "sqlite":
            return (await self._one_by_one.run(connection, keys, **values)).all()
        return self._rows.decode((await self._at_once.run(connection, keys, **values)).scalar_one())


def _as_document(query: Select[Any]) -> Select[Any]:
    found = query.subquery()
    document = func.json_group_array(func.json_array(*(_written(column) for column in found.c)))
    return select(type_coerce(document, Text))


def _written(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return type_coerce(column, Text).op("||")(_UTC) if isinstance(column.type, Instant) else column
