"""EVSEs that are looked at one by one, each with all that lives on it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import null, select

from app.clock import Clock
from app.domain.errors import EvseNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId
from app.domain.temporary_status import TemporaryStatus
from app.store.database import Database
from app.store.finding import chosen, everybody
from app.store.gathered import Gathered
from app.store.presented import live_by_evse
from app.store.rows import evse_from
from app.store.tables import metadata

_evse = metadata.tables["evse"]
# Without what was imported, which is by far the largest part of a row.
_columns: Final = [null().label(one.name) if one.name == "ocpi_object" else one for one in _evse.c]


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
            at = self._clock.now()
            rows = (await connection.execute(select(*_columns).where(_evse.c.evse_id_key.in_(keys)))).mappings()
            evses = [evse_from(row) for row in rows]
            live = await live_by_evse(connection, [one.id for one in evses], at)
        found: dict[str, list[LookedUp]] = {}
        for one in evses:
            found.setdefault(one.key or "", []).append(LookedUp(one, live.get(one.id, []), at))
        return found
