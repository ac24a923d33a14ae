"""The record of what was shown when, as those read it who follow it; and what is shown now, with its version."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Select, Text, and_, func, literal, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import EvseNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId
from app.domain.following import Position
from app.domain.presentation import GATE, Gate, Presentation
from app.domain.scope import EVERYTHING, Scope
from app.domain.status import DeploymentState
from app.domain.temporary_status import TemporaryStatus
from app.store.finding import chosen
from app.store.prepared import among, bare
from app.store.reach import covered
from app.store.rows import evse_from, presentation_from, temporary_status_from
from app.store.tables import metadata

PAGE: Final = 500  #: EVSEs read at once
MARKS: Final = 2000  #: of which it is read at once whether they have changed
MOST: Final = 100_000  #: changes that are worth telling one by one; whoever missed more reads the fleet sooner

_change = metadata.tables["presented_change"]
_evse = metadata.tables["evse"]
_presented = metadata.tables["presented"]
_temporary = metadata.tables["temporary_status"]

_STATE: Final = {gate: state for state, gate in GATE.items() if gate is not None}
_shown: Final = [_presented.c[name] for name in ("what", "because", "until", "version", "last_updated")]
# Without what was imported, which is by far the largest part of a row.
_registered: Final = [
    literal(None).label(one.name) if one.name == "ocpi_object" else one for one in _evse.c if one.name != "id"
]


#: What of an EVSE tells whether anything of it has changed: its key, the version of what is shown, when it was last
#: registered or reported otherwise (as the database has it), the temporary status that is shown, if one is, and which
#: state of that. A bare tuple: of a whole fleet there are many.
Mark: TypeAlias = tuple[int, int, Any, int | None, int | None]

_marks: Final = (
    select(
        _presented.c.evse,
        _presented.c.version,
        type_coerce(_evse.c.updated_at, Text),
        _presented.c.because,
        _temporary.c.revision,
    )
    .join_from(_presented, _evse, _evse.c.id == _presented.c.evse)
    .outerjoin(_temporary, _temporary.c.id == _presented.c.because)
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which EVSEs somebody follows, of those in `scope`; all of them where nothing is said.

    `evses` are keys of the registry, `location` is OCPI's location id, `operator` an operator's key.
    """

    scope: Scope = EVERYTHING
    evses: tuple[int, ...] = ()
    location: str | None = None
    operator: str | None = None

    def covers(self, evse: Evse) -> bool:
        return (
            (not self.evses or evse.id in self.evses)
            and (self.location is None or evse.location == self.location)
            and (self.operator is None or evse.operator == self.operator)
            and self.scope.covers(evse)
        )

    def condition(self) -> ColumnElement[bool]:
        """The same in SQL."""
        parts = [covered(self.scope)]
        if self.evses:
            parts.append(_evse.c.id.in_(self.evses))
        if self.location is not None:
            parts.append(_evse.c.location == self.location)
        if self.operator is not None:
            parts.append(_evse.c.operator == self.operator)
        return and_(*parts)


class Standing(msgspec.Struct, frozen=True):
    """What is shown for an EVSE at `version`, since `at` (UTC), and the temporary status behind it, if there is one."""

    evse: Evse
    presentation: Presentation
    version: int
    at: datetime
    because: TemporaryStatus | None


async def last_change(connection: AsyncConnection) -> int | None:
    """The highest key on record, `None` where there is no record."""
    last: int | None = (await connection.execute(select(func.max(_change.c.id)))).scalar_one()
    return last


async def changed_since(connection: AsyncConnection, since: datetime) -> tuple[dict[int, int], int]:
    """The latest version of each EVSE with a change after `since`, by its key; and the highest key of a change."""
    return await _changed(connection, _change.c.at > since)


async def changed_after(connection: AsyncConnection, position: Position) -> dict[int, int] | None:
    """The same of all that somebody at `position` may not have been told; `None` where that is more than `MOST`.

    By time, since keys are committed in any order; by key too, since a clock may have been stepped back.
    """
    found: dict[int, int] = {}
    left = MOST
    for which in (_change.c.at > position.since, and_(_change.c.id > position.last, _change.c.at <= position.since)):
        # Not grouped by the database, which takes longer than reading them all.
        query = select(_change.c.evse, _change.c.version).where(which).limit(left + 1)
        rows = bare(await connection.execute(query))
        left -= len(rows)
        if left < 0:
            return None
        for evse, version in rows:
            if version > found.get(evse, -1):
                found[evse] = version
    return found


async def _changed(connection: AsyncConnection, which: ColumnElement[bool]) -> tuple[dict[int, int], int]:
    query = select(_change.c.evse, func.max(_change.c.version), func.max(_change.c.id)).where(which)
    rows = (await connection.execute(query.group_by(_change.c.evse))).all()
    return {evse: version for evse, version, _ in rows}, max((last for *_, last in rows), default=0)


async def standing(connection: AsyncConnection, evses: Collection[int]) -> list[Standing]:
    """What is shown for these EVSEs, as it was last computed."""
    return await _standing(connection, _with_evses().where(_presented.c.evse.in_(evses)).order_by(_presented.c.evse))


async def marks_of(connection: AsyncConnection, wanted: Wanted, after: int) -> list[Mark]:
    """The first `MARKS` EVSEs that are wanted and have a key above `after`, in the order of their keys."""
    query = _marks.where(_presented.c.evse > after, wanted.condition()).order_by(_presented.c.evse).limit(MARKS)
    return await _read_marks(connection, query)


async def marks_among(connection: AsyncConnection, wanted: Wanted, evses: Collection[int]) -> list[Mark]:
    """Those of these EVSEs that are wanted, in the order of their keys."""
    these = among(connection, _presented.c.evse, evses)
    return await _read_marks(connection, _marks.where(these, wanted.condition()).order_by(_presented.c.evse))


async def _read_marks(connection: AsyncConnection, query: Select[Any]) -> list[Mark]:
    return list(map(tuple, bare(await connection.execute(query))))


async def keys_of(connection: AsyncConnection, asked: Sequence[EvseId], wanted: Wanted) -> tuple[int, ...]:
    """The keys of the EVSEs that these written EVSE IDs name, among those that are wanted.

    Raises:
        EvseNotFound: one names none.
        AmbiguousEvse: one names several, as the separators are missing.
    """
    query = select(_evse).where(_evse.c.evse_id_key.in_({one.key for one in asked}))
    candidates = [one for row in (await connection.execute(query)).mappings() if wanted.covers(one := evse_from(row))]
    keys = set()
    for asked_one in asked:
        found = chosen(asked_one, [one for one in candidates if one.key == asked_one.key])
        if found is None:
            raise EvseNotFound(f"no EVSE {asked_one.written} is registered", field="evseId")
        keys.add(found.id)
    return tuple(sorted(keys))


def _with_evses() -> Select[Any]:
    return select(_evse.c.id, *_registered, *_shown).join_from(_presented, _evse, _evse.c.id == _presented.c.evse)


async def _standing(connection: AsyncConnection, query: Select[Any]) -> list[Standing]:
    rows = (await connection.execute(query)).mappings().all()
    ids = {row["because"] for row in rows} - {None}
    behind: dict[int, TemporaryStatus] = {}
    if ids:
        said = await connection.execute(select(_temporary).where(_temporary.c.id.in_(ids)))
        behind = {row["id"]: temporary_status_from(row) for row in said.mappings()}
    return [_standing_from(row, behind) for row in rows]


def _standing_from(row: Any, behind: dict[int, TemporaryStatus]) -> Standing:
    presentation = presentation_from(row)
    # Both are read as they are, and one may be a step ahead of the other: what is shown says which state it was.
    what = presentation.what
    deployment = _STATE[what] if isinstance(what, Gate) else DeploymentState.PRODUCTION
    return Standing(
        evse=msgspec.structs.replace(evse_from(row), deployment=deployment),
        presentation=presentation,
        version=row["version"],
        at=row["last_updated"],
        because=None if presentation.because is None else behind.get(presentation.because),
    )
