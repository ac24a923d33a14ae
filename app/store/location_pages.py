"""The locations as one partner may see them, page by page: what it is pushed is what it finds here.

A partner sees the EVSEs that are in production and in its audience, as they are presented. What it was shared before
and gets no longer stays in the list as removed, for ever; what it was never shared is never mentioned. A location that
EVSEs have left stays, even with nothing in it: whoever found them there learns that they are gone.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect
from app.domain.evse_id import operator_key
from app.domain.location import Location
from app.domain.partner import Partner
from app.domain.presentation import Gate, Presentation
from app.store.presented import Truth, shown_from
from app.store.rows import evse_from, location_from, what_text
from app.store.tables import metadata

#: EVSEs on a page, so that it stays small where many stand together; a single location is never cut.
MOST_EVSES: Final = 1000

_location: Final = metadata.tables["location"]
_evse: Final = metadata.tables["evse"]
_presented: Final = metadata.tables["presented"]
_delivery: Final = metadata.tables["delivery"]
#: How long after the time that it is dated with a change may be committed, by whichever clock and replica.
COMMITTED_WITHIN: Final = timedelta(minutes=1)
_GATES: Final = tuple(what_text(gate) for gate in Gate)
_STANDS: Final = and_(
    _evse.c.country == _location.c.country,
    _evse.c.party == _location.c.party,
    _evse.c.location == _location.c.location,
)
_IS_SHOWN: Final = _presented.c.evse == _evse.c.id


class Site(msgspec.Struct, frozen=True):
    """A location with those of its EVSEs that the partner may see, and when any of that last changed (UTC)."""

    location: Location
    truths: tuple[Truth, ...]
    last_updated: datetime


class Wanted(msgspec.Struct, frozen=True):
    """Which locations: those last updated before `date_to`, and from `date_from` on or shortly before it, both UTC."""

    date_from: datetime | None = None
    date_to: datetime | None = None


class Page(msgspec.Struct, frozen=True):
    """Some locations, oldest first: the `length` that follow each other in the list.

    `following` is the key of the last one, `None` where no more come after it.
    """

    sites: tuple[Site, ...]
    length: int
    following: int | None


async def page(
    connection: AsyncConnection, partner: Partner, wanted: Wanted, *, offset: int = 0, limit: int, after: int = 0
) -> Page:
    """Read up to `limit` locations, fewer where many EVSEs stand there.

    `offset` passes over so many of those beyond the key `after`. By the key nobody is passed over whose place in the
    list has changed since the page before.
    """
    query = _chosen(partner, wanted).where(_location.c.id > after).order_by(_location.c.id)
    found = (await connection.execute(query.offset(offset).limit(limit + 1))).all()
    numbers: list[int] = []
    evses = 0
    for number, count in found[:limit]:
        evses += count
        if numbers and evses > MOST_EVSES:
            break
        numbers.append(number)
    sites = await _sites(connection, partner, numbers)
    return Page(sites, len(numbers), numbers[-1] if len(numbers) < len(found) else None)


async def count(connection: AsyncConnection, partner: Partner, wanted: Wanted) -> int:
    """Count the locations that are on all pages together."""
    return (
        await connection.execute(select(func.count()).select_from(_chosen(partner, wanted).subquery()))
    ).scalar_one()


async def find(connection: AsyncConnection, partner: Partner, location_id: str, *, any_case: bool) -> tuple[Site, ...]:
    """Find the locations with that id, oldest first: one at most of each party."""
    exactly = _chosen(partner, Wanted()).where(_location.c.location == location_id)
    numbers = (await connection.execute(exactly)).scalars().all()
    if not numbers and any_case:
        alike = _chosen(partner, Wanted()).where(func.lower(_location.c.location) == location_id.lower())
        numbers = (await connection.execute(alike)).scalars().all()
    return await _sites(connection, partner, numbers)


async def _sites(connection: AsyncConnection, partner: Partner, numbers: Sequence[int]) -> tuple[Site, ...]:
    if not numbers:
        return ()
    rows = (await connection.execute(select(_location).where(_location.c.id.in_(numbers)))).mappings().all()
    locations = [location_from(row) for row in rows]
    vacated = {row["id"] for row in rows if row["vacated"]}
    # In one statement, so that no EVSE is said to be younger than what is said of it.
    joined = _location.join(_evse, _STANDS).join(_presented, _IS_SHOWN).outerjoin(_delivery, _told(partner))
    query = select(_location.c.id.label("number"), _evse, _presented).select_from(joined)
    query = query.where(_visible(partner), _location.c.id.in_(numbers)).order_by(_evse.c.id)
    truths: dict[int, list[Truth]] = {}
    for row in (await connection.execute(query)).mappings():
        truth = Truth(evse_from(row), shown_from(row))
        truths.setdefault(row["number"], []).append(_as_shared(truth, partner))
    listed = truths.keys() | vacated
    found = (_site(one, truths.get(one.number, ())) for one in locations if one.number in listed)
    return tuple(sorted(found, key=lambda site: site.location.number))


def _site(location: Location, truths: Iterable[Truth]) -> Site:
    listed = tuple(truths)
    return Site(location, listed, max([location.changed_at, *(one.last_updated for one in listed)]))


def _as_shared(truth: Truth, partner: Partner) -> Truth:
    shown = truth.shown
    if not isinstance(shown.presentation.what, Gate) and partner.audience.includes(truth.evse):
        return truth
    gone = msgspec.structs.replace(shown, presentation=Presentation(Gate.REMOVED), announced=())
    return msgspec.structs.replace(truth, shown=gone)


def _chosen(partner: Partner, wanted: Wanted) -> Select[Any]:
    """The keys of the locations with an EVSE that the partner may see, or that EVSEs have left; and with how many."""
    visible = _visible(partner)
    many = func.count(case((visible, _evse.c.id)))
    latest = func.coalesce(func.max(case((visible, _presented.c.last_updated))), _location.c.changed_at)
    joined = _location.outerjoin(_evse, _STANDS).outerjoin(_presented, _IS_SHOWN).outerjoin(_delivery, _told(partner))
    query = select(_location.c.id, many).select_from(joined).group_by(_location.c.id)
    query = query.having(or_(many > 0, and_(_location.c.vacated, *_may_see_empty(partner))))
    if wanted.date_from is not None:
        # Whoever asked while it was being committed could not find it: for such as them it is there a while longer.
        since = wanted.date_from - COMMITTED_WITHIN
        query = query.having(or_(_location.c.changed_at >= since, latest >= since))
    if wanted.date_to is not None:
        query = query.having(and_(_location.c.changed_at < wanted.date_to, latest < wanted.date_to))
    return query


def _told(partner: Partner) -> ColumnElement[bool]:
    of_status = _delivery.c.aspect == Aspect.STATUS.value
    return and_(_delivery.c.partner == partner.id, _delivery.c.evse == _evse.c.id, of_status)


def _visible(partner: Partner) -> ColumnElement[bool]:
    """The condition that the partner may see an EVSE, beside which stands what it was told of it, if anything."""
    shared = or_(_delivery.c.evse.is_not(None), and_(_presented.c.what.not_in(_GATES), *_in_audience(partner)))
    return and_(_evse.c.ocpi_object.is_not(None), shared)


def _in_audience(partner: Partner) -> list[ColumnElement[bool]]:
    """The condition that `Audience.includes` an EVSE."""
    conditions: list[ColumnElement[bool]] = []
    if partner.audience.operators:
        conditions.append(_evse.c.operator.in_([operator_key(one) for one in partner.audience.operators]))
    if partner.audience.locations:
        conditions.append(_evse.c.location.in_(partner.audience.locations))
    return conditions


def _may_see_empty(partner: Partner) -> list[ColumnElement[bool]]:
    """The condition that a location is in the audience by itself, whose operator is then that of its party."""
    conditions: list[ColumnElement[bool]] = []
    if partner.audience.operators:
        party = func.upper(_location.c.country + _location.c.party)
        conditions.append(party.in_([operator_key(one) for one in partner.audience.operators]))
    if partner.audience.locations:
        conditions.append(_location.c.location.in_(partner.audience.locations))
    return conditions
