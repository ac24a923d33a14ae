"""What has to be read to say why something is, was or will be shown for an EVSE, and what partners were told."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect, Delivery
from app.domain.explanation import Change, Record
from app.domain.temporary_status import TemporaryStatus
from app.store.due import AT_ONCE
from app.store.presented import shown_by_evse
from app.store.rows import delivery_from, temporary_status_from, what_from
from app.store.tables import metadata

_temporary = metadata.tables["temporary_status"]
_change = metadata.tables["presented_change"]
_delivery = metadata.tables["delivery"]
_attempt = metadata.tables["attempt"]

#: What has been over for longer explains nothing.
LATELY: Final = timedelta(days=1)
#: Of those that were ended, how many are read at most, the youngest first: a sensor ends hundreds a day.
_MOST_ENDED: Final = 100


class Told(msgspec.Struct, frozen=True):
    """An attempt to tell a partner, in its own word (`said`), and what came of it; `at` is UTC."""

    at: datetime
    partner: int
    version: int
    said: str
    outcome: str
    answer: str | None
    reference: str | None


async def record(connection: AsyncConnection, evse: int, at: datetime) -> Record:
    """What is recorded of an EVSE around `at`: each line is found at the end of an index."""
    latest = await _first(connection, _of(evse).where(_change.c.at <= at), newest=True)
    before = 0 if latest is None else latest.version
    turning = _change.c.from_what != _change.c.to_what
    stored = (await shown_by_evse(connection, [evse]))[evse]
    return Record(
        latest=latest,
        turned=await _first(connection, _of(evse).where(_change.c.version <= before, turning), newest=True),
        following=await _first(connection, _of(evse).where(_change.c.version > before)),
        turns=await _first(connection, _of(evse).where(_change.c.version > before, turning)),
        stored=stored.presentation,
        last_updated=stored.last_updated,
        computed=stored.version > 0 or stored.recheck_at != AT_ONCE,
    )


async def considered(connection: AsyncConnection, evse: int, at: datetime, now: datetime) -> list[TemporaryStatus]:
    """The temporary statuses that may have a say at `at`, as seen at `now`, and those that lately had; by id.

    That is all that are not over, and those that ended within a day before, or would be in effect had nobody ended
    them. For the past none that were made later: nobody knew of them.
    """
    row = _temporary.c
    lately = min(at, now) - LATELY
    which: list[ColumnElement[bool]] = [row.evse == evse]
    not_ended: ColumnElement[bool] = row.ended_at.is_(None)
    ended: ColumnElement[bool] = row.ended_at.is_not(None)
    if at < now:
        which.append(row.created_at <= at)
        not_ended, ended = or_(not_ended, row.ended_at > at), row.ended_at <= at
    to_come = or_(row.valid_to.is_(None), row.valid_to > lately)
    would_be = and_(row.valid_from <= at, row.valid_to > at)
    queries = (
        select(_temporary).where(*which, not_ended, to_come),
        select(_temporary)
        .where(*which, ended, or_(row.ended_at > lately, would_be))
        .order_by(row.id.desc())
        .limit(_MOST_ENDED),
    )
    found = [temporary_status_from(one) for query in queries for one in (await connection.execute(query)).mappings()]
    return sorted(found, key=lambda one: one.id)


async def temporary_statuses(connection: AsyncConnection, ids: Sequence[int]) -> list[TemporaryStatus]:
    """These, as far as they are there."""
    rows = (await connection.execute(select(_temporary).where(_temporary.c.id.in_(ids)))).mappings()
    return [temporary_status_from(row) for row in rows]


async def deliveries(connection: AsyncConnection, evse: int) -> dict[int, Delivery]:
    """What is owed about the status of an EVSE, by partner."""
    query = select(_delivery).where(_delivery.c.evse == evse, _delivery.c.aspect == Aspect.STATUS.value)
    return {row["partner"]: delivery_from(row) for row in (await connection.execute(query)).mappings()}


async def told(connection: AsyncConnection, evse: int, at: datetime) -> dict[int, tuple[Told | None, Told | None]]:
    """By partner: what of the status it took last until `at`, and the last attempt, if that came to something else."""
    row = _attempt.c
    last = select(
        func.max(case((row.outcome == "Delivered", row.id))).label("taken"), func.max(row.id).label("tried")
    ).where(row.evse == evse, row.aspect == Aspect.STATUS.value, row.at <= at)
    pairs = (await connection.execute(last.group_by(row.partner))).all()
    wanted = {one for pair in pairs for one in pair if one is not None}
    rows = (await connection.execute(select(_attempt).where(row.id.in_(wanted)))).mappings()
    found = {one["id"]: _told_from(one) for one in rows}
    answer = {}
    for taken, tried in pairs:
        if tried in found:  # or it has just been thrown away
            answer[found[tried].partner] = (found.get(taken), found[tried] if tried != taken else None)
    return answer


def _of(evse: int) -> Select[Any]:
    return select(_change).where(_change.c.evse == evse)


async def _first(connection: AsyncConnection, query: Select[Any], *, newest: bool = False) -> Change | None:
    order = _change.c.version.desc() if newest else _change.c.version
    row = (await connection.execute(query.order_by(order).limit(1))).mappings().one_or_none()
    if row is None:
        return None
    return Change(
        at=row["at"],
        version=row["version"],
        before=what_from(row["from_what"]),
        after=what_from(row["to_what"]),
        because=row["because"],
        until=row["until"],
    )


def _told_from(row: Any) -> Told:
    return Told(**{name: row[name] for name in Told.__struct_fields__})
