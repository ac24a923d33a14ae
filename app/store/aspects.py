"""The two aspects of an EVSE at one partner, its status and its schedule: told one after the other, never side by side.

A whole EVSE that is told for one of them carries the other. Where it may still be applied late, both are in doubt.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Update, and_, case, exists, null, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import LEFT, Aspect, Delivery, Known
from app.store.leases import free
from app.store.prepared import among
from app.store.tables import metadata

_delivery: Final = metadata.tables["delivery"]
_sibling: Final = _delivery.alias("sibling")
_are_siblings: Final = and_(
    _sibling.c.partner == _delivery.c.partner,
    _sibling.c.evse == _delivery.c.evse,
    _sibling.c.aspect != _delivery.c.aspect,
)


def siblings_free(at: datetime, longest_lease: timedelta) -> ColumnElement[bool]:
    """The condition that nobody is telling the other aspect of the same EVSE."""
    taken = ~free(_sibling.c.lease_until, at, longest_lease)
    return ~exists(select(_sibling.c.evse).where(_are_siblings, taken))


async def one_aspect_each(
    connection: AsyncConnection, rows: Sequence[Delivery], at: datetime, longest_lease: timedelta
) -> list[Delivery]:
    """Choose from locked `rows` of one partner those that may be told now: one for each EVSE, its status first.

    Its status is what two replicas have to agree by: whoever tells a schedule has locked that row as well.
    """
    chosen = {row.evse: row for row in sorted(rows, key=lambda row: row.aspect is Aspect.STATUS)}
    alone = [row.evse for row in chosen.values() if row.aspect is Aspect.SCHEDULE]
    partner = rows[0].partner
    if alone:
        of_status = (_delivery.c.partner == partner, _delivery.c.aspect == Aspect.STATUS.value)
        query = select(_delivery.c.evse).where(*of_status, among(connection, _delivery.c.evse, alone))
        locked = set((await connection.execute(query.with_for_update(skip_locked=True))).scalars())
        chosen = {evse: row for evse, row in chosen.items() if evse not in alone or evse in locked}
    if connection.dialect.name == "sqlite":
        return [row for row in rows if chosen.get(row.evse) is row]  # nobody else writes since before the look
    # Asked again, now that nobody can take them any more: somebody may have between the look and the lock.
    taken = ~free(_delivery.c.lease_until, at, longest_lease)
    query = select(_delivery.c.evse).where(
        _delivery.c.partner == partner, among(connection, _delivery.c.evse, chosen), taken
    )
    busy = set((await connection.execute(query)).scalars())
    return [row for row in rows if chosen.get(row.evse) is row and row.evse not in busy]


async def known(connection: AsyncConnection, rows: Collection[Delivery]) -> dict[int, Known]:
    """What the partner of these rows acknowledged about each of their EVSEs, in both aspects, and at which address."""
    partners, evses = {row.partner for row in rows}, {row.evse for row in rows}
    columns = (_delivery.c.evse, _delivery.c.aspect, _delivery.c.acked_digest, _delivery.c.told_at)
    query = select(*columns).where(_delivery.c.partner.in_(partners), among(connection, _delivery.c.evse, evses))
    digests: dict[int, dict[str, str | None]] = {}
    addresses: dict[int, str | None] = {}
    # An address of either aspect counts, the status first: what was told for the schedule was perhaps the whole EVSE.
    for evse, aspect, digest, told_at in await connection.execute(query.order_by(_delivery.c.aspect.desc())):
        digests.setdefault(evse, {})[aspect] = digest or None
        before = addresses.get(evse)
        addresses[evse] = before or (before if told_at is None else told_at)
    return {evse: Known(**of, told_at=addresses[evse]) for evse, of in digests.items()}


async def leave(connection: AsyncConnection, left: Iterable[tuple[tuple[int, int, Aspect], str]]) -> None:
    """Note that EVSEs are gone from these addresses, for either aspect: the partner has just acknowledged it."""
    for (partner, evse, _), address in sorted(left):
        theirs = (_delivery.c.partner == partner, _delivery.c.evse == evse, _delivery.c.told_at == address)
        await connection.execute(update(_delivery).where(*theirs).values(told_at=LEFT))


async def doubt_siblings(connection: AsyncConnection, keys: Iterable[tuple[int, int, Aspect]], at: datetime) -> None:
    """Make suspect what a whole EVSE, told for one of `keys` and not heard of again, may overwrite when it comes."""
    others = _others(keys)
    if others:
        key = tuple_(_delivery.c.partner, _delivery.c.evse, _delivery.c.aspect)
        await connection.execute(_doubted(at).where(key.in_(others)))


async def forget_siblings(connection: AsyncConnection, keys: Iterable[tuple[int, int, Aspect]], at: datetime) -> None:
    """Forget what was acknowledged of the other aspect, where it is owed: a whole EVSE has just told something newer.

    Otherwise, should what is true become again what was acknowledged before, nobody would say so. And owe it where
    nobody knows what the partner had of it: by now it may have nothing.
    """
    others = _others(keys)
    if others:
        owed = or_(_delivery.c.next_at.is_not(None), _delivery.c.acked.is_distinct_from(_delivery.c.want))
        which = tuple_(_delivery.c.partner, _delivery.c.evse, _delivery.c.aspect).in_(others)
        await connection.execute(update(_delivery).where(which, owed).values(acked_digest=None))
        unknown = (_delivery.c.acked_digest.is_(None), _delivery.c.rejected_version.is_(None))
        idle = _delivery.c.next_at.is_(None)
        await connection.execute(update(_delivery).where(which, *unknown, idle).values(next_at=at))


async def doubt_siblings_in_flight(connection: AsyncConnection, at: datetime) -> None:
    """The same for everything that is under way."""
    await connection.execute(_doubted(at).where(exists().where(_are_siblings, _sibling.c.in_flight)))


def _others(keys: Iterable[tuple[int, int, Aspect]]) -> list[tuple[int, int, str]]:
    return [(partner, evse, other.value) for partner, evse, aspect in keys for other in Aspect if other is not aspect]


def _doubted(at: datetime) -> Update:
    due = case((_delivery.c.next_at < at, _delivery.c.next_at), else_=at)
    return update(_delivery).values(suspect=True, confirm_at=null(), next_at=due)
