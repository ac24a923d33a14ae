"""One partner's lane: claims what is due, says it, settles what came of it. Slow partners only ever slow themselves.

What came of claims is settled in the transaction that claims what takes their place. Which claims those are is asked
once it is open: the longer it has to wait for others who write, the more answers it settles, and the more it claims.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Collection, Iterable
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.channel import Bundles, Channel, Connection, Means
from app.clock import Clock
from app.domain.partner import Partner
from app.observing.measures import UNMEASURED, Measures
from app.schedule.bundling import Bundling
from app.schedule.claiming import Claimer, Taken
from app.schedule.decisions import Claim, Limits, is_held
from app.schedule.full_loads import FullLoads
from app.schedule.requests import Requests
from app.schedule.settling import Done, Finished, settle
from app.schedule.telling import Teller
from app.store import partners
from app.store.database import Database

_IDLE: Final = 1.0  #: seconds between looks when nobody calls
_LAST_TRIES: Final = 5.0  #: seconds that a stopping lane goes on trying to store what it was answered
_LINGER: Final = 0.05  #: seconds that an answer may wait for others to be settled with it
_SOONEST: Final = 0.005  #: seconds; a row that is due may be locked for as long as its transaction takes

log = structlog.get_logger(__name__)


class PartnerLane:
    """Delivers to one partner, as it is configured now; a changed partner gets a new lane."""

    def __init__(
        self,
        partner: Partner,
        channel: Channel,
        *,
        database: Database,
        clock: Clock,
        limits: Limits,
        timeout: float,
        measures: Measures = UNMEASURED,
    ) -> None:
        """`timeout` is in seconds, for one request, where the partner has none of its own."""
        self.partner = partner
        self._lane = channel.lane
        means = Means(clock, timeout, longest=limits.lease.total_seconds() / 3)
        self._connection: Connection = channel.connect(partner.with_secrets(), means)
        self._database = database
        self._clock = clock
        self._limits = limits
        self._measures = measures
        self._bundling = (
            Bundling(self._connection.largest_bundle)
            if channel.lane.exclusive and isinstance(self._connection, Bundles)
            else None
        )
        self._token = uuid.uuid4().hex
        self._claimer = Claimer(database, clock, limits, channel, self._token)
        self._full_loads = FullLoads(partner, self._connection, database, clock, limits, self._token)
        self._wake = asyncio.Event()  #: something may be owed, or an answer has come
        self._news = asyncio.Event()  #: the former
        self._more = False  #: whether more may be due than there was room for
        teller = Teller(partner.name, self._connection, clock, limits)
        self._requests = Requests(teller, clock, channel.lane.in_flight, self._wake.set)
        self._together = False  #: whether what was claimed last goes into one request
        self._began = 0.0  #: on the monotonic clock, when we last began to claim what is under way
        self._probe: Claim | None = None  #: what finds out whether a failing partner is back; we hold its lane for it
        self._stood_at = 0.0  #: on the monotonic clock, when we last stored how the partner stands
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._loaded = False  #: whether the latest request was a full load

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"lane {self.partner.name}")

    def wake(self) -> None:
        """Something may be owed to this partner."""
        self._news.set()
        self._wake.set()

    def observe(self, current: Partner, read_at: float) -> None:
        """Take over how the partner stands, which other replicas change too; `read_at` is on the monotonic clock."""
        if read_at > self._stood_at and current.revision == self.partner.revision:
            self._stands(current)

    async def stop(self) -> None:
        """Claim nothing more, wait for what is under way, store what came of it."""
        self._closing = True
        self._full_loads.closing = True
        self._requests.closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._connection.close()

    async def _run(self) -> None:
        while not self._closing:
            try:
                await self._turn()
            except Exception:
                log.exception("a lane stumbled and goes on", partner=self.partner.name)
                await self._rest(_IDLE)
        while self._requests.count or self._requests.through:
            if self._requests.under_way:
                await asyncio.wait(self._requests.under_way)
            await self._settle(claiming=False)
        if self._lane.exclusive or self._probe is not None:
            with contextlib.suppress(Exception):
                await self._claimer.release(self.partner)

    async def _turn(self) -> None:
        self._wake.clear()
        if self._requests.through:
            await self._linger()
            taken = await self._settle(claiming=True)
        elif self._requests.count == 0 and self._is_open(self.partner) and await self._load():
            return
        else:
            taken = await self._look()
        ready = taken.ready if taken is not None else []
        self._requests.make([ready] if ready and self._together else [[one] for one in ready])
        if self._requests.count:
            await self._rest(_IDLE)
        elif not (self._full_loads.waits and self._is_open(self.partner)):
            await self._rest(_IDLE if taken is None else await self._until_due())

    async def _linger(self) -> None:
        """Let more answers come while nobody waits for us, as the more are settled at once the less it costs."""
        hurried = self._more and not self._requests.waiting
        if not hurried and self._requests.going_well and not self._closing:
            await _within(_LINGER, self._news)

    async def _load(self) -> bool:
        """Make a full load if one is due; tell whether anything was asked of the partner."""
        if not await self._full_loads.is_due():
            return False
        due = await self._claimer.next_due(self.partner)
        if due is not None and due <= self._clock.now() and (self.partner.failures or self._loaded):
            self._loaded = False
            return False  # one EVSE finds out whether it is back; and between two loads news are told
        stands = await self._full_loads.do()
        if stands is None:
            return False
        self._loaded = True
        self._stand(stands)
        return True

    def _is_open(self, partner: Partner) -> bool:
        return not self._closing and not is_held(partner, self._clock.now(), self._limits)

    def _room(self, partner: Partner) -> int:
        if not self._is_open(partner) or self._full_loads.waits:  # nothing may be under way when that is looked at
            return 0
        if self._together and self._requests.count:  # one at a time, from which it is learned how large the next may be
            return 0
        # After a failure one request probes whether the partner is back; its success frees everything.
        capacity = 1 if partner.failures else self._lane.in_flight + self._requests.ahead
        return capacity - self._requests.count

    async def _look(self) -> Taken | None:
        """Claim what is due, with a look first and without a transaction: an idle partner must not cost a write."""
        if self._room(self.partner) <= 0:
            return Taken()
        self._news.clear()
        due = await self._claimer.next_due(self.partner)
        if due is None or due > self._clock.now():
            if self._bundling is not None:
                self._bundling.idle()
            return Taken()
        if self._requests.count == 0:
            self._began = self._clock.monotonic()
        async with self._database.write() as connection:
            taken = await self._claim(connection, self.partner, self._requests.busy)
        self._hold(taken)
        return taken

    async def _claim(self, connection: AsyncConnection, partner: Partner, busy: Collection[int]) -> Taken | None:
        room, together = self._room(partner), False
        if room > 0 and self._bundling is not None and not partner.failures:
            backlog = await self._claimer.backlog(connection, partner, self._bundling.enough)
            if backlog == 0:
                self._bundling.idle()
            size = self._bundling.size(backlog, self._clock.monotonic())
            if size > 1:
                together = True
                room = size if self._requests.count == 0 else 0
        if room <= 0:
            return Taken()
        self._together = together
        self._news.clear()
        taken = await self._claimer.claim(connection, partner, room, busy)
        self._more = taken is not None and len(taken.ready) >= room
        return taken

    async def _settle(self, *, claiming: bool) -> Taken | None:
        """Store what came of requests that are through, together, and claim what takes their place if `claiming`.

        Tried until it works, for an answer must not be lost. While stopping only for a while: after that the rows count
        as suspect, which loses nothing either.
        """
        began = self._clock.monotonic()
        while True:
            try:
                return await self._settled(claiming=claiming)
            except Exception:
                if self._closing and self._clock.monotonic() - began > _LAST_TRIES:
                    log.exception("outcomes are given up; they count as unknown", partner=self.partner.name)
                    self._requests.take_back()  # what waits too, or it would be tried again for as long
                    self._requests.through.clear()
                    return Taken()
                log.exception("outcomes could not be stored and are tried again", partner=self.partner.name)
                claiming = False  # whatever comes of that, it must not keep them from being stored
                await asyncio.sleep(_IDLE)

    async def _settled(self, *, claiming: bool) -> Taken | None:
        taken: Taken | None = Taken()
        async with self._database.write() as connection:
            self._requests.take_back()
            through = list(self._requests.through)
            finished = {one.key: one for one in through}
            giving_back = self._token if self._probe is not None and self._probe.key in finished else None
            stands = await settle(
                connection, self._clock.now(), self._limits, self.partner.id, finished, giving_back=giving_back
            )
            began = self._clock.monotonic()
            self._learn(through, began)
            if claiming and stands is not None:
                busy = self._requests.busy - {evse for _, evse, _ in finished}
                taken = await self._claim(connection, self._standing(stands), busy)
        self._requests.settled(through)
        self._began = began
        self._measure(finished)
        if giving_back is not None:
            self._probe = None
        if stands is not None:
            self._stand(stands)
        self._hold(taken)
        return taken

    def _learn(self, through: Iterable[Done | Claim], now: float) -> None:
        said = [one.outcome for one in through if isinstance(one, Done) and one.attempt is not None]
        if self._bundling is None or not said:
            return
        requests = [said] if self._together else [[one] for one in said]
        for outcomes in requests:
            self._bundling.learn(outcomes, (now - self._began) / len(requests))

    def _hold(self, taken: Taken | None) -> None:
        """Note what we hold the lane for, now that it is ours."""
        if taken is not None and taken.probing and taken.ready:
            self._probe = taken.ready[0].claim

    def _measure(self, finished: Finished) -> None:
        for one in finished.values():
            if isinstance(one, Done) and one.attempt is not None:
                self._measures.attempted(self.partner.channel, one.attempt.outcome)
                if one.attempt.delay_ms is not None:
                    self._measures.acknowledged(self.partner.channel, one.attempt.delay_ms / 1000)

    def _stand(self, stands: Partner) -> None:
        self._stood_at = self._clock.monotonic()
        if stands.failures and not self.partner.failures:
            until = stands.hold_until and stands.hold_until.isoformat()
            log.warning("a partner fails", partner=stands.name, reason=stands.last_error, next_try=until)
        elif self.partner.failures and not stands.failures:
            log.info("a partner is back", partner=stands.name)
        self._stands(stands)

    def _stands(self, current: Partner) -> None:
        self.partner = self._standing(current)

    def _standing(self, current: Partner) -> Partner:
        # Only how it stands: a lane goes on with the configuration that it has a connection for.
        fields = {name: getattr(current, name) for name in partners.STANDING}
        return msgspec.structs.replace(self.partner, **fields)

    async def _until_due(self) -> float:
        """Seconds until something can be claimed, if nobody calls before."""
        at = self._clock.now()
        if self.partner.paused:
            return _IDLE
        if is_held(self.partner, at, self._limits) and self.partner.hold_until is not None:
            return min(_IDLE, max((self.partner.hold_until - at).total_seconds(), _SOONEST))
        due = await self._claimer.next_due(self.partner)
        if due is None:
            return _IDLE
        return min(_IDLE, max((due - at).total_seconds(), _SOONEST))

    async def _rest(self, seconds: float) -> None:
        await _within(seconds, self._wake)


async def _within(seconds: float, event: asyncio.Event) -> None:
    # Not `wait_for`, which before Python 3.12 may swallow that it was cancelled.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
