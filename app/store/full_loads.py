"""Full loads: who asked for one, what goes into it, and what a partner has after it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect, Delivery, Notice
from app.domain.full_load import FullLoad
from app.domain.presentation import Gate
from app.store import presented
from app.store.dialect import insert_or_ignore
from app.store.rows import delivery_from
from app.store.tables import metadata

_load = metadata.tables["full_load"]
_delivery = metadata.tables["delivery"]


class Loaded(msgspec.Struct, frozen=True):
    """What a load said about one EVSE, and the delivery as it was when that was found out."""

    delivery: Delivery
    version: int
    digest: str


async def find(connection: AsyncConnection, partner: int) -> FullLoad | None:
    row = (await connection.execute(select(_load).where(_load.c.partner == partner))).mappings().one_or_none()
    return None if row is None else FullLoad(**row)


async def change(
    connection: AsyncConnection, partner: int, at: datetime, decide: Callable[[FullLoad], FullLoad]
) -> FullLoad:
    """Store what `decide` makes of how the loads of a partner stand; of a new one, where nothing was known of them."""
    query = select(_load).where(_load.c.partner == partner).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:  # two may find that at once: whoever asks for the first load, and the lane that looks for one
        first = msgspec.structs.asdict(FullLoad(partner=partner, settled_at=at))
        await connection.execute(insert_or_ignore(connection, _load).values(first))
        row = (await connection.execute(query)).mappings().one()
    old = FullLoad(**row)
    new = decide(old)
    if new != old:
        await connection.execute(update(_load).where(_load.c.partner == partner).values(msgspec.structs.asdict(new)))
    return new


async def ask(connection: AsyncConnection, partner: int, by: str, at: datetime, *, forced: bool) -> FullLoad:
    """Have one made as soon as the partner's lane gets to it."""
    return await change(connection, partner, at, lambda load: load.asked(by, at, forced=forced))


async def page(
    connection: AsyncConnection, partner: int, after: int, limit: int
) -> tuple[list[tuple[Delivery, Notice]], int | None]:
    """What a load has to say of the next `limit` EVSEs, by key; and the key to go on from, `None` at the end.

    Left out are those that are gone, or no longer for this partner, and those that it refused: they would spoil it.
    """
    query = select(_delivery).where(
        _delivery.c.partner == partner, _delivery.c.evse > after, _delivery.c.aspect == Aspect.STATUS.value
    )
    rows = (await connection.execute(query.order_by(_delivery.c.evse).limit(limit))).mappings().all()
    wanted = [delivery_from(row) for row in rows if row["generation"] > 0 and row["rejected_version"] is None]
    notices = await presented.notices(connection, [one.evse for one in wanted])
    found = [(one, notices[one.evse][0]) for one in wanted]
    shared = [(one, notice) for one, notice in found if not isinstance(notice.presentation.what, Gate)]
    return shared, rows[-1]["evse"] if len(rows) == limit else None


async def acknowledge(connection: AsyncConnection, loaded: Sequence[Loaded], at: datetime) -> None:
    """Note that the partner has what a load said. Whatever became owed meanwhile stays owed.

    Nothing is noted of what is suspect: an older request may yet be applied over the load, so it is told once more.
    """
    if values := [
        {
            "key_partner": one.delivery.partner,
            "key_evse": one.delivery.evse,
            "version": one.version,
            "digest": one.digest,
            "old_digest": one.delivery.acked_digest or "",
            "old_generation": one.delivery.generation,
            "acknowledged_at": at,
        }
        for one in loaded
    ]:
        await connection.execute(_acknowledge, values)


async def owe_everything(connection: AsyncConnection, partner: int, at: datetime) -> None:
    """Owe everything once more that the partner was ever told, whatever it acknowledged."""
    told = (_delivery.c.partner == partner, _delivery.c.rejected_version.is_(None))
    if connection.dialect.name != "sqlite":
        # In order, as everybody else who locks many of them: whoever overlaps waits, and nobody deadlocks.
        locked = select(_delivery.c.evse).where(*told).order_by(_delivery.c.evse).with_for_update().subquery()
        await connection.execute(select(func.count()).select_from(locked))
    due = case((_delivery.c.next_at < at, _delivery.c.next_at), else_=at)
    await connection.execute(update(_delivery).where(*told).values(acked_digest=None, next_at=due))


_same: Final = and_(
    func.coalesce(_delivery.c.acked_digest, "") == bindparam("old_digest"),
    _delivery.c.generation == bindparam("old_generation"),
)
_acknowledge: Final = (
    update(_delivery)
    .where(
        _delivery.c.partner == bindparam("key_partner"),
        _delivery.c.evse == bindparam("key_evse"),
        _delivery.c.aspect == Aspect.STATUS.value,
        _delivery.c.suspect.is_(False),
        _delivery.c.in_flight.is_(False),
        _delivery.c.rejected_version.is_(None),
        # Not if it was asked for anew meanwhile, or the partner was reconfigured.
        _same,
    )
    .values(
        acked=bindparam("version"),
        acked_digest=bindparam("digest"),
        acked_at=bindparam("acknowledged_at", type_=_delivery.c.acked_at.type),
        attempts=0,
        last_error=None,
        next_at=case((_delivery.c.want > bindparam("version"), _delivery.c.next_at), else_=None),
    )
)
