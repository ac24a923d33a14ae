"""Full loads: who asked for one, what goes into it, and what a partner has after it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, case, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect, Delivery, Notice
from app.domain.errors import PartnerNotFound
from app.domain.evse_id import operator_key
from app.domain.full_load import FullLoad
from app.domain.partner import Partner
from app.domain.presentation import Gate
from app.domain.status import DeploymentState
from app.store import partners, presented
from app.store.dialect import insert_or_ignore
from app.store.rows import delivery_from
from app.store.tables import metadata

_load = metadata.tables["full_load"]
_delivery = metadata.tables["delivery"]
_evse = metadata.tables["evse"]
_partner = metadata.tables["partner"]
_presented = metadata.tables["presented"]


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
    """Have one made as soon as the partner's lane gets to it.

    Raises:
        PartnerNotFound: it was removed meanwhile.
    """
    try:
        return await change(connection, partner, at, lambda load: load.asked(by, at, forced=forced))
    except IntegrityError:
        raise PartnerNotFound("the partner was removed just now") from None


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
    truths = await presented.truths(connection, [one.evse for one in wanted])
    found = [(one, truths[one.evse].notice()) for one in wanted]
    shared = [(one, notice) for one, notice in found if not isinstance(notice.presentation.what, Gate)]
    return shared, rows[-1]["evse"] if len(rows) == limit else None


async def is_as_configured(connection: AsyncConnection, partner: Partner) -> bool:
    """Tell whether nobody has changed or paused the partner since it was read."""
    query = select(_partner.c.revision).where(_partner.c.id == partner.id, _partner.c.paused.is_(False))
    return (await connection.execute(query)).scalar_one_or_none() == partner.revision


async def awaited(connection: AsyncConnection, partner: Partner, at: datetime) -> bool:
    """Tell whether reconcile has yet to look at an EVSE for this partner: a load made now would delete it there."""
    if await partners.unintroduced(connection):
        return True
    known = select(_delivery.c.evse).where(_delivery.c.partner == partner.id, _delivery.c.evse == _evse.c.id)
    query = (
        select(_evse.c.id)
        .join(_presented, _presented.c.evse == _evse.c.id)
        .where(
            _presented.c.recheck_at <= at,
            _evse.c.deployment_state == DeploymentState.PRODUCTION.value,
            ~known.exists(),
        )
    )
    if operators := [operator_key(one) for one in partner.audience.operators]:
        query = query.where(_evse.c.operator.in_(operators))
    return (await connection.execute(query.limit(1))).first() is not None


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


async def forget_left_out(connection: AsyncConnection, partner: int) -> None:
    """Note that the partner has nothing of what it refused: an accepted load has left it out, and so deleted it."""
    refused = (_delivery.c.rejected_version.is_not(None), _delivery.c.in_flight.is_(False))
    await connection.execute(
        update(_delivery).where(_delivery.c.partner == partner, *refused).values(acked_digest=None)
    )


async def owe_everything(connection: AsyncConnection, partner: int, at: datetime, *, over: timedelta) -> None:
    """Owe everything once more that the partner was ever told, whatever it acknowledged.

    It becomes due one after the other, spread over the time `over`, so that news never queue behind all of it.
    """
    told = (_delivery.c.partner == partner, _delivery.c.rejected_version.is_(None))
    # In order, as everybody else who locks many of them: whoever overlaps waits, and nobody deadlocks.
    query = select(_delivery.c.evse, _delivery.c.aspect).where(*told).order_by(_delivery.c.evse).with_for_update()
    rows = (await connection.execute(query)).all()
    if rows:
        values = [
            {"key_partner": partner, "key_evse": evse, "key_aspect": aspect, "due_at": at + over * number / len(rows)}
            for number, (evse, aspect) in enumerate(rows)
        ]
        await connection.execute(_owe_anew, values)


_due_at: Final = bindparam("due_at", type_=_delivery.c.next_at.type)
_owe_anew: Final = (
    update(_delivery)
    .where(
        _delivery.c.partner == bindparam("key_partner"),
        _delivery.c.evse == bindparam("key_evse"),
        _delivery.c.aspect == bindparam("key_aspect"),
    )
    .values(acked_digest=None, next_at=case((_delivery.c.next_at < _due_at, _delivery.c.next_at), else_=_due_at))
)
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
