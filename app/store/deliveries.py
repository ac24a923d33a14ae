"""What partners are owed: promised by reconcile, claimed by a lane, settled by an outcome."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect, Delivery
from app.domain.partner import Partner
from app.store.aspects import doubt_siblings, doubt_siblings_in_flight, one_aspect_each, siblings_free
from app.store.bulk import add, change_each
from app.store.leases import free
from app.store.prepared import among
from app.store.rows import DELIVERY_COLUMNS, delivery_of, delivery_row, delivery_values
from app.store.tables import metadata

_delivery = metadata.tables["delivery"]
_attempt = metadata.tables["attempt"]
_partner = metadata.tables["partner"]
_presented = metadata.tables["presented"]
_change = metadata.tables["presented_change"]

_row: Final = [_delivery.c[name] for name in DELIVERY_COLUMNS]
_KEYED: Final = 3  #: columns that are the key, which come first
#: Further ahead than any `next_at` is ever set: such a row was written under a clock that has since been stepped back.
FURTHEST_NEXT: Final = timedelta(days=1, hours=1)


class Owed(msgspec.Struct, frozen=True):
    """One thing a partner must be told, or, where `at` is `None`, need not be told but will be told changes of."""

    delivery: Delivery
    created: bool
    at: datetime | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log: what was said to a partner, and its own words.

    `reference` is its own number of the request. `delay_ms` is from when it came to be shown until the partner had it,
    where that was news to it.
    """

    at: datetime
    partner: int
    evse: int
    aspect: Aspect
    version: int
    said: str
    outcome: str
    answer: str
    reference: str | None = None
    took_ms: int
    delay_ms: int | None = None


async def of_evses(connection: AsyncConnection, evses: Iterable[int]) -> dict[tuple[int, int, Aspect], Delivery]:
    """The deliveries of these EVSEs, by (partner, EVSE, aspect)."""
    query = select(*_row).where(among(connection, _delivery.c.evse, list(evses)))
    return {one.key: one for one in map(delivery_of, await connection.execute(query))}


async def owe(connection: AsyncConnection, owed: Sequence[Owed]) -> None:
    """Promise. Promising twice is promising once; what is under way meanwhile stays under way."""
    if new := [delivery_values(one.delivery) for one in owed if one.created]:
        await connection.execute(_delivery.insert(), new)
    if old := [_owe_values(one) for one in owed if not one.created]:
        await connection.execute(_owe, old)


async def claim(
    connection: AsyncConnection,
    partner: Partner,
    at: datetime,
    limit: int,
    longest_lease: timedelta,
    take: Callable[[Delivery], Delivery],
    busy: Collection[int] = (),
    *,
    probing: bool = False,
    announces: bool = False,
) -> list[Delivery]:
    """Lock up to `limit` rows that are due and free, and store what `take` makes of each.

    `busy` are EVSEs that the caller itself is talking about: not free, whatever the clock says of their leases.
    `probing`: first what was tried least, as one EVSE that the partner chokes on must not be the probe each time.
    `announces`: there may be two aspects of an EVSE, of which only one is told at a time.
    """
    taken: list[Delivery] = []
    # One after the other: asked for with one OR, the index could only say which rows are this partner's.
    for due in (_delivery.c.next_at <= at, _delivery.c.next_at > at + FURTHEST_NEXT):
        query = select(*_row).where(due, *_claimable(partner, at, longest_lease, announces=announces))
        if busy:
            query = query.where(~among(connection, _delivery.c.evse, busy))
        # By what the index is sorted by and nothing else: of thousands that are due at one instant no more are read.
        order = (_delivery.c.next_at, _delivery.c.evse)
        query = (
            query.order_by(*((_delivery.c.attempts, *order) if probing else order))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = [delivery_of(row) for row in await connection.execute(query)]
        if announces and rows:
            rows = await one_aspect_each(connection, rows, at, longest_lease)
            await doubt_siblings(connection, [one.key for one in rows if one.in_flight], at)
        taken = [take(one) for one in rows]
        if taken:
            await replace(connection, taken)
            break
    return taken


async def settle(
    connection: AsyncConnection,
    keys: Iterable[tuple[int, int, Aspect]],
    decide: Callable[[Delivery], Delivery | None],
) -> None:
    """Lock these rows as they are now and store what `decide` makes of each; `None` leaves a row alone."""
    wanted = set(keys)
    # With their siblings, which may have to be doubted: everybody locks a status before the schedule.
    which = and_(
        _delivery.c.partner.in_({partner for partner, _, _ in wanted}),
        among(connection, _delivery.c.evse, sorted({evse for _, evse, _ in wanted})),
    )
    order = (_delivery.c.evse, _delivery.c.partner, _delivery.c.aspect.desc())
    rows = await connection.execute(select(*_row).where(which).order_by(*order).with_for_update())
    found = [one for one in map(delivery_of, rows) if one.key in wanted]
    await replace(connection, [new for one in found if (new := decide(one)) is not None])


async def replace(connection: AsyncConnection, rows: Sequence[Delivery]) -> None:
    """Store these rows, which the transaction has locked, as they are here."""
    values = [(*row[_KEYED:], *row[:_KEYED]) for row in map(delivery_row, rows)]
    await change_each(connection, _delivery, DELIVERY_COLUMNS[:_KEYED], DELIVERY_COLUMNS[_KEYED:], values)


async def log(connection: AsyncConnection, attempts: Sequence[Attempt]) -> None:
    values = [msgspec.structs.astuple(msgspec.structs.replace(one, aspect=one.aspect.value)) for one in attempts]
    await add(connection, _attempt, Attempt.__struct_fields__, values)


async def void_leases(connection: AsyncConnection, at: datetime) -> int:
    """On an embedded database no owner but this process lives: what was in flight is suspect and due now."""
    await doubt_siblings_in_flight(connection, at)
    voided = await connection.execute(
        update(_delivery)
        .where(_delivery.c.in_flight)
        .values(in_flight=False, suspect=True, confirm_at=None, lease_until=None, token=None, next_at=at)
    )
    await connection.execute(update(_partner).values(lane_token=None, lane_lease_until=None))
    return voided.rowcount


async def next_due(
    connection: AsyncConnection, partner: Partner, at: datetime, longest_lease: timedelta, *, announces: bool = False
) -> datetime | None:
    """When the next thing that nobody is busy with is due at this partner; `at` where it is now."""
    claimable = _claimable(partner, at, longest_lease, announces=announces)
    owed = select(_delivery.c.next_at).where(_delivery.c.next_at.is_not(None), *claimable)
    # Both ends of the index, and never a minimum over all that a partner which was away is owed.
    first = owed.order_by(_delivery.c.next_at).limit(1).scalar_subquery()
    last = owed.order_by(_delivery.c.next_at.desc()).limit(1).scalar_subquery()
    due, furthest = (await connection.execute(select(first, last))).one()
    if furthest is not None and furthest > at + FURTHEST_NEXT:
        return at
    soonest: datetime | None = due
    return soonest


async def backlog(
    connection: AsyncConnection, partner: Partner, at: datetime, longest_lease: timedelta, enough: int
) -> int:
    """How much is due to this partner and free, counted up to `enough`."""
    claimable = _claimable(partner, at, longest_lease, announces=False)
    due = select(_delivery.c.evse).where(_delivery.c.next_at <= at, *claimable)
    counted = select(func.count()).select_from(due.limit(enough).subquery())
    return (await connection.execute(counted)).scalar_one()


async def latest_record(connection: AsyncConnection) -> datetime | None:
    """The latest time written down of a change shown or of an attempt made; either is the end of an index."""
    changed, tried = (
        await connection.execute(select(*(select(func.max(log.c.at)).scalar_subquery() for log in (_change, _attempt))))
    ).one()
    return max((at for at in (changed, tried) if at is not None), default=None)


async def bring_forward(connection: AsyncConnection, at: datetime) -> None:
    """Have whatever is owed tried now: it may have been put off under a clock that has since been stepped back."""
    await connection.execute(update(_delivery).where(_delivery.c.next_at > at).values(next_at=at))


async def is_owed(connection: AsyncConnection, partner: int) -> bool:
    """Tell whether anything is due to a partner, now or later, but for what it refused: that may be hours away."""
    refused = func.coalesce(_delivery.c.rejected_version == _delivery.c.want, False)
    due = (_delivery.c.partner == partner, _delivery.c.next_at.is_not(None), ~refused)
    query = select(_delivery.c.evse).where(*due).limit(1)
    return (await connection.execute(query)).first() is not None


async def owe_anew(
    connection: AsyncConnection,
    partner: int,
    after: int,
    up_to: int,
    at: datetime,
    *,
    over: timedelta,
    unless_since: datetime,
    active_only: bool = False,
) -> int:
    """Owe what was acknowledged before `unless_since` once more, of EVSEs with `after < key <= up_to`; return how many.

    They become due one after the other, spread over the time `over`. `active_only`: those that show a temporary status.
    """
    # What was acknowledged ahead of now was so by a clock since stepped back: it must not wait for years for its turn.
    long_ago = or_(_delivery.c.acked_at <= unless_since, _delivery.c.acked_at > at + over)
    query = select(_delivery.c.evse, _delivery.c.aspect).where(
        _delivery.c.partner == partner,
        _delivery.c.evse > after,
        _delivery.c.evse <= up_to,
        _delivery.c.next_at.is_(None),
        _delivery.c.lease_until.is_(None),
        _delivery.c.rejected_version.is_(None),
        long_ago,
    )
    if active_only:
        active = select(_presented.c.evse).where(
            _presented.c.evse > after, _presented.c.evse <= up_to, _presented.c.because.is_not(None)
        )
        # Under a negative generation it was told that the EVSE is gone, whatever others are shown.
        query = query.where(_delivery.c.evse.in_(active), _delivery.c.generation > 0)
    rows = (await connection.execute(query.order_by(_delivery.c.evse).with_for_update(skip_locked=True))).all()
    if rows:
        values = [
            {"key_partner": partner, "key_evse": evse, "key_aspect": aspect, "due_at": at + over * number / len(rows)}
            for number, (evse, aspect) in enumerate(rows)
        ]
        await connection.execute(_owe_anew, values)
    return len(rows)


async def take_lane(connection: AsyncConnection, partner: int, token: str, at: datetime, lease: timedelta) -> bool:
    """Take or keep the right to be the only one who sends to this partner, across all replicas."""
    free = or_(
        _partner.c.lane_token.is_(None),
        _partner.c.lane_token == token,
        _partner.c.lane_lease_until <= at,
        _partner.c.lane_lease_until > at + lease * 2,
    )
    taken = await connection.execute(
        update(_partner).where(_partner.c.id == partner, free).values(lane_token=token, lane_lease_until=at + lease)
    )
    return taken.rowcount == 1


async def release_lane(connection: AsyncConnection, partner: int, token: str) -> None:
    await connection.execute(
        update(_partner)
        .where(_partner.c.id == partner, _partner.c.lane_token == token)
        .values(lane_token=None, lane_lease_until=None)
    )


def _claimable(
    partner: Partner, at: datetime, longest_lease: timedelta, *, announces: bool
) -> list[ColumnElement[bool]]:
    # What is owed under a newer configuration waits for a lane that has it: this one would tell the old address.
    configured = func.abs(_delivery.c.generation) <= partner.generation
    conditions = [_delivery.c.partner == partner.id, configured, free(_delivery.c.lease_until, at, longest_lease)]
    return [*conditions, siblings_free(at, longest_lease)] if announces else conditions


def _owe_values(one: Owed) -> dict[str, Any]:
    return {
        "key_partner": one.delivery.partner,
        "key_evse": one.delivery.evse,
        "key_aspect": one.delivery.aspect.value,
        "new_want": one.delivery.want,
        "new_generation": one.delivery.generation,
        "due_at": one.at,
    }


_this_row: Final = and_(
    _delivery.c.partner == bindparam("key_partner"),
    _delivery.c.evse == bindparam("key_evse"),
    _delivery.c.aspect == bindparam("key_aspect"),
)
_due_at: Final = bindparam("due_at", type_=_delivery.c.next_at.type)
# Column by column and relative: a lane may be settling another request of this very row at the same time.
_owe: Final = (
    update(_delivery)
    .where(_this_row)
    .values(
        want=bindparam("new_want"),
        # Nothing due now takes nothing back: somebody may just have asked for it.
        next_at=case(
            (or_(_due_at.is_(None), _delivery.c.next_at < _due_at), _delivery.c.next_at),
            else_=_due_at,
        ),
        acked_digest=case(
            (_delivery.c.generation == bindparam("new_generation"), _delivery.c.acked_digest), else_=None
        ),
        generation=bindparam("new_generation"),
    )
)
_owe_anew: Final = update(_delivery).where(_this_row).values(next_at=_due_at, acked_digest=None)
