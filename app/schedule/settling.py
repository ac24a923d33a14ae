"""What came of claims, stored: outcomes settle their rows, and tell how the partner stands."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.outcomes import Apart, Delivered, Outcome, Rejected, Unknown
from app.domain.delivery import Aspect, Delivery
from app.domain.partner import Partner
from app.schedule.decisions import STALE, Claim, Limits, Told, after_outcome, may_arrive_late, put_back, standing_after
from app.store import aspects, deliveries, neighbours, partners
from app.store.deliveries import Attempt


class Done(msgspec.Struct, frozen=True):
    """What came of one claim. `attempt` is `None` where the partner already knew, so that nothing was sent."""

    claim: Claim
    told: Told
    outcome: Outcome
    attempt: Attempt | None

    @property
    def key(self) -> tuple[int, int, Aspect]:
        return self.claim.key


#: Claims that came to something, and those that were not used, by what they are of.
Finished: TypeAlias = Mapping[tuple[int, int, Aspect], Done | Claim]


async def settle(
    connection: AsyncConnection,
    at: datetime,
    limits: Limits,
    partner: int,
    finished: Finished,
    *,
    giving_back: str | None,
) -> Partner | None:
    """Store it as of `at` (UTC) and return how the partner stands; `None` if it was removed meanwhile.

    `giving_back` is the token of a lane that was held for these claims alone.
    """
    said = [one for one in finished.values() if isinstance(one, Done) and one.attempt is not None]
    doubted: list[tuple[int, int, Aspect]] = []

    def settled(row: Delivery) -> Delivery | None:
        one = finished[row.key]
        if isinstance(one, Claim):
            return put_back(row, one, at + STALE)
        new = after_outcome(row, one.claim, one.told, one.outcome, at, limits)
        if new is not None and may_arrive_late(row, one.claim, one.outcome):
            doubted.append(row.key)
        return new

    def standing(stands: Partner) -> Partner:
        # Those that were left out of a request say least of how the partner does: never the last word.
        for one in sorted(said, key=lambda one: not isinstance(one.outcome, Apart)):
            if isinstance(one.outcome, Rejected) and not one.outcome.asked:
                continue
            chance = random.random()  # noqa: S311 - spreads retries, guards nothing
            stands = standing_after(stands, one.claim.at, one.outcome, at, limits, chance)
        return stands

    stands = await partners.set_standing(connection, partner, standing)
    if stands is None:
        return None  # and with it went all that it was owed
    disturbing = {lost: [one for one in said if _disturbs(one, lost=lost)] for lost in (False, True)}
    everybody = [key[1] for key in finished] if any(disturbing.values()) else []
    await neighbours.lock(connection, partner, everybody)
    await deliveries.settle(connection, finished.keys(), settled)
    await aspects.doubt_siblings(connection, doubted, at)
    left = [(one.claim.key, one.outcome.left) for one in said if isinstance(one.outcome, Apart) and one.outcome.left]
    await aspects.leave(connection, left)
    whole = [one.claim.key for one in said if isinstance(one.outcome, Delivered) and one.outcome.whole]
    await aspects.forget_siblings(connection, whole, at)
    for change, ones in ((neighbours.owe, disturbing[False]), (neighbours.doubt, disturbing[True])):
        await change(connection, partner, [one.claim.delivery.evse for one in ones], at)
    await deliveries.log(connection, [one.attempt for one in said if one.attempt is not None])
    if giving_back is not None:
        await deliveries.release_lane(connection, partner, giving_back)
    return stands


def _disturbs(one: Done, *, lost: bool) -> bool:
    return one.outcome.disturbs and isinstance(one.outcome, Unknown) is lost
