"""What is presented → what partners are owed, for many EVSEs at once.

Nearly always each partner has a delivery of each EVSE already, and all that there is to do is to move it on: a few
statements a partner, however many EVSEs there are. Whatever that does not account for is decided EVSE by EVSE by
`owed_by`, which says nothing of what has been done already: it is right alone, and here it is only spared.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect
from app.domain.partner import Audience, Partner
from app.domain.presentation import Gate
from app.schedule.resolving import owed_by
from app.store import deliveries, owing
from app.store.presented import Resolved


async def promise(
    connection: AsyncConnection, partners: Sequence[Partner], resolved: Sequence[Resolved], at: datetime
) -> None:
    """Owe every partner what it is owed now that these EVSEs are `resolved`.

    They must be written already, and what is owed about them locked.
    """
    if not partners:
        return
    left = {one.now.evse for one in resolved if isinstance(one.now.presentation.what, Gate)}
    usual = [one for one in resolved if one.now.evse not in left]
    sorts: dict[Audience, _Sorts] = {}
    for partner in partners:
        if (its := sorts.get(partner.audience)) is None:
            its = sorts[partner.audience] = _sorts(usual, partner.audience)
        left |= await _left_open(connection, partner, its, at)
    if left:
        known = await deliveries.of_evses(connection, left)
        owed = [owes for one in resolved if one.now.evse in left for owes in owed_by(one, partners, known, at)]
        owed.sort(key=lambda one: (one.delivery.evse, one.delivery.partner))
        await deliveries.owe(connection, owed)


class _Sorts(msgspec.Struct):
    """Keys of EVSEs by what is to be done about them for partners with one audience."""

    included: list[int] = []
    others: list[int] = []
    told: list[int] = []  #: what is shown is another
    held: list[int] = []  #: only until when
    still: list[int] = []  #: nothing of it moved
    scheduled: list[int] = []  #: what is announced is another
    announced: list[int] = []  #: something is announced


def _sorts(usual: Sequence[Resolved], audience: Audience) -> _Sorts:
    its = _Sorts()
    for one in usual:
        evse, before, now = one.now.evse, one.due.shown, one.now
        if not audience.includes(one.due.evse):
            its.others.append(evse)
            continue
        its.included.append(evse)
        if now.status_version == before.status_version:
            its.still.append(evse)
        elif now.presentation.what is before.presentation.what and not one.renewed:
            its.held.append(evse)
        else:
            its.told.append(evse)
        if now.schedule_version != before.schedule_version:
            its.scheduled.append(evse)
        if now.announced:
            its.announced.append(evse)
    return its


async def _left_open(connection: AsyncConnection, partner: Partner, its: _Sorts, at: datetime) -> set[int]:
    """Move on what the partner has of these EVSEs; return those for which that cannot be all."""
    left = set[int]()
    if its.others and await owing.is_any_wrong(connection, partner.id, -partner.generation, its.others):
        left.update(its.others)
    if its.included and not await _are_moved_on(connection, partner, its, at):
        left.update(its.included)
    return left


async def _are_moved_on(connection: AsyncConnection, partner: Partner, its: _Sorts, at: datetime) -> bool:
    """Move them on; tell whether a delivery was there for each that must have one, of either aspect."""
    this = (connection, partner.id, partner.generation)
    found = await owing.move_on(*this, Aspect.STATUS, its.told, at)
    found += await owing.move_on(*this, Aspect.STATUS, its.held, at, unless_never_told=True)
    found += await owing.count_right(*this, Aspect.STATUS, its.still)
    await owing.move_on(*this, Aspect.SCHEDULE, its.scheduled, at)
    announced = its.announced if partner.gets_schedule else []
    right = await owing.count_right(*this, Aspect.SCHEDULE, announced)
    return found == len(its.included) and right == len(announced)
