"""What a lane takes in hand: rows that are due and free, each with what is true of its EVSE at that moment."""

import uuid
from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.channel import Channel
from app.clock import Clock
from app.domain.delivery import NOTHING, Delivery, Notice
from app.domain.partner import Partner
from app.domain.presentation import Gate
from app.schedule.decisions import STALE, Claim, Limits, claimed, put_back
from app.schedule.steadiness import Steadiness
from app.store import aspects, deliveries, presented
from app.store.database import Database


class Ready(msgspec.Struct, frozen=True):
    """A claim, what is true of its EVSE, and when it was claimed on the monotonic clock, in seconds.

    `succeeded`: another EVSE has its EVSE ID now.
    """

    claim: Claim
    notice: Notice
    succeeded: bool
    ticked: float


class Taken(msgspec.Struct, frozen=True):
    """What was claimed. `probing`: it is one claim at the most, and the lane is held for as long as it takes."""

    ready: list[Ready] = []
    probing: bool = False


class Claimer:
    """Claims for one partner's lane, under the token that tells the lane from those of other replicas."""

    def __init__(self, database: Database, clock: Clock, limits: Limits, channel: Channel, token: str) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits
        self._channel = channel
        self._token = token
        self._steadiness = Steadiness(clock)

    async def next_due(self, partner: Partner) -> datetime | None:
        """When something that nobody is busy with is due at `partner`; now or earlier where it is."""
        async with self._database.read() as connection:
            return await deliveries.next_due(
                connection, partner, self._clock.now(), self._limits.lease, announces=self._channel.announces
            )

    async def backlog(self, connection: AsyncConnection, partner: Partner, enough: int) -> int:
        """How much is due and free at `partner`, counted up to `enough`."""
        return await deliveries.backlog(connection, partner, self._clock.now(), self._limits.lease, enough)

    async def claim(
        self, connection: AsyncConnection, partner: Partner, room: int, busy: Collection[int]
    ) -> Taken | None:
        """Claim up to `room` rows, none about the EVSEs that are `busy`; `None` where another replica has the lane.

        In the transaction that `connection` is in: nothing may be said of it before that is committed.

        An exclusive lane is held from the first claim on. Any other is held for a probe: of many replicas one finds
        out for all whether a partner that failed is back.
        """
        probing = not self._channel.lane.exclusive and partner.failures > 0
        at, ticked = self._clock.now(), self._clock.monotonic()
        steady_since = self._steadiness.since(at)
        if (self._channel.lane.exclusive or probing) and not await deliveries.take_lane(
            connection, partner.id, self._token, at, self._limits.lease
        ):
            return None

        def take(row: Delivery) -> Delivery:
            return claimed(row, uuid.uuid4().hex, at, self._limits)

        limit = 1 if probing else room  # it may have begun to fail since the room was counted
        rows = await deliveries.claim(
            connection,
            partner,
            at,
            limit,
            self._limits.lease,
            take,
            busy,
            probing=partner.failures > 0,
            announces=self._channel.announces,
        )
        if not rows:
            if probing:
                await deliveries.release_lane(connection, partner.id, self._token)
            return Taken()
        truths = await presented.truths(
            connection, [row.evse for row in rows], with_locations=self._channel.needs_locations
        )
        known = await aspects.known(connection, rows) if self._channel.announces else {}
        in_use: set[str | None] = set()
        if self._channel.knows_evse_ids_only:
            # What is gone may have left its EVSE ID to another EVSE: to say that it is gone would hide that one.
            gone = [one.evse.evse_id for one in truths.values() if isinstance(one.shown.presentation.what, Gate)]
            heirs = await presented.in_production(connection, [one for one in gone if one is not None])
            in_use = {one.evse_id for one in heirs if partner.audience.includes(one)}
        taken = Taken([], probing)
        early: list[Delivery] = []
        for row in rows:
            truth = truths[row.evse]
            claim = Claim(row, at, steady_since)
            if truth.shown.recheck_at is not None and truth.shown.recheck_at <= at:
                # Reconcile has not seen the latest: what we would say is about to be wrong.
                early.append(put_back(row, claim, at + STALE) or row)
            else:
                notice = truth.notice(row.aspect, known.get(row.evse, NOTHING))
                succeeded = isinstance(notice.presentation.what, Gate) and notice.evse.evse_id in in_use
                taken.ready.append(Ready(claim, _as_shared(notice, partner), succeeded, ticked))
        await deliveries.replace(connection, early)
        if probing and not taken.ready:
            await deliveries.release_lane(connection, partner.id, self._token)
        return taken

    async def release(self, partner: Partner) -> None:
        """Give the lane back, if it is ours."""
        async with self._database.write() as connection:
            await deliveries.release_lane(connection, partner.id, self._token)


def _as_shared(notice: Notice, partner: Partner) -> Notice:
    """What the partner no longer gets is gone for it, whatever others are shown."""
    if isinstance(notice.presentation.what, Gate) or partner.audience.includes(notice.evse):
        return notice
    gone = msgspec.structs.replace(notice.presentation, what=Gate.REMOVED, because=None, until=None)
    return msgspec.structs.replace(notice, presentation=gone, announced=())
