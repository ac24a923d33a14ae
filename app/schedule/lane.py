"""One partner's lane: claims what is due, says it, settles what came of it. Slow partners only ever slow themselves."""

import asyncio
import contextlib
import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from app.channels.channel import Channel, Connection, Delivered, Means, Outcome, Rejected, Unknown
from app.clock import Clock
from app.domain.delivery import Aspect, Delivery, Notice
from app.domain.partner import Partner
from app.domain.presentation import Gate
from app.schedule.decisions import (
    Claim,
    Limits,
    Told,
    after_outcome,
    claimed,
    is_held,
    needs_sending,
    put_back,
    standing_after,
)
from app.store import deliveries, partners, presented
from app.store.database import Database
from app.store.deliveries import Attempt

_IDLE: Final = 1.0  #: seconds between looks when nobody calls
_LAST_TRIES: Final = 5.0  #: seconds that a stopping lane goes on trying to store what it was answered
_SOONEST: Final = 0.005  #: seconds; a row that is due may be locked for as long as its transaction takes
_STALE: Final = timedelta(milliseconds=50)  #: when to look again at what reconcile is about to change

log = structlog.get_logger(__name__)


class Done(msgspec.Struct, frozen=True):
    """What came of one claim. `attempt` is `None` where the partner already knew, so that nothing was sent."""

    claim: Claim
    told: Told
    outcome: Outcome
    attempt: Attempt | None


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
    ) -> None:
        """`timeout` is in seconds, for one request."""
        self.partner = partner
        self._channel = channel
        self._connection: Connection = channel.connect(partner.with_secrets(), Means(clock, timeout))
        self._database = database
        self._clock = clock
        self._limits = limits
        self._timeout = timeout
        self._token = uuid.uuid4().hex
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[Done | Claim]] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"lane {self.partner.name}")

    def wake(self) -> None:
        """Something may be owed to this partner."""
        self._wake.set()

    async def stop(self) -> None:
        """Claim nothing more, wait for what is under way, store what came of it."""
        self._closing = True
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
        while self._sending:
            finished, self._sending = await asyncio.wait(self._sending)
            await self._store([task.result() for task in finished])
        if self._channel.lane.exclusive:
            with contextlib.suppress(Exception):
                async with self._database.write() as connection:
                    await deliveries.release_lane(connection, self.partner.id, self._token)

    async def _turn(self) -> None:
        self._wake.clear()
        room = self._room()
        taken = await self._claim(room) if room > 0 else []
        for claim, notice, succeeded in taken or ():
            self._sending.add(asyncio.create_task(self._say(claim, notice, succeeded=succeeded)))
        if not self._sending:
            await self._rest(_IDLE if taken is None else await self._until_due())
            return
        # Woken by an answer, or by something new to claim while there is room.
        waiting = asyncio.create_task(self._wake.wait())
        tasks: set[asyncio.Task[object]] = {*self._sending} if self._room() <= 0 else {*self._sending, waiting}
        await asyncio.wait(tasks, timeout=_IDLE, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        finished = {task for task in self._sending if task.done()}
        self._sending -= finished
        await self._store([task.result() for task in finished])

    def _room(self) -> int:
        if self._closing or is_held(self.partner, self._clock.now(), self._limits):
            return 0
        # After a failure one request probes whether the partner is back; its success frees everything.
        capacity = 1 if self.partner.failures else self._channel.lane.in_flight
        return capacity - len(self._sending)

    async def _claim(self, room: int) -> list[tuple[Claim, Notice, bool]] | None:
        """Claim up to `room` rows, each with what is true of its EVSE, and whether another EVSE has its EVSE ID now.

        `None` where another replica has the lane.
        """
        # A look without a transaction first: an idle partner must not cost a write.
        due = await self._next_due()
        if due is None or due > self._clock.now():
            return []
        async with self._database.write() as connection:
            at = self._clock.now()
            if self._channel.lane.exclusive and not await deliveries.take_lane(
                connection, self.partner.id, self._token, at, self._limits.lease
            ):
                return None

            def take(row: Delivery) -> Delivery:
                return claimed(row, uuid.uuid4().hex, at, self._limits)

            rows = await deliveries.claim(connection, self.partner, at, room, self._limits.lease, take)
            if not rows:
                return []
            notices = await presented.notices(connection, [row.evse for row in rows])
            in_use: set[str | None] = set()
            if self._channel.knows_evse_ids_only:
                # What is gone may have left its EVSE ID to another EVSE: to say that it is gone would hide that one.
                gone = [one.evse.evse_id for one, _ in notices.values() if isinstance(one.presentation.what, Gate)]
                heirs = await presented.in_production(connection, [one for one in gone if one is not None])
                in_use = {one.evse_id for one in heirs if self.partner.audience.includes(one)}
        ready = []
        early = []
        for row in rows:
            notice, recheck_at = notices[row.evse]
            claim = Claim(row, at)
            if recheck_at is not None and recheck_at <= at:
                early.append(claim)  # reconcile has not seen the latest: what we would say is about to be wrong
            else:
                succeeded = isinstance(notice.presentation.what, Gate) and notice.evse.evse_id in in_use
                ready.append((claim, self._as_shared(notice), succeeded))
        if early:
            await self._store(early)
        return ready

    def _as_shared(self, notice: Notice) -> Notice:
        """What the partner no longer gets is gone for it, whatever others are shown."""
        if isinstance(notice.presentation.what, Gate) or self.partner.audience.includes(notice.evse):
            return notice
        gone = msgspec.structs.replace(notice.presentation, what=Gate.REMOVED, because=None, until=None)
        return msgspec.structs.replace(notice, presentation=gone)

    async def _say(self, claim: Claim, notice: Notice, *, succeeded: bool) -> Done | Claim:
        try:
            message = self._connection.translate(notice)
        except Exception as error:
            log.exception("a channel cannot say what is shown, which it always should", partner=self.partner.name)
            return Done(claim, Told(notice.version, ""), Rejected(f"{type(error).__name__}: {error}"), None)
        told = Told(notice.version, message.digest)
        if succeeded or not needs_sending(claim.delivery, told):
            return Done(claim, told, Delivered(), None)
        # A claim that was held up too long is not used: by the time the request is through, another may own the row.
        lease_left = claim.at + self._limits.lease - self._clock.now()
        if lease_left < timedelta(seconds=2 * self._timeout):
            return claim
        began = self._clock.monotonic()
        try:
            outcome = await self._connection.deliver(message)
        except Exception as error:
            log.exception("a channel raised, which it never should", partner=self.partner.name)
            outcome = Unknown(f"{type(error).__name__}: {error}")
        took_ms = round((self._clock.monotonic() - began) * 1000)
        answer = outcome.detail if isinstance(outcome, Delivered) else outcome.reason
        attempt = Attempt(
            at=self._clock.now(),
            partner=self.partner.id,
            evse=claim.delivery.evse,
            aspect=claim.delivery.aspect,
            version=told.version,
            said=message.said,
            outcome=type(outcome).__name__,
            answer=answer,
            took_ms=took_ms,
        )
        return Done(claim, told, outcome, attempt)

    async def _store(self, finished: Sequence[Done | Claim]) -> None:
        """Store what came of claims, together; tried until it works, for an answer must not be lost.

        While stopping only for a while: after that the rows count as suspect, which loses nothing either.
        """
        if not finished:
            return
        by_key = {(one.claim if isinstance(one, Done) else one).key: one for one in finished}
        began = self._clock.monotonic()
        while True:
            try:
                await self._commit(by_key)
            except Exception:
                if self._closing and self._clock.monotonic() - began > _LAST_TRIES:
                    log.exception("outcomes are given up; they count as unknown", partner=self.partner.name)
                    return
                log.exception("outcomes could not be stored and are tried again", partner=self.partner.name)
                await asyncio.sleep(_IDLE)
            else:
                return

    async def _commit(self, by_key: dict[tuple[int, int, Aspect], Done | Claim]) -> None:
        said = [one for one in by_key.values() if isinstance(one, Done) and one.attempt is not None]
        async with self._database.write() as connection:
            at = self._clock.now()

            def settled(row: Delivery) -> Delivery | None:
                one = by_key[row.partner, row.evse, row.aspect]
                if isinstance(one, Claim):
                    return put_back(row, one, at + _STALE)
                return after_outcome(row, one.claim, one.told, one.outcome, at, self._limits)

            def standing(partner: Partner) -> Partner:
                for one in said:
                    if isinstance(one.outcome, Rejected) and not one.outcome.asked:
                        continue
                    chance = random.random()  # noqa: S311 - spreads retries, guards nothing
                    partner = standing_after(partner, one.claim.at, one.outcome, at, self._limits, chance)
                return partner

            stands = await partners.set_standing(connection, self.partner.id, standing)
            if stands is None:
                return  # removed meanwhile, and with it all that it was owed
            await deliveries.settle(connection, by_key.keys(), settled)
            await deliveries.log(connection, [one.attempt for one in said if one.attempt is not None])
        if stands.failures and not self.partner.failures:
            until = stands.hold_until and stands.hold_until.isoformat()
            log.warning("a partner fails", partner=stands.name, reason=stands.last_error, next_try=until)
        elif self.partner.failures and not stands.failures:
            log.info("a partner is back", partner=stands.name)
        # Only how it stands: a lane goes on with the configuration that it has a connection for.
        fields = {name: getattr(stands, name) for name in partners.STANDING}
        self.partner = msgspec.structs.replace(self.partner, **fields)

    async def _until_due(self) -> float:
        """Seconds until something can be claimed, if nobody calls before."""
        at = self._clock.now()
        if self.partner.paused:
            return _IDLE
        if is_held(self.partner, at, self._limits) and self.partner.hold_until is not None:
            return min(_IDLE, max((self.partner.hold_until - at).total_seconds(), _SOONEST))
        due = await self._next_due()
        if due is None:
            return _IDLE
        return min(_IDLE, max((due - at).total_seconds(), _SOONEST))

    async def _next_due(self) -> datetime | None:
        async with self._database.read() as connection:
            return await deliveries.next_due(connection, self.partner, self._clock.now(), self._limits.lease)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
