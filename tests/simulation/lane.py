"""One partner's lane in one replica, as `app.schedule.lane` has it: claim, look at the lease again, say, settle.

Restated here is the order of its steps, in virtual time. What it decides is decided by `app.schedule.decisions`.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from app.channels.outcomes import Delivered
from app.domain.delivery import Delivery
from app.domain.partner import Partner
from app.schedule.decisions import Claim, Told, is_held
from app.schedule.steadiness import Steadiness
from app.store.partners import STANDING
from tests.simulation.evses import Shown
from tests.simulation.judge import Request, in_words
from tests.simulation.settling import Done, Finished, settle
from tests.simulation.trouble import TIMEOUT
from tests.simulation.virtual_time import FOR_EVER, Process

if TYPE_CHECKING:
    from tests.simulation.replica import Replica

_IDLE: Final = 1.0
_SOONEST: Final = 0.005


class Held(NamedTuple):
    """A claim, when it was claimed on the clock that never steps, and what it is to be used for."""

    claim: Claim
    shown: Shown
    ticked: float
    steps: int  #: of the clock, before it was claimed
    alone: bool  #: whether no other lane may send to the partner meanwhile


class Lane:
    """Delivers to the partner as it is configured now; a changed partner gets a new lane."""

    def __init__(self, replica: "Replica", partner: Partner) -> None:
        self.partner = partner
        self._replica = replica
        self._world = world = replica.world
        self._store = world.store
        self._clock = world.clock
        self._rules = world.rules
        self._limits = world.rules.limits
        self._token = world.token(replica.name)
        self._steadiness = Steadiness(self._clock)
        self._under_way = 0  #: claims of which nothing is stored yet
        self._finished: list[Finished] = []
        self._probe: Claim | None = None
        self._stood_at = 0.0
        self._closing = False
        self._process: Process = replica.start(self._run())

    def wake(self, after: float = 0.0) -> None:
        self._world.time.nudge(self._process, after)

    def stop(self) -> None:
        """Claim nothing more, but settle what is under way."""
        self._closing = True
        self.wake()

    def observe(self, current: Partner, read_at: float) -> None:
        """Take over how the partner stands, whoever found out."""
        if self._rules.observes and read_at > self._stood_at and current.revision == self.partner.revision:
            self._stands(current)
            self.wake()

    async def _run(self) -> None:
        while not self._closing:
            await self._turn()
        while self._under_way:
            await self._world.time.rest(FOR_EVER)
            await self._store_finished()
        if self._world.plan.exclusive or self._probe is not None:
            await self._replica.waits()
            async with self._store.transactions.write() as connection:
                await self._store.deliveries.release_lane(connection, self.partner.id, self._token)

    async def _turn(self) -> None:
        if self._room() <= 0:
            await self._world.time.rest(FOR_EVER if self._under_way else self._until_freed())
        else:
            due = await self._next_due()
            claimed = await self._claim() if due is not None and due <= self._clock.now() else []
            for held in claimed or ():
                self._under_way += 1
                self._replica.start(self._say(held))
            if claimed is None:
                await self._world.time.rest(_IDLE)
            elif not claimed:
                # In reality for a second at most; but a look in between could find nothing that nobody wakes us for.
                wait = FOR_EVER if due is None else (due - self._clock.now()).total_seconds()
                await self._world.time.rest(max(wait, _SOONEST))
        await self._store_finished()

    def _room(self) -> int:
        if self._closing or is_held(self.partner, self._clock.now(), self._limits):
            return 0
        return (1 if self.partner.failures else self._world.plan.in_flight) - self._under_way

    async def _next_due(self) -> datetime | None:
        await self._replica.waits()
        async with self._store.transactions.read() as connection:
            return await self._store.deliveries.next_due(
                connection, self.partner, self._clock.now(), self._limits.lease
            )

    async def _claim(self) -> list[Held] | None:
        """Claim what there is room for; `None` where another lane has the right to be the only one."""
        await self._replica.waits()
        room = self._room()  # as it is now: meanwhile it may have turned out that the partner fails
        if room <= 0:
            return []
        deliveries, lease = self._store.deliveries, self._limits.lease
        exclusive, failing = self._world.plan.exclusive, self.partner.failures > 0
        probing = failing and not exclusive and self._rules.probes_alone
        takes_the_lane = (exclusive or probing) and self._rules.takes_the_lane
        async with self._store.transactions.write() as connection:
            at, ticked = self._clock.now(), self._clock.monotonic()
            steady_since = self._steadiness.since(at) if self._rules.mistrusts_the_clock else None
            if takes_the_lane and not await deliveries.take_lane(connection, self.partner.id, self._token, at, lease):
                return None

            def take(row: Delivery) -> Delivery:
                return self._rules.claimed(row, self._world.token(self._replica.name), at, self._limits)

            rows = await deliveries.claim(connection, self.partner, at, room, lease, take)
            if not rows and probing:
                await deliveries.release_lane(connection, self.partner.id, self._token)
        held, early = [], []
        for row in rows:
            self._world.judge.claims(self._replica.life)
            self._replica.tells("claims", evse=row.evse, want=row.want, suspect=row.suspect, confirm_at=row.confirm_at)
            claim, shown = Claim(row, at, steady_since), self._world.evses.shown[row.evse]
            self._probe = claim if probing else None
            if shown.recheck_at <= at:
                early.append(claim)  # what we would say is about to be wrong
            else:
                held.append(Held(claim, shown, ticked, self._clock.steps, exclusive or failing))
        if early:
            await self._replica.waits()
            await self._settle([*early])
        return held

    async def _say(self, held: Held) -> None:
        claim, configuration = held.claim, self.partner.configuration
        words = in_words(held.shown.status, configuration["table"])
        told = Told(held.shown.version, words)
        await self._replica.waits()
        if not self._rules.needs_sending(claim.delivery, told):
            self._finish(Done(claim, told, Delivered(), sent=False))
            return
        if self._rules.looks_at_its_lease and self._lease_left(held) < 2 * TIMEOUT:
            self._finish(claim)
            return
        evse, written_by = claim.delivery.evse, self._clock.monotonic() + self._rules.written_within
        request = Request(
            life=self._replica.life,
            address=configuration["address"],
            evse=evse,
            version=told.version,
            words=words,
            claimed=held.ticked,
            steps=held.steps,
            alone=held.alone,
        )
        self._replica.tells("sends", evse=evse, version=told.version, words=words)
        outcome = await self._world.network.deliver(request, written_by)
        self._replica.tells("hears", evse=evse, version=told.version, outcome=type(outcome).__name__)
        self._finish(Done(claim, told, outcome, sent=True))

    def _lease_left(self, held: Held) -> float:
        passed = (self._clock.now() - held.claim.at).total_seconds()
        if self._rules.by_both_clocks:
            passed = max(passed, self._clock.monotonic() - held.ticked)
        return self._limits.lease.total_seconds() - passed

    def _finish(self, one: Finished) -> None:
        self._finished.append(one)
        self.wake()

    async def _store_finished(self) -> None:
        if finished := self._finished:
            self._finished = []
            await self._replica.waits()
            await self._settle(finished)
            self._under_way -= len(finished)

    async def _settle(self, finished: list[Finished]) -> None:
        probed = self._probe is not None and any(one.key == self._probe.key for one in finished)
        stands, owing = await settle(
            self._replica, self.partner.id, finished, giving_back=self._token if probed else None
        )
        if probed:
            self._probe = None
        self._stood_at = self._clock.monotonic()
        if stands.hold_until != self.partner.hold_until:
            self._world.partner_changed(self._replica)
        if probed or owing:
            self._world.promised(self._replica)
        self._stands(stands)

    def _stands(self, current: Partner) -> None:
        self.partner = msgspec.structs.replace(self.partner, **{name: getattr(current, name) for name in STANDING})

    def _until_freed(self) -> float:
        until = self.partner.hold_until
        if self.partner.paused or until is None:
            return FOR_EVER
        return max((until - self._clock.now()).total_seconds(), _SOONEST)
