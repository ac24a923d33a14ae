"""What a history is decided by: `app.schedule.decisions` as they are, or one of them spoilt on purpose."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from app.channels.outcomes import Outcome
from app.domain.delivery import Delivery
from app.schedule import decisions
from app.schedule.decisions import Claim, Limits, Told

#: After its last look at its lease a request is written within this many seconds, however long its process freezes:
#: shorter by what a request may be late than the time in which things settle. That is the limit of what is promised.
WRITTEN_WITHIN: Final = 25.0

LIMITS: Final = Limits(
    lease=timedelta(seconds=35),
    settle=timedelta(seconds=90),
    back_off_first=timedelta(seconds=1),
    back_off_longest=timedelta(seconds=30),
    retry_slowly=timedelta(hours=6),
)
Settled: TypeAlias = Delivery | None


class Rules(NamedTuple):
    """The decisions, and those rules of a lane that are not among them."""

    limits: Limits = LIMITS
    claimed: Callable[[Delivery, str, datetime, Limits], Delivery] = decisions.claimed
    needs_sending: Callable[[Delivery, Told], bool] = decisions.needs_sending
    after_outcome: Callable[[Delivery, Claim, Told, Outcome, datetime, Limits], Settled] = decisions.after_outcome
    put_back: Callable[[Delivery, Claim, datetime], Settled] = decisions.put_back
    takes_the_lane: bool = True  #: where it must be the only one who sends to this partner
    probes_alone: bool = True  #: a failing partner is probed by one lane at a time
    observes: bool = True  #: how the partner stands, in the store, where other replicas change it too
    looks_at_its_lease: bool = True  #: again, right before it sends
    by_both_clocks: bool = True  #: what is left of a lease is the smaller of what the two clocks say
    written_within: float = WRITTEN_WITHIN  #: seconds
    mistrusts_the_clock: bool = True  #: a wait that a step of it ended is no wait


SOUND: Final = Rules()
