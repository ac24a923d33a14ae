"""What the API and the command line read. Presented statuses are derived, so a read after a write shows the write."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import EvseNotFound, TemporaryStatusNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId
from app.domain.presentation import present
from app.domain.temporary_status import TemporaryStatus
from app.store.finding import chosen, everybody
from app.store.fleet_lists import FleetQuery, fleet_page
from app.store.presented import evses_by_id, live_by_evse
from app.store.rows import evse_from, temporary_status_from
from app.store.tables import metadata
from app.store.temporary_lists import TemporaryQuery, temporary_page

__all__ = ["FleetQuery", "TemporaryQuery"]  # what is asked with; the functions below need no mention

_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]


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


async def evses_named(
    connection: AsyncConnection, evse_ids: Sequence[EvseId], seen: Callable[[Evse], bool] = everybody
) -> list[Evse]:
    """Find the registered EVSEs that written EVSE IDs name, among those that are `seen`, each once.

    Raises:
        EvseNotFound: one of them names none.
        AmbiguousEvse: one names several, as the separators are missing.
    """
    query = select(_evse).where(_evse.c.evse_id_key.in_({one.key for one in evse_ids}))
    same_key: dict[str | None, list[Evse]] = {}
    for row in (await connection.execute(query)).mappings():
        if seen(one := evse_from(row)):
            same_key.setdefault(one.key, []).append(one)
    found: dict[int, Evse] = {}
    for evse_id in evse_ids:
        named = chosen(evse_id, same_key.get(evse_id.key, []))
        if named is None:
            raise EvseNotFound(f"no EVSE {evse_id.written} is registered", field="evseId")
        found[named.id] = named
    return list(found.values())


async def fleet(connection: AsyncConnection, wanted: FleetQuery) -> list[Evse]:
    """A page of EVSEs in the order of registration; not by what is `shown`, for which there is `fleet_showing`."""
    return [evse_from(row) for row in await fleet_page(connection, wanted, None)]


async def fleet_showing(
    connection: AsyncConnection, wanted: FleetQuery, at: datetime, max_age: timedelta | None
) -> list[Evse]:
    """The same by what is `shown` at `at`: what nobody has looked at yet is derived, as for one EVSE alone."""
    found: list[Evse] = []
    while True:
        page = [evse_from(row) for row in await fleet_page(connection, wanted, at)]
        live = await live_by_evse(connection, [one.id for one in page], at)
        for one in page:
            shown = present(one.deployment, one.actual(max_age), live.get(one.id, []), at)
            if shown.what.value in wanted.shown:
                found.append(one)
        if len(page) < wanted.limit or len(found) >= wanted.limit:
            return found[: wanted.limit]
        wanted = msgspec.structs.replace(wanted, after=page[-1].id)


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
    """A page of temporary statuses, oldest first. A page is full of what may be seen."""
    return await _beside(connection, await temporary_page(connection, wanted, at))


async def _with_evses(connection: AsyncConnection, query: Select[Any]) -> list[tuple[TemporaryStatus, Evse]]:
    return await _beside(connection, (await connection.execute(query)).mappings())


async def _beside(connection: AsyncConnection, rows: Iterable[RowMapping]) -> list[tuple[TemporaryStatus, Evse]]:
    found: Sequence[TemporaryStatus] = [temporary_status_from(row) for row in rows]
    evses = await evses_by_id(connection, {one.evse for one in found})
    return [(one, evses[one.evse]) for one in found]


async def fleet_size(connection: AsyncConnection) -> int:
    """How many EVSEs are registered, deprecated ones too."""
    size: int = (await connection.execute(select(func.count()).select_from(_evse))).scalar_one()
    return size
