"""One history: a plan played in virtual time over a store, until there has been peace for long enough."""

import itertools
from random import Random
from typing import Final

from app.domain.delivery import Delivery
from tests.simulation.evses import Evses
from tests.simulation.happenings import happens, somebody_looks
from tests.simulation.judge import End, Judge, in_words
from tests.simulation.network import Network
from tests.simulation.plan import Plan
from tests.simulation.receiver import Receivers
from tests.simulation.replica import Replica
from tests.simulation.rules import SOUND, Rules
from tests.simulation.stores import Store
from tests.simulation.virtual_time import SteppingClock, VirtualTime, passes

#: Seconds into peace when whatever was under way is over, and somebody asks again for what the partner rejected.
_SOMEBODY_LOOKS: Final = 300.0
_PEACE: Final = 12 * 3600.0  #: seconds; longer than what is retried slowly, under a clock an hour or two off


class History:
    """Everything there is in it. Replicas know each other through the store alone."""

    def __init__(self, plan: Plan, store: Store, rules: Rules = SOUND) -> None:
        self.plan = plan
        self.store = store
        self.rules = rules
        self.time = VirtualTime()
        self.clock = SteppingClock(self.time)
        self.evses = Evses(plan.evses)
        self.receivers = Receivers()
        self.judge = Judge(self.time, self.clock, self.evses, rules.limits.lease, plan.lasts + _SOMEBODY_LOOKS)
        self.network = Network(self)
        self.dice = Random(f"course {plan.seed}")
        self.replicas: dict[int, Replica] = {}
        self.trace: list[tuple[float, str, str, dict[str, object]]] = []
        self.rows: list[Delivery] = []
        self.end = End({}, {}, {})
        self._tokens = itertools.count(1)

    async def run(self) -> None:
        """Play it to its end. What was wrong, on the way or then, is in `judge.wrong`."""
        for number in range(self.plan.replicas):
            self.born(number)
        self.time.start(self._happens())
        await self.time.run(self.plan.lasts + _PEACE)
        self.time.close()
        async with self.store.transactions.read() as connection:
            partner = await self.store.the_partner(connection)
        self.rows = await self.store.rows(self.evses.truth)
        address, table = partner.configuration["address"], partner.configuration["table"]
        self.end = End(
            truth={evse: in_words(status, table) for evse, status in self.evses.truth.items()},
            last_written={evse: self.receivers.last_written(address, evse) for evse in self.evses.truth},
            newest={evse: self.receivers.newest(address, evse) for evse in self.evses.truth},
        )
        self.judge.compare(partner, self.rows, self.end)

    async def _happens(self) -> None:
        for event in self.plan.events:
            await passes(event.at - self.time.now)
            self.tells("!", event.said())
            await happens(event, self)
        await passes(self.plan.lasts + _SOMEBODY_LOOKS - self.time.now)
        await somebody_looks(self)

    def born(self, number: int) -> None:
        self.replicas[number] = Replica(self, f"replica {number}")
        self.tells(f"replica {number}", "starts")

    def token(self, name: str) -> str:
        return f"{name}/{next(self._tokens)}"

    def tells(self, who: str, verb: str, **details: object) -> None:
        """Note what happens, for the trace."""
        self.trace.append((self.time.now, who, verb, details))

    # Who looks, and when. A look once a second that could find nothing is left out.

    def promised(self, by: Replica | None = None) -> None:
        """Something may be claimed: `by` knows, the others find out when they look."""
        for replica in self.replicas.values():
            replica.promised(0.0 if replica is by else self.dice.random())

    def touched(self) -> None:
        """Some EVSE is to be looked at: the replica that took the command knows, the others find out."""
        asked = self.dice.randrange(self.plan.replicas)
        for number, replica in self.replicas.items():
            replica.touched(0.0 if number == asked else self.dice.random())

    def look_at_everything(self) -> None:
        self.touched()
        self.partner_changed()
        self.promised()

    def partner_changed(self, by: Replica | None = None) -> None:
        for replica in self.replicas.values():
            replica.partner_changed(0.0 if replica is by else self.dice.random())
