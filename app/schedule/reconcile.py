"""Boundary → presented status: takes what is due, computes it anew, and promises each partner what it is owed."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.clock import Clock
from app.domain.partner import Partner
from app.observing.measures import UNMEASURED, Measures
from app.schedule.alarm import Alarm
from app.schedule.promising import promise
from app.schedule.resolving import LONGEST_WAIT, resolve
from app.store import deliveries, owing, partners, presented
from app.store.database import Database
from app.store.due import AT_ONCE
from app.store.presented import Due, Resolved, Shown

CHUNK: Final = 500  #: EVSEs a transaction; other changes get in between, and wait for two of them at the most
SLICE: Final = 250  #: EVSEs of these that are computed and written at once
_AT_A_TIME: Final = 50  #: EVSEs that are computed at a stretch, in less than a millisecond
_PACE: Final = 0.05  #: seconds from the beginning of one pass to that of the next, at least
_STEPPED: Final = timedelta(seconds=2)  #: how far a clock may seem to go back before it counts as stepped

log = structlog.get_logger(__name__)


class Reconciler:
    """One task that computes what is due. However late it comes, it comes to the same: a restart is just a pass."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        max_age: timedelta | None = None,
        promised: Callable[[], None] = lambda: None,
        measures: Measures = UNMEASURED,
    ) -> None:
        """`promised` is called after a commit that may owe partners something."""
        self._database = database
        self._clock = clock
        self._max_age = max_age
        self._promised = promised
        self._measures = measures
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._alarm = Alarm(self._wanted.set)
        self._seen: tuple[datetime, float] | None = None
        self.last_pass_at: datetime | None = None  #: for readiness: when something was last looked at
        self.trouble: str | None = None  #: why the last pass failed, if it did
        self._passed: float | None = None

    def look(self) -> None:
        """Ask for a pass now: something was written."""
        self._wanted.set()

    async def start(self) -> None:
        self._alarm.start()
        self._wanted.set()
        self._task = asyncio.create_task(self._run(), name="reconcile")

    async def stop(self) -> None:
        """Finish the transaction under way, then stop.

        Never by cancelling: SQLite's driver may keep the lock of a transaction that was cancelled half-way, and those
        who stop after us still have answers to store.
        """
        self._closing = True
        self._wanted.set()
        await self._alarm.stop()
        if self._task is not None:
            await self._task

    async def pass_once(self) -> int:
        """Compute everything that was due when this began, and return how many EVSEs that were.

        It comes to an end even where changes never stop coming in: each of them asks for a pass of its own.
        """
        await self._notice_a_step_back()
        await self._introduce()
        done = 0
        while True:
            count = await self._chunk()
            self._note_pass()
            done += count
            if count:
                self._promised()
            if count < CHUNK or self._closing:
                return done

    @property
    def silent(self) -> timedelta | None:
        """For how long nothing was looked at, by a clock that never steps; `None` before the first pass."""
        return None if self._passed is None else timedelta(seconds=self._clock.monotonic() - self._passed)

    def _note_pass(self) -> None:
        self.last_pass_at, self._passed, self.trouble = self._clock.now(), self._clock.monotonic(), None

    async def next_at(self) -> datetime | None:
        """When the next EVSE is due."""
        async with self._database.read() as connection:
            return await presented.next_recheck(connection)

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            if self._closing:
                return
            self._wanted.clear()
            began = self._clock.monotonic()
            try:
                await self.pass_once()
                boundary = await self.next_at()
            except Exception as error:
                # The database is away, or two replicas got in each other's way. Due rows stay due.
                log.exception("reconcile failed and is tried again with the next sweep")
                self.trouble = type(error).__name__
                continue
            self._note_pass()
            if boundary is not None and boundary > AT_ONCE and not self._closing:
                self._alarm.arm(boundary - self._clock.now())
            # While changes pour in, several share a pass; the first after a quiet moment never waits.
            await asyncio.sleep(max(_PACE - (self._clock.monotonic() - began), 0))

    async def _chunk(self) -> int:
        async with self._database.write() as connection:
            at = self._clock.now()
            taken = await presented.take(connection, at, CHUNK)
            if not taken:
                return 0
            # Read once there is a lock: a partner that was added meanwhile has what is locked marked after us.
            # Locked before what they are owed, as by all others: a removal has a partner first, and then that.
            receivers = await partners.all_partners(connection, kept=True)
            if receivers:
                # All of it at once: it is locked in the order of EVSEs, and a later slice may lie before an earlier.
                await owing.lock(connection, [one.evse for one in taken])
            slices = [taken[first : first + SLICE] for first in range(0, len(taken), SLICE)]
            due = await presented.complete(connection, slices[0], at)
            resolved: list[Resolved] = []
            for following in [*slices[1:], []]:
                # Both at once: the database is busy with the last slice and finds what the next one takes.
                storing = asyncio.create_task(self._store(connection, receivers, resolved, following, at))
                try:
                    resolved = await self._resolved(due, at)
                finally:
                    due = await storing
                await presented.write(connection, resolved)
            await promise(connection, receivers, resolved, at)
        now = self._clock.now()
        for one in taken:
            # Of what was touched nobody has written down when.
            if one.recheck_at is not None and one.recheck_at > AT_ONCE:
                self._measures.boundary(max((now - one.recheck_at).total_seconds(), 0))
        return len(taken)

    async def _store(
        self,
        connection: AsyncConnection,
        receivers: Sequence[Partner],
        resolved: Sequence[Resolved],
        following: Sequence[Shown],
        at: datetime,
    ) -> list[Due]:
        await promise(connection, receivers, resolved, at)
        return await presented.complete(connection, following, at)

    async def _resolved(self, due: Sequence[Due], at: datetime) -> list[Resolved]:
        """Compute them a few at a time: in between, requests are answered, and the database is told what to do next."""
        resolved: list[Resolved] = []
        for first in range(0, len(due), _AT_A_TIME):
            await asyncio.sleep(0)
            resolved += [resolve(one, at, self._max_age) for one in due[first : first + _AT_A_TIME]]
        return resolved

    async def _introduce(self) -> None:
        """Have everything looked at for partners that were added, or are to be told everything again."""
        async with self._database.read() as connection:
            if not await partners.unintroduced(connection):
                return
        async with self._database.write() as connection:
            await partners.introduce(connection)

    async def _notice_a_step_back(self) -> None:
        """Look at everything again if the clock was ahead when some of it was computed."""
        now, ticked = self._clock.now(), self._clock.monotonic()
        seen = self._seen
        stepped = seen is not None and now < seen[0] + timedelta(seconds=ticked - seen[1]) - _STEPPED
        if not stepped:
            # Before this process ran, too: no row can wait longer than this from when it was computed. (A clock that
            # has lost all idea of the time may lie before `AT_ONCE`: that is no reason to mark them again and again.)
            async with self._database.read() as connection:
                furthest = await presented.last_recheck(connection)
                # What was shown too early waits for its next boundary only, and what failed for its next try. Asked
                # once: what was written down stays so, and after ten years ahead it would be asked for as long.
                latest = await deliveries.latest_record(connection) if seen is None else None
            stepped = furthest is not None and furthest > max(now + LONGEST_WAIT + _STEPPED, AT_ONCE)
            stepped = stepped or (latest is not None and latest > now + _STEPPED)
        if stepped:
            log.warning("the clock was stepped back: every presented status is computed anew")
            async with self._database.write() as connection:
                await presented.take_for_now(connection, now)
                await presented.mark_all_due(connection)
                await deliveries.bring_forward(connection, now)
            self._promised()
        self._seen = (now, ticked)  # only now: a step that could not be dealt with is noticed again
