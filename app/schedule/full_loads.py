"""The full loads of one partner: everything it has of us replaced at once, in its lane, when somebody or the day asks.

A load replaces what it does not mention, so it is made only where all of it is ours to say, and never of a fleet that
has shrunk suspiciously. While one is under way nothing else is told to the partner; what changes meanwhile is owed, and
told right after it. One that was lost on the way may be applied late, over news that followed it: when it can no longer
arrive, everything is told anew.
"""

import random
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, assert_never

import msgspec
import structlog

from app.channels.channel import Connection as ToPartner
from app.channels.channel import Message, Replaces
from app.channels.outcomes import Apart, Delivered, NotSent, Outcome, Refused, Rejected, Replaced, Unknown
from app.clock import Clock
from app.domain.daily import Daily
from app.domain.delivery import Aspect, Delivery
from app.domain.full_load import FullLoad
from app.domain.partner import Partner
from app.schedule.decisions import Limits, standing_after
from app.store import deliveries, full_loads, partners
from app.store.database import Database
from app.store.full_loads import Loaded

_PAGE: Final = 1000  #: EVSEs read, and noted as told, in one transaction
_LOOK: Final = 1.0  #: seconds between looks at whether a load is wanted

log = structlog.get_logger(__name__)


class FullLoads:
    """Makes them over one lane's connection, under that lane's token."""

    def __init__(
        self, partner: Partner, connection: ToPartner, database: Database, clock: Clock, limits: Limits, token: str
    ) -> None:
        self._partner = partner
        self._connection = connection
        self._database = database
        self._clock = clock
        self._limits = limits
        self._token = token
        self._looked_at: float | None = None

    async def is_due(self) -> bool:
        """Tell whether there is something to do; looks once a second at most."""
        now = self._clock.monotonic()
        if not isinstance(self._connection, Replaces):
            return False
        if self._looked_at is not None and now < self._looked_at + _LOOK:
            return False
        self._looked_at = now
        async with self._database.read() as connection:
            load = await full_loads.find(connection, self._partner.id)
        at, daily = self._clock.now(), self._connection.daily
        if load is not None:
            # Also where it is no longer for us to do: what was begun may come late all the same.
            left_behind = load.began_at is not None or load.is_in_doubt(at, self._limits.settle)
            return left_behind or (daily is not None and load.is_wanted(daily, at))
        if daily is not None:  # from now on it is for us to do: the first one is made when its time of day comes
            async with self._database.write() as connection:
                await full_loads.change(connection, self._partner.id, at, lambda new: new)
        return False

    async def do(self) -> Partner | None:
        """Do what is due, and return how the partner stands afterwards; `None` if it was not asked anything."""
        if not isinstance(self._connection, Replaces):
            return None
        self._looked_at = None  # there may be more to do: EVSEs were left out, or it was asked for again
        if not await self._may_begin(self._connection.daily):
            return None
        loaded, messages = await self._all_there_is()
        began = await self._begin(len(messages))
        if began is None:
            return None
        try:
            replaced = await self._connection.replace_all(messages)
        except Exception as error:
            log.exception("a channel raised, which it never should", partner=self._partner.name)
            replaced = Replaced(Unknown(f"{type(error).__name__}: {error}"))
        return await self._settle(replaced, loaded, began)

    async def _may_begin(self, daily: Daily | None) -> bool:
        """Take the lane, and do what an earlier load has left behind; tell whether one is wanted now."""
        async with self._database.write() as connection:
            at = self._clock.now()
            if not await deliveries.take_lane(connection, self._partner.id, self._token, at, self._limits.lease):
                return False

            def left_behind(load: FullLoad) -> FullLoad:
                if load.began_at is not None:  # the lane is ours, so whoever began it is gone
                    return load.doubtful("whoever made it is gone", at, self._limits.settle)
                return load

            load = await full_loads.change(connection, self._partner.id, at, left_behind)
            if load.is_in_doubt(at, self._limits.settle):
                await full_loads.owe_everything(connection, self._partner.id, at)
                load = await full_loads.change(connection, self._partner.id, at, FullLoad.told_anew)
                log.info("everything is told anew, as a full load may have come late", partner=self._partner.name)
            return daily is not None and load.is_wanted(daily, at)

    async def _all_there_is(self) -> tuple[list[Loaded], list[Message]]:
        loaded: list[Loaded] = []
        messages: list[Message] = []
        after: int | None = 0
        while after is not None:
            async with self._database.read() as connection:
                page, after = await full_loads.page(connection, self._partner.id, after, _PAGE)
            for delivery, notice in page:
                message = self._connection.translate(notice)
                if not isinstance(message.content, Rejected):  # what cannot be said is rejected in its own turn
                    loaded.append(Loaded(delivery, notice.version, message.digest))
                    messages.append(message)
        return loaded, messages

    async def _begin(self, count: int) -> datetime | None:
        async with self._database.write() as connection:
            at = self._clock.now()
            if not await deliveries.take_lane(connection, self._partner.id, self._token, at, self._limits.lease):
                return None

            def decide(load: FullLoad) -> FullLoad:
                objection = load.objection(count)
                return load.begun(at) if objection is None else load.given_up(objection, at)

            load = await full_loads.change(connection, self._partner.id, at, decide)
        if load.began_at is None:
            log.warning("a full load is not made", partner=self._partner.name, why=load.last_error)
            return None
        return at

    async def _settle(self, replaced: Replaced, loaded: Sequence[Loaded], began: datetime) -> Partner | None:
        outcome = replaced.outcome
        if isinstance(outcome, Delivered):
            for first in range(0, len(loaded), _PAGE):
                async with self._database.write() as connection:
                    await full_loads.acknowledge(connection, loaded[first : first + _PAGE], self._clock.now())
        named = {loaded[place].delivery.evse for place in replaced.named}
        async with self._database.write() as connection:
            at = self._clock.now()
            chance = random.random()  # noqa: S311 - spreads retries, guards nothing
            stands = await partners.set_standing(
                connection,
                self._partner.id,
                lambda old: standing_after(old, began, outcome, at, self._limits, chance),
            )
            if stands is None:
                return None  # it was removed, and with it went all that it was owed
            if isinstance(outcome, Rejected) and named:
                await deliveries.settle(
                    connection,
                    [(self._partner.id, evse, Aspect.STATUS) for evse in sorted(named)],
                    lambda row: _parked(row, outcome, at, self._limits),
                )
            elif isinstance(outcome, Rejected):
                await full_loads.owe_everything(connection, self._partner.id, at)
            load = await full_loads.change(
                connection,
                self._partner.id,
                at,
                lambda load: _after(load, outcome, len(loaded), named, at, self._limits),
            )
        if isinstance(outcome, Delivered):
            log.info("a full load was accepted", partner=self._partner.name, evses=len(loaded))
        else:
            log.warning("a full load failed", partner=self._partner.name, why=load.last_error)
        return stands


def _after(
    load: FullLoad, outcome: Outcome, count: int, named: Collection[int], at: datetime, limits: Limits
) -> FullLoad:
    match outcome:
        case Delivered():
            return load.accepted(count, at)
        case Rejected(reason=reason) if named:
            return load.failed(f"tried again without {len(named)} EVSEs: {reason}")
        case Rejected(reason=reason):
            return load.sifted(f"whichever EVSEs it was for is found out by telling each: {reason}", at)
        case Unknown(reason=reason):
            return load.doubtful(reason, at, limits.settle)
        case Refused(reason=reason) | NotSent(reason=reason) | Apart(reason=reason):
            return load.failed(reason)
        case _:
            assert_never(outcome)


def _parked(row: Delivery, outcome: Rejected, at: datetime, limits: Limits) -> Delivery:
    """Park an EVSE that a load was refused for, as if it had been refused alone.

    Whatever stands in the row: were it in the next load too, that would be refused as well, again and again.
    """
    return msgspec.structs.replace(
        row,
        rejected_version=row.want,
        attempts=row.attempts + 1,
        last_error=outcome.reason,
        # One that an owner died over is taken up as soon as its lease is over.
        next_at=at + limits.retry_slowly if row.token is None else row.next_at,
    )
