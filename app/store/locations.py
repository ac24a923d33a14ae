"""The locations, where EVSEs stand."""

from collections.abc import Iterable

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.evse import Evse
from app.domain.location import Location
from app.store.rows import location_from
from app.store.tables import metadata

_location = metadata.tables["location"]


async def of_evses(connection: AsyncConnection, evses: Iterable[Evse]) -> dict[tuple[str, str, str | None], Location]:
    """The locations of these EVSEs that were imported, by country, party and location id."""
    keys = {one.location_key for one in evses if one.location is not None}
    if not keys:
        return {}
    key = tuple_(_location.c.country, _location.c.party, _location.c.location)
    rows = (await connection.execute(select(_location).where(key.in_(keys)))).mappings()
    return {one.key: one for one in (location_from(row) for row in rows)}
