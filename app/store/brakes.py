"""How the brakes stand: looked at, and lifted."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, RowMapping, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.brake import Braked, Group, Hold
from app.domain.errors import BrakeNotFound
from app.domain.evse import Evse
from app.domain.permission import Action, Allowed, Within, may
from app.domain.principal import Principal
from app.store import dialect, keys
from app.store.commands.asking import demand
from app.store.rows import evse_from
from app.store.tables import metadata

_brake = metadata.tables["brake"]
_evse = metadata.tables["evse"]
_audit = metadata.tables["audit"]
_FIELDS = ("tripped_at", "tripped_by", "evses", "of", "refused", "lifted_until", "lifted_by")


def braked_from(row: RowMapping) -> Braked:
    site = None if row["location"] is None else (row["country"], row["party"], row["location"])
    return Braked(
        group=Group(row["operator"], site),
        held=msgspec.convert(row["held"] or {}, dict[str, Hold]),
        **{field: row[field] for field in _FIELDS},
    )


def values(braked: Braked) -> dict[str, Any]:
    country, party, location = braked.group.site or (None, None, None)
    place = {"operator": braked.group.operator, "country": country, "party": party, "location": location}
    held = {"held": msgspec.to_builtins(braked.held) or None}
    return {"name": braked.group.name, **place, **held, **{field: getattr(braked, field) for field in _FIELDS}}


async def save(connection: AsyncConnection, braked: Braked) -> None:
    """Write how a brake stands; its row is there and locked by the caller."""
    await connection.execute(update(_brake).where(_brake.c.name == braked.group.name).values(values(braked)))


async def at_work(connection: AsyncConnection, by: Principal, at: datetime) -> list[Braked]:
    """Those that hold, and those that are lifted, at `at`, as far as `by` may see them; by name."""
    row = _brake.c
    query = select(_brake).where(or_(row.held.is_not(None), row.lifted_until > at)).order_by(row.name)
    found = [braked_from(one) for one in (await connection.execute(query)).mappings()]
    return [
        one
        for one in found
        if (one.holding(at) or one.is_lifted(at))
        and isinstance(
            may(by, Action.SEE_BRAKES, Within(one.group.scope, await _members(connection, one.group))), Allowed
        )
    ]


async def lift(connection: AsyncConnection, by: Principal, group: Group, at: datetime, until: datetime) -> Braked:
    """Let everything through at a site or an operator until `until`; up to `at` it counts anew at once.

    Raises:
        BrakeNotFound: no EVSE is registered there, or none that `by` may see.
        KeyNotGood: the key that asks was revoked since the call began.
    """
    by = await keys.held(connection, by, at)
    unknown = BrakeNotFound(f"no EVSE of {group.name} is registered")
    if not await _exists(connection, group):
        raise unknown
    demand(by, Action.LIFT_BRAKES, Within(group.scope, await _members(connection, group)), unknown)
    await connection.execute(dialect.insert_or_ignore(connection, _brake).values(values(Braked(group=group))))
    row = await connection.execute(select(_brake).where(_brake.c.name == group.name).with_for_update())
    lifted = braked_from(row.mappings().one()).lifted(by.id, until)
    await save(connection, lifted)
    note = {"at": at, "actor": by.id, "action": "lift", "subject": f"brake of {group.name}", "operator": group.operator}
    await connection.execute(insert(_audit).values(note))
    return lifted


async def _exists(connection: AsyncConnection, group: Group) -> bool:
    return (await connection.execute(select(_evse.c.id).where(of_group(group)).limit(1))).first() is not None


async def _members(connection: AsyncConnection, group: Group) -> tuple[Evse, ...]:
    """The EVSEs of a site. Those of an operator are too many to look at, and its name says as much."""
    if group.site is None:
        return ()
    rows = await connection.execute(select(_evse).where(of_group(group)))
    return tuple(evse_from(row) for row in rows.mappings())


def of_group(group: Group) -> ColumnElement[bool]:
    """The condition for the EVSEs of an operator or a site."""
    if group.site is None:
        return _evse.c.operator == group.operator
    country, party, location = group.site
    return and_(_evse.c.location == location, _evse.c.country == country, _evse.c.party == party)
