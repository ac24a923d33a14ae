"""The full loads of one partner: everything it has of us replaced at once, in its lane, when somebody or the day asks.

A load replaces what it does not mention, so it is made only where all of it is ours to say, and never of a fleet that
has shrunk suspiciously. While one is under way nothing else is told to the partner; what changes meanwhile is owed, and
told right after it. One that was lost on the way may be applied late, over news that followed it: when it can no longer
arrive, everything is told anew.
"""

import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.channel import Connection as ToPartner
from app.channels.channel import Message, Replaces
from app.channels.outcomes import Delivered, Outcome, Rejected, Replaced, Unknown
from app.clock import Clock
from app.domain.daily import Daily
from app.domain.delivery import Aspect
from app.domain.full_load import FullLoad
from app.domain.partner import Partner
from app.schedule.decisions import Limits, standing_after
from app.schedule.full_load_decisions import after_load, parked
from app.schedule.steadiness import Steadiness
from app.store import deliveries, full_loads, partner_reports, partners
from app.store.database import Database
from app.store.full_loads import Loaded

_PAGE: Final = 1000  #: EVSEs read, noted as told, or parked in one statement or transaction
_LOOK: Final = 1.0  #: seconds between looks at whether a load is wanted
_ANEW: Final = timedelta(minutes=4)  #: over which everything is told anew, less than a load that was put off waits

log = structlog.get_logger(__name__)


class FullLoads:
    """Makes them over one lane's connection, under that lane's token. `closing`: begin no more."""

    def __init__(
        self, partner: Partner, connection: ToPartner, database: Database, clock: Clock, limits: Limits, token: str
    ) -> None:
        self.closing = False
        self._partner = partner
        self._connection = connection
        self._database = database
        self._clock = clock
        self._limits = limits
        self._token = token
        self._steadiness = Steadiness(clock)
        self._looked_at: float | None = None

    @property
    def waits(self) -> bool:
        """Whether it is time to look for something to do, as it is once a second at most."""
        if not isinstance(self._connection, Replaces):
            return False
        return self._looked_at is None or self._clock.monotonic() >= self._looked_at + _LOOK

    async def is_due(self) -> bool:
        """Tell whether there is something to do, if it is time to look."""
        if not isinstance(self._connection, Replaces) or not self.waits:
            return False
        self._looked_at = self._clock.monotonic()
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
        stands = await self._done()
        # After one that was made there may be more to do: EVSEs were left out, or it was asked for again. While none
        # can be made, as another replica has the lane or reconcile is busy, everything else goes on.
        self._looked_at = self._clock.monotonic() if stands is None else None
        return stands

    async def _done(self) -> Partner | None:
        if not isinstance(self._connection, Replaces):
            return None
        if not await self._may_begin(self._connection.daily):
            return None
        loaded, messages = await self._all_there_is()
        ticked = self._clock.monotonic()
        began = None if self.closing else await self._begin(len(messages))
        if began is None or await self._is_too_late(began, ticked):
            return None
        try:
            replaced = await self._connection.replace_all(messages)
        except Exception as error:
            log.exception("a channel raised, which it never should", partner=self._partner.name)
            replaced = Replaced(Unknown(f"{type(error).__name__}: {error}"))
        return await self._settle(replaced, loaded, began)

    async def _may_begin(self, daily: Daily | None) -> bool:
        """Take the lane, and do what an earlier load has left behind; tell whether one is to be made now."""
        async with self._database.write() as connection:
            at = self._clock.now()
            if not await self._has_lane(connection, at):
                return False
            load = await full_loads.change(connection, self._partner.id, at, lambda load: self._left_behind(load, at))
            if load.is_in_doubt(at, self._limits.settle):
                await full_loads.owe_everything(connection, self._partner.id, at, over=_ANEW)
                load = await full_loads.change(connection, self._partner.id, at, FullLoad.told_anew)
                log.info("everything is told anew, as a full load may have come late", partner=self._partner.name)
            if daily is None or not load.is_wanted(daily, at):
                return False
            return not await full_loads.awaited(connection, self._partner, at)

    def _left_behind(self, load: FullLoad, at: datetime) -> FullLoad:
        settle = self._limits.settle
        if load.began_at is not None:  # the lane is ours, so whoever began it is gone
            load = load.failed("whoever made it is gone").doubted(at, settle)
        steady, until = self._steadiness.since(at), load.doubtful_until
        if until is not None and not steady <= until - settle <= at:
            load = load.doubted(at, settle)  # the clock was stepped: the wait may have been none at all
        return load

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
        """Note that one is under way, from when on it may have been applied; `None` where none is to be made."""
        async with self._database.write() as connection:
            at = self._clock.now()
            if not await self._has_lane(connection, at):
                return None
            # Paused, or changed while the fleet was read: perhaps it is no longer ours to replace.
            if not await full_loads.is_as_configured(connection, self._partner):
                return None
            left_out = (await partner_reports.owing(connection, self._partner.id)).parked

            def decide(load: FullLoad) -> FullLoad:
                objection = load.objection(count, left_out)
                return load.begun(at) if objection is None else load.given_up(objection, at)

            load = await full_loads.change(connection, self._partner.id, at, decide)
        if load.began_at is None:
            log.warning("a full load is not made", partner=self._partner.name, why=load.last_error)
            return None
        return at

    async def _is_too_late(self, began: datetime, ticked: float) -> bool:
        """Whether we were held up so long that another may have the lane by the time the request is through."""
        held = max(self._clock.now() - began, timedelta(seconds=self._clock.monotonic() - ticked))
        if held <= self._limits.lease / 3:
            return False
        async with self._database.write() as connection:
            await full_loads.change(
                connection,
                self._partner.id,
                self._clock.now(),
                lambda load: load.failed("it was held up for too long") if load.began_at == began else load,
            )
        return True

    async def _settle(self, replaced: Replaced, loaded: Sequence[Loaded], began: datetime) -> Partner | None:
        outcome = replaced.outcome
        if isinstance(outcome, Delivered) and not await self._acknowledged(loaded, began):
            outcome = Unknown("another replica went on meanwhile")
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
            if not await self._is_ours(connection, began, at):
                if isinstance(outcome, Delivered | Unknown):  # what we said may lie over what another has said since
                    await full_loads.change(
                        connection, self._partner.id, at, lambda load: load.doubted(at, self._limits.settle)
                    )
                return stands
            if isinstance(outcome, Rejected):
                await self._refused(connection, outcome, named, at)
            load = await full_loads.change(
                connection,
                self._partner.id,
                at,
                lambda load: after_load(load, outcome, len(loaded), named, at, self._limits),
            )
        self._tell(outcome, load, len(loaded))
        return stands

    async def _acknowledged(self, loaded: Sequence[Loaded], began: datetime) -> bool:
        """Note what the partner has now; tell whether the lane was ours all the while."""
        for first in range(0, len(loaded), _PAGE):
            async with self._database.write() as connection:
                at = self._clock.now()
                if not await self._is_ours(connection, began, at):
                    return False
                await full_loads.acknowledge(connection, loaded[first : first + _PAGE], at)
        async with self._database.write() as connection:
            if not await self._is_ours(connection, began, self._clock.now()):
                return False
            await full_loads.forget_left_out(connection, self._partner.id)
        return True

    async def _refused(
        self, connection: AsyncConnection, outcome: Rejected, named: Collection[int], at: datetime
    ) -> None:
        """Park the EVSEs that it was refused for; or have each told, which finds out who they are."""
        keys = [(self._partner.id, evse, Aspect.STATUS) for evse in sorted(named)]
        for first in range(0, len(keys), _PAGE):
            await deliveries.settle(
                connection, keys[first : first + _PAGE], lambda row: parked(row, outcome.reason, at, self._limits)
            )
        if not keys:
            await full_loads.owe_everything(connection, self._partner.id, at, over=_ANEW)

    async def _has_lane(self, connection: AsyncConnection, at: datetime) -> bool:
        return await deliveries.take_lane(connection, self._partner.id, self._token, at, self._limits.lease)

    async def _is_ours(self, connection: AsyncConnection, began: datetime, at: datetime) -> bool:
        """Whether the load that we began is still the one under way, in a lane that is still ours."""
        if not await self._has_lane(connection, at):
            return False
        load = await full_loads.find(connection, self._partner.id)
        return load is not None and load.began_at == began

    def _tell(self, outcome: Outcome, load: FullLoad, count: int) -> None:
        if isinstance(outcome, Delivered):
            log.info("a full load was accepted", partner=self._partner.name, evses=count)
        else:
            log.warning("a full load failed", partner=self._partner.name, why=load.last_error)
