"""How the brakes stand."""

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.brake import Braked, Group
from app.store import dialect
from app.store.tables import metadata

_brake = metadata.tables["brake"]
_FIELDS = ("tripped_at", "tripped_by", "evses", "of", "refused", "held_until", "lifted_until", "lifted_by")


def braked_from(row: RowMapping) -> Braked:
    site = None if row["location"] is None else (row["country"], row["party"], row["location"])
    return Braked(group=Group(row["operator"], site), **{field: row[field] for field in _FIELDS})


def values(braked: Braked) -> dict[str, Any]:
    country, party, location = braked.group.site or (None, None, None)
    place = {"operator": braked.group.operator, "country": country, "party": party, "location": location}
    return {"name": braked.group.name, **place, **{field: getattr(braked, field) for field in _FIELDS}}


async def save(connection: AsyncConnection, braked: Braked) -> None:
    """Write how a brake stands; its row is there and locked by the caller."""
    await connection.execute(update(_brake).where(_brake.c.name == braked.group.name).values(values(braked)))


async def locked(connection: AsyncConnection, group: Group) -> Braked:
    """Find how the brake of a group stands, and keep everybody else from it until the commit."""
    await connection.execute(dialect.insert_or_ignore(connection, _brake).values(values(Braked(group=group))))
    row = await connection.execute(select(_brake).where(_brake.c.name == group.name).with_for_update())
    return braked_from(row.mappings().one())


async def at_work(connection: AsyncConnection, at: datetime) -> list[Braked]:
    """Those that hold, and those that are lifted, at `at`; by name."""
    row = _brake.c
    query = select(_brake).where(or_(row.held_until > at, row.lifted_until > at)).order_by(row.name)
    return [braked_from(one) for one in (await connection.execute(query)).mappings()]
