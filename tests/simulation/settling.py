"""What came of claims, stored in one transaction with how the partner stands: as `app.schedule` does it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from app.channels.outcomes import Outcome
from app.domain.delivery import Aspect, Delivery
from app.domain.partner import Partner
from app.schedule.decisions import Claim, Told, standing_after

if TYPE_CHECKING:
    from tests.simulation.replica import Replica

_STALE: Final = timedelta(milliseconds=50)


class Done(NamedTuple):
    """What came of one claim; `sent` is false where the partner already knew."""

    claim: Claim
    told: Told
    outcome: Outcome
    sent: bool

    @property
    def key(self) -> tuple[int, int, Aspect]:
        return self.claim.key


#: A claim that came to something, or one that was not used.
Finished: TypeAlias = Done | Claim


async def settle(
    replica: "Replica", partner: int, finished: Sequence[Finished], *, giving_back: str | None
) -> tuple[Partner, bool]:
    """Return how the partner stands, and whether it is still owed any of it.

    `giving_back` is the token of a lane that was held for these claims alone.
    """
    world, rules = replica.world, replica.world.rules
    by_key = {one.key: one for one in finished}
    owed = False
    async with world.store.transactions.write() as connection:
        at = world.clock.now()

        def settled(row: Delivery) -> Delivery | None:
            nonlocal owed
            one = by_key[row.partner, row.evse, row.aspect]
            if isinstance(one, Claim):
                new = rules.put_back(row, one, at + _STALE)
            else:
                new = rules.after_outcome(row, one.claim, one.told, one.outcome, at, rules.limits)
            if new is None:
                replica.tells("has lost", evse=row.evse)
                return None
            owed = owed or new.next_at is not None
            replica.tells(
                "settles",
                evse=row.evse,
                acked=new.acked,
                digest=new.acked_digest,
                suspect=new.suspect,
                confirm_at=new.confirm_at,
                next_at=new.next_at,
            )
            return new

        def standing(stands: Partner) -> Partner:
            for one in finished:
                if isinstance(one, Done) and one.sent:
                    chance = world.dice.random()
                    stands = standing_after(stands, one.claim.at, one.outcome, at, rules.limits, chance)
            return stands

        stands = await world.store.partners.set_standing(connection, partner, standing)
        assert stands is not None
        await world.store.deliveries.settle(connection, by_key.keys(), settled)
        if giving_back is not None:
            await world.store.deliveries.release_lane(connection, partner, giving_back)
    world.judge.stands(stands)
    return stands, owed
