"""Finding a whole part of the fleet: by its operator or its location, each through an index of its own."""

from typing import Any, Final

from sqlalchemy import Select, func, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.evse import Evse
from app.domain.scope import Scope
from app.domain.status import DeploymentState
from app.domain.whole import Whole
from app.store.reach import covered
from app.store.rows import EVSE_COLUMNS, evse_of
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_BY_OPERATOR: Final = "ix_evse_operator_id"
#: Not what was imported: of thousands that is much to read, and whoever is about thousands says nothing about it.
BARE: Final = tuple(null().label(name) if name == "ocpi_object" else _evse.c[name] for name in EVSE_COLUMNS)


async def evses_of(connection: AsyncConnection, whole: Whole, scope: Scope, most: int) -> list[Evse]:
    """Up to `most` EVSEs of a part of the fleet that a scope covers, oldest first, each without its `ocpi_object`."""
    query = _of(select(*BARE), whole).where(covered(scope)).order_by(_evse.c.id).limit(most)
    return [evse_of(row) for row in await connection.execute(query)]


async def count_of(connection: AsyncConnection, whole: Whole, scope: Scope, most: int) -> int:
    """How many that are, up to `most`."""
    some = _of(select(_evse.c.id), whole).where(covered(scope)).limit(most).subquery()
    count: int = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    return count


def _of(query: Select[Any], whole: Whole) -> Select[Any]:
    """Those that are not deprecated. SQLite is told the index, as it would go through all that are in production."""
    row = _evse.c
    query = query.where(row.deployment_state != DeploymentState.DEPRECATED.value)
    if whole.operator is not None:
        return query.where(row.operator == whole.operator).with_hint(_evse, f"INDEXED BY {_BY_OPERATOR}", "sqlite")
    query = query.where(row.location == whole.location)
    if whole.country is not None:
        query = query.where(row.country == whole.country)
    return query if whole.party is None else query.where(row.party == whole.party)
