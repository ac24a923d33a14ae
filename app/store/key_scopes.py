"""What a key's scope says, from what people write to the registry's own keys and back."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DomainError, EvseNotFound, MalformedEvseId, MalformedValue
from app.domain.evse_id import operator_key, parse_evse_id
from app.domain.permission import Action
from app.domain.principal import Principal
from app.domain.scope import Scope, Site
from app.store.commands.asking import sees
from app.store.finding import chosen
from app.store.rows import evse_from
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_location = metadata.tables["location"]
_AT_ONCE: Final = 10_000  #: PostgreSQL takes no statement with more than 32,767 values


async def scope_of(
    connection: AsyncConnection,
    by: Principal,
    operators: Sequence[str],
    sites: Sequence[Site],
    evse_ids: Sequence[str],
) -> Scope:
    """Read a scope as it is written: operator ids, sites, EVSE IDs. An EVSE that `by` may not see is not there.

    Raises:
        MalformedEvseId: an operator id or EVSE ID is none.
        EvseNotFound: no such EVSE.
        AmbiguousEvse: an EVSE ID fits several, as its separators are missing.
        MalformedValue: a site is not known.
    """
    return Scope(
        operators=tuple(dict.fromkeys(_operator(one, place) for place, one in enumerate(operators))),
        sites=await _known(connection, by, sites),
        evses=tuple(dict.fromkeys([await _evse_key(connection, by, one, place) for place, one in enumerate(evse_ids)])),
    )


async def sites_called(connection: AsyncConnection, location: str) -> list[Site]:
    """The sites with this location id, of whichever party."""
    found: set[Site] = set()
    for table in (_evse, _location):
        row = table.c
        query = select(row.country, row.party, row.location).where(row.location == location).distinct()
        found |= {(country, party, id_) for country, party, id_ in await connection.execute(query)}
    return sorted(found)


async def without_evses(connection: AsyncConnection, operators: Collection[str]) -> list[str]:
    """Those of these operators of which no EVSE is registered: mistyped, or too early."""
    row = _evse.c
    return [
        one
        for one in operators
        if (await connection.execute(select(row.id).where(row.operator == one).limit(1))).first() is None
    ]


async def evse_names(connection: AsyncConnection, keys: Collection[int]) -> dict[int, str]:
    """How EVSEs are called, by their keys: by EVSE ID, or by uid where they have none."""
    row, wanted = _evse.c, sorted(keys)
    names: dict[int, str] = {}
    for first in range(0, len(wanted), _AT_ONCE):
        some = row.id.in_(wanted[first : first + _AT_ONCE])
        found = await connection.execute(select(row.id, row.evse_id, row.uid).where(some))
        names |= {id_: evse_id or uid for id_, evse_id, uid in found}
    return names


def _operator(written: str, place: int) -> str:
    try:
        return operator_key(written)
    except MalformedEvseId as error:
        raise MalformedEvseId(str(error), field=f"rights.scope.operators[{place}]") from None


async def _evse_key(connection: AsyncConnection, by: Principal, written: str, place: int) -> int:
    field = f"rights.scope.evses[{place}]"
    try:
        evse_id = parse_evse_id(written)
        rows = (await connection.execute(select(_evse).where(_evse.c.evse_id_key == evse_id.key))).mappings()
        seen = sees(by, Action.SEE_EVSES)
        found = chosen(evse_id, [one for one in map(evse_from, rows) if seen(one)])
    except DomainError as error:
        raise type(error)(str(error), field=field) from None
    if found is None:
        raise EvseNotFound(f"no EVSE {written} is registered", field=field)
    return found.id


async def _known(connection: AsyncConnection, by: Principal, sites: Sequence[Site]) -> tuple[Site, ...]:
    """Refuse what is nowhere: mistyped it would be good for nothing. Who sees a part of the fleet is not told."""
    if sites and by.rights.scope.is_everything:
        found: set[Site] = set()
        for table in (_evse, _location):
            columns = (table.c.country, table.c.party, table.c.location)
            query = select(*columns).where(tuple_(*columns).in_(sites)).distinct()
            found |= {(country, party, id_) for country, party, id_ in await connection.execute(query)}
        for place, one in enumerate(sites):
            if one not in found:
                raise MalformedValue(f"no location {'/'.join(one)} is known", field=f"rights.scope.sites[{place}]")
    return tuple(dict.fromkeys(sites))
