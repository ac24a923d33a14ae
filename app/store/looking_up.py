"""EVSEs that are looked at one by one, each with all that lives on it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.clock import Clock
from app.domain.errors import EvseNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId
from app.domain.temporary_status import TemporaryStatus
from app.store.database import Database
from app.store.finding import chosen, everybody, live_of
from app.store.gathered import Gathered
from app.store.instants import Instant
from app.store.prepared import Prepared
from app.store.rows import evse_from, temporary_status_from
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]
# Without what was imported, which is by far the largest part of a row.
_columns: Final = [null().label(one.name) if one.name == "ocpi_object" else one for one in _evse.c]
_BY_KEY: Final = Prepared(lambda among: select(*_columns).where(among(_evse.c.evse_id_key)))
_LIVE: Final = Prepared(
    lambda among: (
        select(_temporary)
        .where(live_of(among(_temporary.c.evse), bindparam("at", type_=Instant)))
        .order_by(_temporary.c.id)
    )
)


class LookedUp(msgspec.Struct, frozen=True):
    """An EVSE, without what was imported of it, and what was not over on it at the instant `at` (UTC)."""

    evse: Evse
    live: list[TemporaryStatus]
    at: datetime


class EvseReader:
    """Looks EVSEs up for requests, those that are asked for at the same time together."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._by_key: Gathered[str, list[LookedUp]] = Gathered(self._read)

    async def named(self, evse_id: EvseId, seen: Callable[[Evse], bool] = everybody) -> LookedUp:
        """Find the registered EVSE that a written EVSE ID names, among those that are `seen`.

        Raises:
            EvseNotFound: none.
            AmbiguousEvse: several, as the separators are missing.
        """
        there = {one.evse.id: one for one in await self._by_key.ask(evse_id.key) or () if seen(one.evse)}
        found = chosen(evse_id, [one.evse for one in there.values()])
        if found is None:
            raise EvseNotFound(f"no EVSE {evse_id.written} is registered", field="evseId")
        return there[found.id]

    async def _read(self, keys: Sequence[str]) -> Mapping[str, list[LookedUp]]:
        async with self._database.read() as connection:
            return await look(connection, keys, self._clock.now())


async def look(connection: AsyncConnection, keys: Collection[str], at: datetime) -> Mapping[str, list[LookedUp]]:
    """What there is at `at` under each of these keys of EVSE IDs; those under which there is nothing are left out."""
    rows = (await _BY_KEY.run(connection, keys)).mappings()
    found = {one.id: LookedUp(one, [], at) for one in map(evse_from, rows)}
    for one in map(temporary_status_from, (await _LIVE.run(connection, found, at=at)).mappings()):
        found[one.evse].live.append(one)
    by_key: dict[str, list[LookedUp]] = {}
    for looked_up in found.values():
        by_key.setdefault(looked_up.evse.key or "", []).append(looked_up)
    return by_key
