"""One replica: it arranges the lanes as the partner is configured, and reconciles; as dispatch and reconcile do."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from app.domain.delivery import Aspect, Delivery
from app.domain.partner import Partner
from app.schedule.resolving import LONGEST_WAIT
from app.store.deliveries import Owed
from tests.simulation.lane import Lane
from tests.simulation.virtual_time import FOR_EVER, Life, Process, Work, passes

if TYPE_CHECKING:
    from tests.simulation.history import History

_STEPPED: Final = timedelta(seconds=2)


class Replica:
    """One life of it: killed, it is followed by another."""

    def __init__(self, world: "History", name: str) -> None:
        self.world = world
        self.name = name
        self.life = Life()
        self._lane: Lane | None = None
        self._seen: tuple[datetime, float] | None = None
        self._dispatch: Process = self.start(self._dispatches())
        self._reconcile: Process = self.start(self._reconciles())

    def start(self, work: Work) -> Process:
        return self.world.time.start(work, self.life)

    async def waits(self) -> None:
        """Let a few milliseconds pass, as before a transaction or a turn of the loop; anything may happen meanwhile."""
        await passes(0.001 + 0.01 * self.world.dice.random())

    def tells(self, verb: str, **details: object) -> None:
        self.life.does(verb)
        self.world.tells(self.name, verb, **details)

    def promised(self, after: float = 0.0) -> None:
        """Something may be owed."""
        if self._lane is not None:
            self._lane.wake(after)

    def partner_changed(self, after: float = 0.0) -> None:
        self.world.time.nudge(self._dispatch, after)

    def touched(self, after: float = 0.0) -> None:
        """Some EVSE is to be looked at."""
        self.world.time.nudge(self._reconcile, after)

    async def _dispatches(self) -> None:
        store = self.world.store
        await self.waits()
        if self.world.plan.embedded:
            async with store.transactions.write() as connection:
                await store.deliveries.void_leases(connection, self.world.clock.now())
        while True:
            read_at = self.world.clock.monotonic()
            async with store.transactions.read() as connection:
                partner = await store.the_partner(connection)
            await self.waits()
            if self._lane is None or self._lane.partner.revision != partner.revision:
                if self._lane is not None:
                    self._lane.stop()
                self._lane = Lane(self, partner)
            else:
                self._lane.observe(partner, read_at)
            await self.world.time.rest(FOR_EVER)

    async def _reconciles(self) -> None:
        clock, evses = self.world.clock, self.world.evses
        while True:
            await self.waits()
            await self._notice_a_step_back()
            if evses.unintroduced:
                evses.introduce()
                await self.waits()
            if evses.due(clock.now()):
                await self._compute()
                self.world.promised(self)
            await self.world.time.rest(max((evses.first_recheck() - clock.now()).total_seconds(), 0.0))

    async def _compute(self) -> None:
        store, evses = self.world.store, self.world.evses
        async with store.transactions.write() as connection:
            at = self.world.clock.now()
            due = evses.due(at)
            partner = await store.the_partner(connection)
            known = await store.deliveries.of_evses(connection, due)
            owed = [self._owes(partner, evse, known.get((partner.id, evse, Aspect.STATUS)), at) for evse in due]
            await store.deliveries.owe(connection, [one for one in owed if one is not None])
        self.tells("owes", **{f"evse_{one.delivery.evse}": one.delivery.want for one in owed if one is not None})

    def _owes(self, partner: Partner, evse: int, old: Delivery | None, at: datetime) -> Owed | None:
        version, generation = self.world.evses.compute(evse, at), partner.generation
        if old is None:
            new = Delivery(partner=partner.id, evse=evse, want=version, shared_at=at, generation=generation, next_at=at)
            return Owed(new, created=True, at=at)
        if (old.want, old.generation) == (version, generation):
            return None
        return Owed(msgspec.structs.replace(old, want=version, generation=generation), created=False, at=at)

    async def _notice_a_step_back(self) -> None:
        clock, evses = self.world.clock, self.world.evses
        now, ticked = clock.now(), clock.monotonic()
        seen, self._seen = self._seen, (now, ticked)
        stepped = seen is not None and now < seen[0] + timedelta(seconds=ticked - seen[1]) - _STEPPED
        if not stepped and evses.last_recheck() <= now + LONGEST_WAIT + _STEPPED:
            return
        async with self.world.store.transactions.write() as connection:
            evses.touch_all()
            await self.world.store.deliveries.bring_forward(connection, now)
        self.tells("notices a step back")
        self.world.promised(self)
