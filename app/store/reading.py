"""What the API and the command line read. Presented statuses are derived, so a read after a write shows the write."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import EvseNotFound, TemporaryStatusNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId
from app.domain.permission import sees_others
from app.domain.principal import COMMAND_LINE, Principal
from app.domain.scope import EVERYTHING, Scope
from app.domain.status import DeploymentState, Kind
from app.domain.temporary_status import State, TemporaryStatus
from app.store.finding import chosen, everybody
from app.store.presented import evses_by_id
from app.store.reach import covered
from app.store.rows import evse_from, temporary_status_from
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]


class TemporaryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which temporary statuses are wanted, of those that `by` may see. `after` is the id of the last one before."""

    by: Principal = COMMAND_LINE
    evses: tuple[int, ...] = ()
    state: State | None = None
    kind: Kind | None = None
    after: int = 0
    limit: int = 100


class FleetQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which EVSEs are wanted, of those in `scope`. `after` is the key of the last one on the page before."""

    scope: Scope = EVERYTHING
    location: str | None = None
    deployment: DeploymentState | None = None
    after: int = 0
    limit: int = 100


async def evse_named(connection: AsyncConnection, evse_id: EvseId, seen: Callable[[Evse], bool] = everybody) -> Evse:
    """Find the registered EVSE that a written EVSE ID names, among those that are `seen`.

    Raises:
        EvseNotFound: none.
        AmbiguousEvse: several, as the separators are missing.
    """
    rows = await connection.execute(select(_evse).where(_evse.c.evse_id_key == evse_id.key))
    found = chosen(evse_id, [one for row in rows.mappings() if seen(one := evse_from(row))])
    if found is None:
        raise EvseNotFound(f"no EVSE {evse_id.written} is registered", field="evseId")
    return found


async def fleet(connection: AsyncConnection, wanted: FleetQuery) -> list[Evse]:
    query = select(_evse).where(_evse.c.id > wanted.after, covered(wanted.scope))
    if wanted.location is not None:
        query = query.where(_evse.c.location == wanted.location)
    if wanted.deployment is not None:
        query = query.where(_evse.c.deployment_state == wanted.deployment.value)
    rows = await connection.execute(query.order_by(_evse.c.id).limit(wanted.limit))
    return [evse_from(row) for row in rows.mappings()]


async def temporary_status(connection: AsyncConnection, temporary_id: int) -> tuple[TemporaryStatus, Evse]:
    """Find a temporary status by its id, over or not.

    Raises:
        TemporaryStatusNotFound: there is none.
    """
    found = await _with_evses(connection, select(_temporary).where(_temporary.c.id == temporary_id))
    if not found:
        raise TemporaryStatusNotFound(f"no temporary status {temporary_id}")
    return found[0]


async def by_ref(connection: AsyncConnection, owner: str, ref: str) -> tuple[TemporaryStatus, Evse]:
    """Find what `owner` last made under its reference, over or not.

    Raises:
        TemporaryStatusNotFound: it never made anything under it.
    """
    query = select(_temporary).where(_temporary.c.created_by == owner, _temporary.c.ref == ref)
    found = await _with_evses(connection, query.order_by(_temporary.c.id.desc()).limit(1))
    if not found:
        raise TemporaryStatusNotFound(f"nothing was made under the reference {ref} with this key")
    return found[0]


async def temporary_statuses(
    connection: AsyncConnection, wanted: TemporaryQuery, at: datetime
) -> list[tuple[TemporaryStatus, Evse]]:
    """A page of temporary statuses, oldest first. What `state` means is the domain's; this only says it in SQL.

    A page is full of what may be seen. Its own everybody sees, also where they are not good for any more; so whoever
    sees those of others, but not everywhere, is asked for twice, each time by an index.
    """
    by, scope = wanted.by, wanted.by.rights.scope
    query = select(_temporary).where(_temporary.c.id > wanted.after)
    if wanted.evses:
        query = query.where(_temporary.c.evse.in_(wanted.evses))
    if wanted.kind is not None:
        query = query.where(_temporary.c.kind == wanted.kind.value)
    if wanted.state is not None:
        query = query.where(in_state(wanted.state, at))
    query = query.order_by(_temporary.c.id).limit(wanted.limit)
    own = query.where(_temporary.c.created_by == by.id)
    if not sees_others(by):
        return await _with_evses(connection, own)
    if scope.is_everything:
        return await _with_evses(connection, query)
    within = query.join(_evse, _evse.c.id == _temporary.c.evse).where(covered(scope))
    found = {one.id: (one, evse) for each in (own, within) for one, evse in await _with_evses(connection, each)}
    return [found[key] for key in sorted(found)][: wanted.limit]


def in_state(state: State, at: datetime) -> ColumnElement[bool]:
    """Say in SQL what `TemporaryStatus.state` says in Python; a property test holds the two together."""
    row = _temporary.c
    begun = row.valid_from <= at
    over = or_(
        and_(row.valid_to.is_not(None), row.valid_to <= at),
        and_(row.ended_at.is_not(None), or_(row.ended_at <= at, row.ended_at <= row.valid_from)),
    )
    match state:
        case State.PLANNED:
            return and_(~begun, ~over)
        case State.ACTIVE:
            return and_(begun, ~over)
        case State.ENDED:
            return over


async def _with_evses(connection: AsyncConnection, query: Select[Any]) -> list[tuple[TemporaryStatus, Evse]]:
    found: Sequence[TemporaryStatus] = [
        temporary_status_from(row) for row in (await connection.execute(query)).mappings()
    ]
    evses = await evses_by_id(connection, {one.evse for one in found})
    return [(one, evses[one.evse]) for one in found]


async def fleet_size(connection: AsyncConnection) -> int:
    """How many EVSEs are registered, deprecated ones too."""
    size: int = (await connection.execute(select(func.count()).select_from(_evse))).scalar_one()
    return size
