"""Finding a whole part of the fleet: by its operator or its location, each through an index of its own."""

from typing import Final

from sqlalchemy import ColumnElement, and_, func, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.evse import Evse
from app.domain.scope import Scope
from app.domain.status import DeploymentState
from app.domain.whole import Whole
from app.store.reach import covered
from app.store.rows import evse_from
from app.store.tables import metadata

_evse = metadata.tables["evse"]
#: Not what was imported: of thousands that is much to read, and whoever is about thousands says nothing about it.
BARE: Final = (
    *(one for one in _evse.c if one.name != "ocpi_object"),
    null().label("ocpi_object"),
)


async def evses_of(connection: AsyncConnection, whole: Whole, scope: Scope, most: int) -> list[Evse]:
    """Up to `most` EVSEs of a part of the fleet that a scope covers, oldest first, each without its `ocpi_object`."""
    found: dict[int, Evse] = {}
    for each in _conditions(whole):
        query = select(*BARE).where(each, covered(scope)).order_by(_evse.c.id).limit(most)
        rows = (await connection.execute(query)).mappings()
        found |= {one.id: one for one in map(evse_from, rows)}
    return [found[key] for key in sorted(found)][:most]


async def count_of(connection: AsyncConnection, whole: Whole, scope: Scope, most: int) -> int:
    """How many that are, up to `most`."""
    count = 0
    for each in _conditions(whole):
        some = select(_evse.c.id).where(each, covered(scope)).limit(most).subquery()
        count += (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    return min(most, count)


def _conditions(whole: Whole) -> list[ColumnElement[bool]]:
    """One for each query: those of an operator that are in stock have an index of their own."""
    row = _evse.c
    state = row.deployment_state
    if whole.operator is not None:
        states = (DeploymentState.PRODUCTION, DeploymentState.STOCK)
        return [and_(row.operator == whole.operator, state == one.value) for one in states]
    named = [row.location == whole.location, state != DeploymentState.DEPRECATED.value]
    if whole.country is not None:
        named.append(row.country == whole.country)
    if whole.party is not None:
        named.append(row.party == whole.party)
    return [and_(*named)]
