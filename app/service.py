"""One running service: everything that has to be opened, in order, and closed again."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from math import nan
from typing import Final

import structlog

from app import VERSION
from app import channels as registered
from app.api.broadcasting import Broadcast
from app.channels.channel import Channel
from app.clock import Clock, SystemClock
from app.domain.instant import rfc3339
from app.observing.metrics import Metrics
from app.observing.stocktaking import Stocktaking
from app.observing.watching import Observing
from app.schedule.concerns import Concerns
from app.schedule.decisions import Limits
from app.schedule.dispatch import Dispatcher
from app.schedule.housekeeping import Chore, Housekeeping
from app.schedule.purge import Purge
from app.schedule.reassertion import Reassertion, of_active
from app.schedule.reconcile import Reconciler
from app.settings import PREFIX, Settings
from app.store import migrating
from app.store.database import Database, EmbeddedLock
from app.store.key_uses import KeyUses
from app.store.keys import KeyReader
from app.store.line import WAITING
from app.store.looking_up import EvseReader
from app.store.secrets import Secrets, key_beside
from app.store.writer import Writer

_PROMPT: Final = 0.25  #: seconds; a slower answer about the time is passed over, the next one comes in a second
_SKEWED: Final = timedelta(seconds=1)  #: of this machine's clock against the database's, worth a line in the log
_SILENT: Final = timedelta(seconds=30)  #: without a pass of reconcile, the service is not ready
_STUCK: Final = 30.0  #: seconds over one group of changes, and the service is not ready

log = structlog.get_logger(__name__)


class NotMigrated(Exception):
    """The database is at another revision than this version of the code expects."""


class Service:
    """One running service: everything that has to be opened, in order, and closed again."""

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, channels: Mapping[str, Channel] | None = None
    ) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.channels = registered.REGISTER if channels is None else channels
        self.stopping = False  #: said by readiness, so that nobody new is sent here
        self.database = Database(
            settings.database_url, transaction_pooling=settings.transaction_pooling, stall=settings.stall
        )
        self.metrics = Metrics(version=VERSION, embedded=self.database.embedded)
        self.observing = Observing(self.metrics, Stocktaking(self.database, self.clock))
        self.secrets = secrets_for(settings)
        self._lock = EmbeddedLock(self.database.path) if self.database.path else None
        self.dispatcher = Dispatcher(
            self.database,
            self.clock,
            self.secrets,
            self.channels,
            limits=Limits(
                lease=settings.lease,
                settle=settings.settle,
                back_off_first=settings.back_off_first,
                back_off_longest=settings.back_off_longest,
                retry_slowly=settings.retry_slowly,
            ),
            timeout=settings.request_timeout.total_seconds(),
            measures=self.metrics.measures,
        )
        self.reconciler = Reconciler(
            self.database,
            self.clock,
            max_age=settings.actual_status_max_age,
            promised=self._promised,
            measures=self.metrics.measures,
        )
        self.events = Broadcast(self.database, self.clock, self.channels, settings)
        self.writer = Writer(
            self.database,
            self.clock,
            committed=self.reconciler.look,
            brake=settings.brake,
            measures=self.metrics.measures,
        )
        self.keys = KeyReader(self.database)
        self.evses = EvseReader(self.database, self.clock)
        self.key_uses = KeyUses(self.database, self.clock)
        due: list[Chore] = [Purge(self.database, settings)]
        if settings.reassert_every:
            due.append(Reassertion(self.database, settings.reassert_every, self.dispatcher.promised))
        if settings.reassert_active_every:
            every = settings.reassert_active_every
            due.append(of_active(self.database, every, self.dispatcher.promised, self.channels))
        self._housekeeping = Housekeeping(self.database, self.clock, due)
        self._concerns = Concerns(self.database, self.clock, self.channels)
        self._skewed = False
        self._let_be_read()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Open, work, and close: no answer is lost, nothing new is begun.

        Raises:
            DatabaseInUse: another process serves this embedded database.
            NotMigrated: `evse-status migrate` has to be run first.
        """
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            if self._lock is not None:
                self._lock.take()
                stack.callback(self._lock.release)
                await migrating.upgrade(self.database)
            elif (current := await migrating.current(self.database)) != migrating.newest():
                raise NotMigrated(
                    f"the database is at revision {current}, this version needs {migrating.newest()}: "
                    "run `evse-status migrate`"
                )
            await self._follow_the_database(patient=True)
            following = asyncio.create_task(self._keep_following(), name="clock")
            stack.push_async_callback(_cancelled, following)
            for part in (
                self.key_uses,
                self.dispatcher,
                self.reconciler,
                self._housekeeping,
                self._concerns,
                self.writer,
                self.events,
                self.observing,
            ):
                await part.start()
                stack.push_async_callback(part.stop)
            yield

    def say_goodbye(self) -> None:
        """Send nobody new here, and end what would never end by itself."""
        self.stopping = True
        self.events.end()

    def _promised(self) -> None:
        self.dispatcher.promised()
        self.events.wake()

    def unready(self) -> list[str]:
        """Say why the service cannot do its work, if it cannot."""
        why = ["the service is stopping"] if self.stopping else []
        silent, seen = self.reconciler.silent, self.reconciler.last_pass_at
        trouble = f": {self.reconciler.trouble}" if self.reconciler.trouble else ""
        if silent is None or seen is None:
            why.append(f"what is due has not been looked at yet{trouble}")
        elif silent > _SILENT:
            why.append(f"what is due was last looked at {rfc3339(seen)}{trouble}")
        if (busy := self.writer.busy) > _STUCK:
            why.append(f"the changes under way have been so for {round(busy)} s")
        if (waiting := self.writer.waiting) >= WAITING:
            why.append(f"{waiting} changes are waiting to be written, and no more are taken")
        return why

    def _let_be_read(self) -> None:
        """Say what else there is to measure: what only has to be read off."""
        reads = self.metrics.reads
        reads("ready", "Whether the service can do its work, its database left aside.", lambda: not self.unready())
        reads("writer_queue_length", "Changes that wait for the one under way.", lambda: self.writer.waiting)
        reads("writer_busy_seconds", "For how long the changes under way have been so.", lambda: self.writer.busy)
        reads(
            "reconcile_silence_seconds",
            "Since what is due was last looked at, which is done every second; NaN before the first time.",
            lambda: nan if (silent := self.reconciler.silent) is None else silent.total_seconds(),
        )
        reads(
            "clock_skew_seconds",
            "By how much this machine's clock is ahead of the database's, which counts; 0 where they are one.",
            lambda: self.clock.machine_ahead.total_seconds() if isinstance(self.clock, SystemClock) else 0,
        )

    async def _keep_following(self) -> None:
        while not self.database.embedded:
            await asyncio.sleep(1)
            with contextlib.suppress(Exception):  # away for a moment: the last known difference stays good
                await self._follow_the_database()

    async def _follow_the_database(self, *, patient: bool = False) -> None:
        """Agree with the database's clock, unless its answer took so long that it says little (and we can wait)."""
        if self.database.embedded or not isinstance(self.clock, SystemClock):
            return
        asked = self.clock.monotonic()
        now = await self.database.now()
        took = self.clock.monotonic() - asked
        if now is not None and (patient or took <= _PROMPT):
            self.clock.follow(now, took)
            self._tell_of_skew(self.clock.machine_ahead)

    def _tell_of_skew(self, ahead: timedelta) -> None:
        """Say once that this machine's clock is off, and once that it no longer is. Nothing here goes by it."""
        skewed = abs(ahead) > _SKEWED
        if skewed and not self._skewed:
            log.warning("this machine's clock is not the database's, which counts", ahead_s=ahead.total_seconds())
        elif self._skewed and not skewed:
            log.info("this machine's clock agrees with the database's again")
        self._skewed = skewed


def secrets_for(settings: Settings) -> Secrets:
    """Use the key from the settings, or the one beside the embedded database.

    Raises:
        ValueError: there is none, and no embedded database to keep one beside; or it is malformed.
    """
    if settings.secret_key is not None:
        return Secrets(settings.secret_key.get_secret_value())
    if settings.database_file is None:
        raise ValueError(f"with PostgreSQL, set {PREFIX}SECRET_KEY: 32 bytes in URL-safe base64")
    return Secrets(key_beside(settings.database_file))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
