"""What is owed about many EVSEs at once: deliveries that are there already move on in one statement a partner."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect
from app.store.bulk import among
from app.store.tables import metadata

_delivery = metadata.tables["delivery"]
_presented = metadata.tables["presented"]

_WANTED: Final = {
    aspect: select(_presented.c[f"{aspect.value}_version"])
    .where(_presented.c.evse == _delivery.c.evse)
    .correlate(_delivery)
    .scalar_subquery()
    for aspect in Aspect
}
#: The partner did not ask for what was there before it, and was told nothing since: see `resolving.owed_by`.
_NEVER_TOLD: Final = and_(
    _delivery.c.next_at.is_(None),
    _delivery.c.rejected_version.is_(None),
    _delivery.c.acked.is_not(None),
    _delivery.c.acked_at.is_(None),
)


async def lock(connection: AsyncConnection, evses: Collection[int]) -> None:
    """Lock all that is owed about these EVSEs, in the order in which everybody does who locks many."""
    if connection.dialect.name != "sqlite":
        order = (_delivery.c.evse, _delivery.c.partner, _delivery.c.aspect.desc())
        locked = select(_delivery.c.evse).where(among(connection, _delivery.c.evse, evses)).order_by(*order)
        await connection.execute(select(func.count()).select_from(locked.with_for_update().subquery()))


async def move_on(
    connection: AsyncConnection,
    partner: int,
    generation: int,
    aspect: Aspect,
    evses: Collection[int],
    at: datetime,
    *,
    unless_never_told: bool = False,
) -> int:
    """Owe what is presented now, where a delivery of this generation is there; return of how many EVSEs one is.

    `unless_never_told`: it is no reason to begin to tell the partner of one.
    """
    if not evses:
        return 0
    soonest = case((_delivery.c.next_at < at, _delivery.c.next_at), else_=at)
    due: ColumnElement[Any] = case((_NEVER_TOLD, None), else_=soonest) if unless_never_told else soonest
    moved = update(_delivery).where(*_these(connection, partner, generation, aspect, evses))
    return (await connection.execute(moved.values(want=_WANTED[aspect], next_at=due))).rowcount


async def count_right(
    connection: AsyncConnection, partner: int, generation: int, aspect: Aspect, evses: Collection[int]
) -> int:
    """Of how many of these EVSEs a delivery of this generation is there that wants what is presented now."""
    if not evses:
        return 0
    right = (*_these(connection, partner, generation, aspect, evses), _delivery.c.want == _WANTED[aspect])
    return (await connection.execute(select(func.count()).select_from(_delivery).where(*right))).scalar_one()


async def is_any_wrong(connection: AsyncConnection, partner: int, generation: int, evses: Collection[int]) -> bool:
    """Tell whether there is a delivery of any of these EVSEs that is not of this generation, or lags behind."""
    wanted = case((_delivery.c.aspect == Aspect.STATUS.value, _WANTED[Aspect.STATUS]), else_=_WANTED[Aspect.SCHEDULE])
    wrong = (_delivery.c.generation != generation) | (_delivery.c.want != wanted)
    theirs = (_delivery.c.partner == partner, among(connection, _delivery.c.evse, evses))
    return (await connection.execute(select(_delivery.c.evse).where(*theirs, wrong).limit(1))).first() is not None


def _these(
    connection: AsyncConnection, partner: int, generation: int, aspect: Aspect, evses: Collection[int]
) -> tuple[ColumnElement[bool], ...]:
    return (
        _delivery.c.partner == partner,
        among(connection, _delivery.c.evse, evses),
        _delivery.c.aspect == aspect.value,
        _delivery.c.generation == generation,
    )
