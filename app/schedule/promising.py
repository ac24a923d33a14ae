"""What is presented → what partners are owed, for many EVSEs at once.

Nearly always each partner has a delivery of each EVSE already, and all that there is to do is to move it on: a few
statements a partner, however many EVSEs there are. Whatever that does not account for is decided EVSE by EVSE by
`owed_by`, which says nothing of what has been done already: it is right alone, and here it is only spared.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.delivery import Aspect
from app.domain.partner import Partner
from app.domain.presentation import Gate
from app.schedule.resolving import owed_by
from app.store import deliveries, owing
from app.store.presented import Resolved


async def promise(
    connection: AsyncConnection, partners: Sequence[Partner], resolved: Sequence[Resolved], at: datetime
) -> None:
    """Owe every partner what it is owed now that these EVSEs are `resolved`, which must be written already."""
    if not partners:
        return
    await owing.lock(connection, [one.now.evse for one in resolved])
    left = {one.now.evse for one in resolved if isinstance(one.now.presentation.what, Gate)}
    usual = [one for one in resolved if one.now.evse not in left]
    for partner in partners:
        left |= await _left_open(connection, partner, usual, at)
    if left:
        known = await deliveries.of_evses(connection, left)
        owed = [owes for one in resolved if one.now.evse in left for owes in owed_by(one, partners, known, at)]
        owed.sort(key=lambda one: (one.delivery.evse, one.delivery.partner))
        await deliveries.owe(connection, owed)


async def _left_open(
    connection: AsyncConnection, partner: Partner, usual: Sequence[Resolved], at: datetime
) -> set[int]:
    """Move on what the partner has of these EVSEs; return those for which that cannot be all."""
    its, others = [], set()
    for one in usual:
        if partner.audience.includes(one.due.evse):
            its.append(one)
        else:
            others.add(one.now.evse)
    left = set[int]()
    if others and await owing.is_any_wrong(connection, partner.id, -partner.generation, others):
        left |= others
    if its and not await _are_moved_on(connection, partner, its, at):
        left |= {one.now.evse for one in its}
    return left


async def _are_moved_on(connection: AsyncConnection, partner: Partner, its: Sequence[Resolved], at: datetime) -> bool:
    """Move them on; tell whether a delivery was there for each that must have one, of either aspect."""
    told, held, still, scheduled, announced = [], [], [], [], []
    for one in its:
        evse, before, now = one.now.evse, one.due.shown, one.now
        if now.status_version == before.status_version:
            still.append(evse)
        elif now.presentation.what is before.presentation.what and not one.renewed:
            held.append(evse)
        else:
            told.append(evse)
        if now.schedule_version != before.schedule_version:
            scheduled.append(evse)
        if now.announced and partner.gets_schedule:
            announced.append(evse)

    this = (connection, partner.id, partner.generation)
    found = await owing.move_on(*this, Aspect.STATUS, told, at)
    found += await owing.move_on(*this, Aspect.STATUS, held, at, unless_never_told=True)
    found += await owing.count_right(*this, Aspect.STATUS, still)
    await owing.move_on(*this, Aspect.SCHEDULE, scheduled, at)
    return found == len(its) and await owing.count_right(*this, Aspect.SCHEDULE, announced) == len(announced)
