"""The locations that a group of commands sees and changes."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.instant import MILLISECOND
from app.domain.location import Location
from app.store import dialect
from app.store.rows import location_from, location_values
from app.store.tables import metadata

_location: Final = metadata.tables["location"]


class BatchedLocations:
    """Loaded in one statement, with the changes decided so far laid over them, written in two."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Location] = {}
        self._keys: list[int] = []
        self._new: set[int] = set()
        self._changed: dict[int, Location] = {}
        self._left: dict[tuple[str, str, str | None], set[int]] = {}  #: and by which EVSEs
        self._found: set[int] = set()

    def find(self, key: tuple[str, str, str]) -> Location | None:
        return self._known.get(key)

    def new_key(self) -> int:
        """Take one of the keys that were reserved: what is put under it is inserted, not updated."""
        key = self._keys.pop(0)
        self._new.add(key)
        return key

    def put(self, location: Location) -> None:
        self._known[location.key] = location
        self._changed[location.number] = location

    def leave(self, key: tuple[str, str, str | None], evse: int, *, found: bool) -> None:
        """Note that an EVSE stands there no longer, which changes the location as well.

        `found`: whoever pulled may have found it there; so it has if it was ever shared.
        """
        self._left.setdefault(key, set()).add(evse)
        if found:
            self._found.add(evse)

    async def load(self, connection: AsyncConnection, keys: Collection[tuple[str, str, str]], new: int) -> None:
        """Load those of `keys` that there are, and reserve the keys of `new` ones.

        Not locked: of two imports at once the later one counts, whichever that is.
        """
        if keys:
            key = tuple_(_location.c.country, _location.c.party, _location.c.location)
            rows = (await connection.execute(select(_location).where(key.in_(keys)))).mappings()
            self._known = {one.key: one for one in map(location_from, rows)}
        self._keys = await dialect.take_keys(connection, "location", new)

    async def write(self, connection: AsyncConnection, at: datetime, shared: Collection[int] = ()) -> None:
        """Write what was put, in one order, so that two imports at once wait for each other and never deadlock.

        `shared` are those of the EVSEs that left of which any partner was ever told.
        """
        vacated: list[int] = []
        if old := [number for number in self._changed if number not in self._new]:
            await connection.execute(_locked(_location.c.id.in_(old)))
        if self._left:
            key = tuple_(_location.c.country, _location.c.party, _location.c.location)
            rows = (await connection.execute(_locked(key.in_(self._left)))).mappings().all()
            found = self._found.union(shared)
            vacated = [row["id"] for row in rows if found & self._left[location_from(row).key]]
            for left in (self._changed.get(row["id"]) or location_from(row) for row in rows):
                moved = max(at, left.changed_at + MILLISECOND)
                self._changed[left.number] = msgspec.structs.replace(left, changed_at=moved)
        ordered = sorted(self._changed.values(), key=lambda one: one.key)
        if changed := [_keyed(one) for one in ordered if one.number not in self._new]:
            await connection.execute(_replace, changed)
        if vacated:
            await connection.execute(update(_location).where(_location.c.id.in_(vacated)).values(vacated=True))
        if new := [location_values(one) for one in ordered if one.number in self._new]:
            await connection.execute(_location.insert(), new)

    async def is_stored(self, connection: AsyncConnection, at: datetime) -> bool:
        """Tell whether this batch was committed after all, by a location that it alone can have inserted."""
        which = (_location.c.id.in_(self._new & self._changed.keys()), _location.c.created_at == at)
        return (await connection.execute(select(_location.c.id).where(*which).limit(1))).first() is not None


def _locked(which: ColumnElement[bool]) -> Select[Any]:
    return select(_location).where(which).order_by(_location.c.id).with_for_update()


def _keyed(location: Location) -> dict[str, Any]:
    values = location_values(location)
    return {"key": values.pop("id"), **values}


# `vacated` is set alone and never cleared: an import that had not seen it yet does not take it back.
_columns: Final = [column.name for column in _location.c if column.name not in {"id", "vacated"}]
_replace: Final = (
    update(_location).where(_location.c.id == bindparam("key")).values({name: bindparam(name) for name in _columns})
)
