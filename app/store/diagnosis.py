"""What may be wrong with a fleet and its partners, counted by the database: a fleet may have half a million EVSEs."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.status import DeploymentState
from app.store.due import AT_ONCE
from app.store.tables import metadata

_chore = metadata.tables["chore"]
_delivery = metadata.tables["delivery"]
_evse = metadata.tables["evse"]
_location = metadata.tables["location"]
_presented = metadata.tables["presented"]
_in_production: Final = _evse.c.deployment_state == DeploymentState.PRODUCTION.value

EXAMPLES: Final = 3
SAMPLE: Final = 1000  #: refusals whose reasons are read


class Some(msgspec.Struct, frozen=True):
    """How many EVSEs, and up to `EXAMPLES` of them as people know them."""

    count: int
    examples: list[str]


async def overdue(connection: AsyncConnection, before: datetime) -> tuple[int, datetime | None]:
    """Count the EVSEs that should have been computed anew before this, and tell since when the first of them should."""
    recheck_at = _presented.c.recheck_at
    boundaries = select(func.count(), func.min(recheck_at)).where(recheck_at > AT_ONCE, recheck_at <= before)
    # When something was touched is not written down, but for one that was never looked at.
    never = (
        select(func.count(), func.min(_evse.c.updated_at))
        .join(_evse, _evse.c.id == _presented.c.evse)
        .where(recheck_at == AT_ONCE, _presented.c.version == 0, _in_production, _evse.c.updated_at <= before)
    )
    counted = [(await connection.execute(query)).one() for query in (boundaries, never)]
    return sum(count for count, _ in counted), min((since for _, since in counted if since is not None), default=None)


async def last_at_work(connection: AsyncConnection) -> datetime | None:
    """When some service last did a chore; `None` if there never was one."""
    query = select(func.max(_chore.c.last_run_at)).where(_chore.c.last_run_at > AT_ONCE)
    last: datetime | None = (await connection.execute(query)).scalar_one()
    return last


async def refused(connection: AsyncConnection, partner: int, *, for_good: bool) -> tuple[int, list[str]]:
    """Count the EVSEs whose latest status a partner refused, with reasons of up to `SAMPLE` of them.

    `for_good`: those that stay parked until something changes; otherwise those that are tried again slowly.
    """
    row = _delivery.c
    again = row.next_at.is_(None) if for_good else row.next_at.is_not(None)
    which = (row.partner == partner, row.rejected_version == row.want, again)
    count = (await connection.execute(select(func.count()).where(*which))).scalar_one()
    reasons = select(row.last_error).where(*which, row.last_error.is_not(None)).order_by(row.evse).limit(SAMPLE)
    return count, list((await connection.execute(reasons)).scalars()) if count else []


async def of_other_operators(connection: AsyncConnection, operators: Collection[str]) -> dict[str, Some]:
    """The EVSEs in production of none of these operators, by operator, most EVSEs first.

    Those without an EVSE ID are left out: they have an operator of sorts, their OCPI party, but Hubject knows neither.
    """
    operator = _evse.c.operator
    numbered = (
        select(
            operator,
            _evse.c.evse_id,
            func.count().over(partition_by=operator).label("count"),
            func.row_number().over(partition_by=operator, order_by=_evse.c.id).label("number"),
        )
        .where(_in_production, _evse.c.evse_id.is_not(None), operator.not_in(operators))
        .subquery()
    )
    query = (
        select(numbered)
        .where(numbered.c.number <= EXAMPLES)
        .order_by(numbered.c.count.desc(), numbered.c.operator, numbered.c.number)
    )
    found: dict[str, Some] = {}
    for other, evse_id, count, _ in await connection.execute(query):
        found.setdefault(other, Some(count, [])).examples.append(evse_id)
    return found


async def without_evse_id(connection: AsyncConnection) -> Some:
    """The EVSEs in production that have no EVSE ID, called by their OCPI country, party and uid."""
    return await _some(connection, _evse.c.evse_id.is_(None))


async def not_imported(connection: AsyncConnection) -> Some:
    """The EVSEs in production of which no OCPI object, or no location, was imported."""
    same = (
        _location.c.country == _evse.c.country,
        _location.c.party == _evse.c.party,
        _location.c.location == _evse.c.location,
    )
    stands = select(_location.c.id).where(*same).exists()
    return await _some(connection, _evse.c.ocpi_version.is_(None) | ~stands)


async def unlike(connection: AsyncConnection, pattern: str) -> Some:
    """The EVSEs in production whose EVSE ID in capitals does not match this regular expression from end to end."""
    return await _some(connection, ~func.upper(_evse.c.evse_id).regexp_match(f"^({pattern})$"))


async def _some(connection: AsyncConnection, condition: ColumnElement[bool]) -> Some:
    count = (await connection.execute(select(func.count()).where(_in_production, condition))).scalar_one()
    if not count:
        return Some(0, [])
    columns = (_evse.c.evse_id, _evse.c.country, _evse.c.party, _evse.c.uid)
    query = select(*columns).where(_in_production, condition).order_by(_evse.c.id).limit(EXAMPLES)
    rows = await connection.execute(query)
    return Some(count, [evse_id or f"{country} {party} {uid}" for evse_id, country, party, uid in rows])
