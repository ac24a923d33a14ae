"""What is shown: the rows that are due for another look, and what became of them."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Integer, Select, Text, bindparam, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.announcing import Announced
from app.domain.delivery import NOTHING, Aspect, Known, Notice
from app.domain.evse import Evse, EvseCore
from app.domain.location import Location
from app.domain.presentation import Presentation
from app.domain.status import DeploymentState
from app.domain.temporary_status import TemporaryStatus, Window
from app.store import cores
from app.store.bulk import add, change
from app.store.due import AT_ONCE
from app.store.finding import live_temporary
from app.store.instants import Instant
from app.store.locations import of_evses
from app.store.packed import Reading
from app.store.prepared import among
from app.store.rows import (
    announced_from,
    evse_from,
    presentation_from,
    temporary_status_from,
    what_from,
    what_text,
)
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]
_presented = metadata.tables["presented"]
_change = metadata.tables["presented_change"]


class Shown(msgspec.Struct, frozen=True, gc=False):
    """What the store says is shown for an EVSE, and announced. `recheck_at` (UTC) is when that must be looked at again.

    `version` is that of the EVSE; `status_version` and `schedule_version` are those at which either last changed.
    """

    evse: int
    presentation: Presentation
    announced: tuple[Announced, ...]
    version: int
    status_version: int
    schedule_version: int
    last_updated: datetime
    recheck_at: datetime | None

    def version_of(self, aspect: Aspect) -> int:
        return self.status_version if aspect is Aspect.STATUS else self.schedule_version


class Due(msgspec.Struct, frozen=True, gc=False):
    """An EVSE whose presented status is to be computed, with all that it takes."""

    shown: Shown
    evse: EvseCore
    temporary_statuses: Sequence[Window]


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """What it came to. `moved`: what is shown, or until when, is another; the version may have risen without.

    `renewed`: something else was imported of the EVSE.
    """

    due: Due
    now: Shown
    moved: bool
    renewed: bool = False


class Truth(msgspec.Struct, frozen=True):
    """An EVSE, what is shown for it, and where it stands, if that was imported and is wanted."""

    evse: Evse
    shown: Shown
    location: Location | None = None

    @property
    def last_updated(self) -> datetime:
        """When it last changed: what was just imported has, before anybody has looked at what that comes to."""
        return max(self.shown.last_updated, self.evse.object_changed_at or self.shown.last_updated)

    def notice(self, aspect: Aspect = Aspect.STATUS, known: Known = NOTHING) -> Notice:
        """What there is to say of it; a version counts the changes of that aspect alone."""
        return Notice(
            evse=self.evse,
            presentation=self.shown.presentation,
            version=self.shown.version_of(aspect),
            last_updated=self.last_updated,
            announced=self.shown.announced,
            location=self.location,
            aspect=aspect,
            known=known,
        )


async def take(connection: AsyncConnection, at: datetime, limit: int) -> list[Shown]:
    """Lock up to `limit` rows that are due at `at`, before anything is read that they depend on.

    In this order: whatever is committed after the lock marks the row due again, and whatever before is seen.
    """
    return [_shown_from(*row) for row in await _DUE.rows(connection, now=at, most=limit)]


async def complete(connection: AsyncConnection, shown: Sequence[Shown], at: datetime) -> list[Due]:
    """Read what decides what is to be shown for these EVSEs, whose rows are locked."""
    if not shown:
        return []
    keys = [one.evse for one in shown]
    evses = await cores.evses_by_id(connection, keys)
    windows = await cores.windows_by_evse(connection, keys, at)
    return [Due(one, evses[one.evse], windows.get(one.evse, ())) for one in shown]


async def evses_by_id(connection: AsyncConnection, ids: Collection[int]) -> dict[int, Evse]:
    rows = (await connection.execute(select(_evse).where(among(connection, _evse.c.id, ids)))).mappings()
    return {row["id"]: evse_from(row) for row in rows}


async def live_by_evse(
    connection: AsyncConnection, ids: Iterable[int], at: datetime
) -> dict[int, list[TemporaryStatus]]:
    """The temporary statuses that are not over at `at`, by EVSE, oldest first."""
    query = select(_temporary).where(live_temporary(ids, at)).order_by(_temporary.c.id)
    live: dict[int, list[TemporaryStatus]] = {}
    for row in (await connection.execute(query)).mappings():
        live.setdefault(row["evse"], []).append(temporary_status_from(row))
    return live


async def write(connection: AsyncConnection, resolved: Sequence[Resolved]) -> None:
    """Write what was resolved, and a line of the record for each that moved."""
    await change(connection, _presented, "evse", _CHANGED, [_now_values(one.now) for one in resolved])
    await add(connection, _change, _RECORDED, [_change_values(one) for one in resolved if one.moved])


async def next_recheck(connection: AsyncConnection) -> datetime | None:
    """When the next row is due, `AT_ONCE` for one that somebody has just touched."""
    first: datetime | None = (await connection.execute(_waiting(func.min(_presented.c.recheck_at)))).scalar_one()
    return first


async def last_recheck(connection: AsyncConnection) -> datetime | None:
    """The furthest that any row waits."""
    last: datetime | None = (await connection.execute(_waiting(func.max(_presented.c.recheck_at)))).scalar_one()
    return last


async def last_evse(connection: AsyncConnection) -> int:
    """The highest key of an EVSE, 0 where there is none."""
    return (await connection.execute(select(func.max(_presented.c.evse)))).scalar_one() or 0


async def mark_all_due(connection: AsyncConnection) -> None:
    """Have everything computed anew: a clock was stepped back, or there is a new partner."""
    if connection.dialect.name != "sqlite":
        # In order, as a batch of changes locks its own: whoever overlaps waits, and nobody deadlocks.
        locked = select(_presented.c.evse).order_by(_presented.c.evse).with_for_update().subquery()
        await connection.execute(select(func.count()).select_from(locked))
    await connection.execute(update(_presented).values(recheck_at=AT_ONCE))


async def take_for_now(connection: AsyncConnection, now: datetime) -> None:
    """Take what was observed ahead of `now` as observed now: by a clock since stepped back it would count for years."""
    ahead = _evse.c.observed_at > now
    if connection.dialect.name != "sqlite":
        # In order, as a batch of reports locks its own: whoever overlaps waits, and nobody deadlocks.
        locking = select(_evse.c.id).where(ahead).order_by(_evse.c.id).with_for_update(key_share=True)
        await connection.execute(locking)
    await connection.execute(update(_evse).where(ahead).values(observed_at=now))


async def shown_by_evse(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, Shown]:
    rows = (
        await connection.execute(select(_presented).where(among(connection, _presented.c.evse, list(ids))))
    ).mappings()
    return {row["evse"]: shown_from(row) for row in rows}


async def in_production(connection: AsyncConnection, evse_ids: Collection[str]) -> list[Evse]:
    """The EVSEs in production with one of these EVSE IDs."""
    if not evse_ids:
        return []
    query = select(_evse).where(
        _evse.c.evse_id.in_(evse_ids),
        _evse.c.deployment_state != DeploymentState.DEPRECATED.value,  # says no more, but is what the index is over
        _evse.c.deployment_state == DeploymentState.PRODUCTION.value,
    )
    return [evse_from(row) for row in (await connection.execute(query)).mappings()]


async def truths(
    connection: AsyncConnection, ids: Collection[int], *, with_locations: bool = False
) -> dict[int, Truth]:
    """What is true of these EVSEs now."""
    shown = await shown_by_evse(connection, ids)
    # Read after its version: an EVSE that is imported anew meanwhile is told twice, and not missed.
    evses = await evses_by_id(connection, ids)
    locations = await of_evses(connection, evses.values()) if with_locations else {}
    return {key: Truth(evses[key], one, locations.get(evses[key].location_key)) for key, one in shown.items()}


def _waiting(what: ColumnElement[Any]) -> Select[Any]:
    # The condition is always met by what is asked for; SQLite needs to read it before it takes the partial index.
    return select(what).where(_presented.c.recheck_at.is_not(None))


def shown_from(row: Any) -> Shown:
    return Shown(
        evse=row["evse"],
        presentation=presentation_from(row),
        announced=announced_from(row["announced"]),
        version=row["version"],
        status_version=row["status_version"],
        schedule_version=row["schedule_version"],
        last_updated=row["last_updated"],
        recheck_at=row["recheck_at"],
    )


# Tuples and as few columns as it takes: in a storm these are most of what is done.
_shown: Final = [
    *(_presented.c[name] for name in ("evse", "what", "because", "until")),
    cast(_presented.c.announced, Text),
    *(_presented.c[name] for name in ("version", "status_version", "schedule_version", "last_updated", "recheck_at")),
]
_DUE: Final = Reading(
    lambda _among: (
        select(*_shown)
        .where(_presented.c.recheck_at <= bindparam("now", type_=Instant))
        # Boundaries before what was touched (`AT_ONCE`): however much is reported, no window begins late for it.
        .order_by(_presented.c.recheck_at.desc())
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    ),
    msgspec.json.Decoder(
        list[tuple[int, str, int | None, datetime | None, str | None, int, int, int, datetime, datetime | None]]
    ),
)
_announced: Final = msgspec.json.Decoder(tuple[Announced, ...])


def _shown_from(
    evse: int,
    what: str,
    because: int | None,
    until: datetime | None,
    announced: str | None,
    version: int,
    status_version: int,
    schedule_version: int,
    last_updated: datetime,
    recheck_at: datetime | None,
) -> Shown:
    said = () if announced is None else _announced.decode(announced)
    shown = Presentation(what_from(what), because, until)
    return Shown(evse, shown, said, version, status_version, schedule_version, last_updated, recheck_at)


_CHANGED: Final = (
    *("what", "because", "until", "announced", "version", "status_version", "schedule_version", "last_updated"),
    "recheck_at",
)
_RECORDED: Final = ("at", "evse", "operator", "version", "from_what", "to_what", "because", "until")


def _now_values(now: Shown) -> tuple[Any, ...]:
    shown = now.presentation
    return (
        what_text(shown.what),
        shown.because,
        shown.until,
        # Most announce nothing: that is no text at all.
        msgspec.json.encode(now.announced).decode() if now.announced else None,
        now.version,
        now.status_version,
        now.schedule_version,
        now.last_updated,
        now.recheck_at,
        now.evse,
    )


def _change_values(one: Resolved) -> tuple[Any, ...]:
    now = one.now
    return (
        now.last_updated,
        now.evse,
        one.due.evse.operator,
        now.version,
        what_text(one.due.shown.presentation.what),
        what_text(now.presentation.what),
        now.presentation.because,
        now.presentation.until,
    )
