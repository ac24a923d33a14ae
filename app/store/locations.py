"""The locations, where EVSEs stand."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.evse import Evse
from app.domain.location import Location
from app.store.prepared import among
from app.store.rows import location_from
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_location = metadata.tables["location"]
_presented = metadata.tables["presented"]


async def of_evses(connection: AsyncConnection, evses: Iterable[Evse]) -> dict[tuple[str, str, str | None], Location]:
    """The locations of these EVSEs that were imported, by country, party and location id."""
    keys = {one.location_key for one in evses if one.location is not None}
    if not keys:
        return {}
    # Column by column, as SQLite finds nothing through an index by several at once; what came along is left out again.
    countries, parties = ({key[place] for key in keys} for place in range(2))
    ids = {id_ for _, _, id_ in keys if id_ is not None}
    at = (
        _location.c.country.in_(countries),
        _location.c.party.in_(parties),
        among(connection, _location.c.location, ids),
    )
    rows = (await connection.execute(select(_location).where(*at))).mappings().all()
    if not rows:
        return {}
    stands = (_evse.c.country, _evse.c.party, _evse.c.location)
    latest = (
        select(*stands, func.max(_presented.c.last_updated))
        .join(_presented, _presented.c.evse == _evse.c.id)
        .where(among(connection, _evse.c.location, ids))
        .group_by(*stands)
    )
    moved = {(country, party, id_): at for country, party, id_, at in await connection.execute(latest)}
    return {
        one.key: msgspec.structs.replace(one, last_updated=max(one.changed_at, moved.get(one.key, one.changed_at)))
        for one in map(location_from, rows)
        if one.key in keys
    }


async def page(connection: AsyncConnection, after: int, limit: int) -> list[Location]:
    """Up to `limit` locations, in the order they were imported; `after` is the key of the last one before."""
    query = select(_location).where(_location.c.id > after).order_by(_location.c.id).limit(limit)
    return [location_from(row) for row in (await connection.execute(query)).mappings()]
