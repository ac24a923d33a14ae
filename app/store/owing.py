"""What is owed about many EVSEs at once: deliveries that are there already move on in one statement a partner."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect
from app.store.instants import Instant
from app.store.prepared import Among, Prepared
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
_NOW: Final = bindparam("now", type_=Instant)
_GENERATION: Final = bindparam("of_generation", type_=_delivery.c.generation.type)
_SOONEST: Final = case((_delivery.c.next_at < _NOW, _delivery.c.next_at), else_=_NOW)


def _theirs(among: Among) -> ColumnElement[bool]:
    return and_(_delivery.c.partner == bindparam("of_partner", type_=_delivery.c.partner.type), among(_delivery.c.evse))


def _these(among: Among, aspect: Aspect) -> ColumnElement[bool]:
    return and_(_theirs(among), _delivery.c.aspect == aspect.value, _delivery.c.generation == _GENERATION)


def _moving(aspect: Aspect, due: ColumnElement[Any]) -> Prepared:
    return Prepared(
        lambda among: update(_delivery).where(_these(among, aspect)).values(want=_WANTED[aspect], next_at=due)
    )


def _counting(aspect: Aspect) -> Prepared:
    right = _delivery.c.want == _WANTED[aspect]
    return Prepared(lambda among: select(func.count()).select_from(_delivery).where(_these(among, aspect), right))


_LOCK: Final = Prepared(
    lambda among: select(func.count()).select_from(
        select(_delivery.c.evse)
        .where(among(_delivery.c.evse))
        .order_by(_delivery.c.evse, _delivery.c.partner, _delivery.c.aspect.desc())
        .with_for_update()
        .subquery()
    )
)
_MOVE: Final = {aspect: _moving(aspect, _SOONEST) for aspect in Aspect}
_MOVE_IF_TOLD: Final = {aspect: _moving(aspect, case((_NEVER_TOLD, None), else_=_SOONEST)) for aspect in Aspect}
_COUNT: Final = {aspect: _counting(aspect) for aspect in Aspect}
_WANTED_OF_ITS: Final = case(
    (_delivery.c.aspect == Aspect.STATUS.value, _WANTED[Aspect.STATUS]), else_=_WANTED[Aspect.SCHEDULE]
)
_WRONG: Final = Prepared(
    lambda among: (
        select(_delivery.c.evse)
        .where(_theirs(among), (_delivery.c.generation != _GENERATION) | (_delivery.c.want != _WANTED_OF_ITS))
        .limit(1)
    )
)


async def lock(connection: AsyncConnection, evses: Collection[int]) -> None:
    """Lock all that is owed about these EVSEs, in the order in which everybody does who locks many."""
    if connection.dialect.name != "sqlite":
        await _LOCK.run(connection, evses)


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
    moving = (_MOVE_IF_TOLD if unless_never_told else _MOVE)[aspect]
    return (await moving.run(connection, evses, of_partner=partner, of_generation=generation, now=at)).rowcount


async def count_right(
    connection: AsyncConnection, partner: int, generation: int, aspect: Aspect, evses: Collection[int]
) -> int:
    """Of how many of these EVSEs a delivery of this generation is there that wants what is presented now."""
    if not evses:
        return 0
    counted = await _COUNT[aspect].run(connection, evses, of_partner=partner, of_generation=generation)
    count: int = counted.scalar_one()
    return count


async def is_any_wrong(connection: AsyncConnection, partner: int, generation: int, evses: Collection[int]) -> bool:
    """Tell whether there is a delivery of any of these EVSEs that is not of this generation, or lags behind."""
    wrong = await _WRONG.run(connection, evses, of_partner=partner, of_generation=generation)
    return wrong.first() is not None
