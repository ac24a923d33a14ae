"""What is to be done now and then, by one replica at a time: due because a row says when it was last done."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from app.clock import Clock
from app.store import chores
from app.store.database import Database

LEASE: Final = timedelta(minutes=2)  #: how long a replica that dies over a chore keeps the others from it
_LOOK: Final = 20.0  #: seconds between looks at what is due

log = structlog.get_logger(__name__)


class Chore(Protocol):
    """Something to be done every so often."""

    @property
    def name(self) -> str: ...

    @property
    def every(self) -> timedelta: ...

    async def do(self, last: datetime, at: datetime, go_on: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
        """Do it, as it is due at `at` and was last done at `last` (UTC); return what there is to say of it, if any.

        `go_on` is asked after each piece of work and prolongs the lease; where it says no, another replica has taken
        over or the service stops: leave the rest.
        """
        ...


class Housekeeping:
    """Does the chores, each when it is due and nobody else is at it."""

    def __init__(self, database: Database, clock: Clock, due: Sequence[Chore]) -> None:
        self._database = database
        self._clock = clock
        self._chores = due
        self._token = uuid.uuid4().hex
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self) -> None:
        """Finish the piece under way, then stop; cancelled half-way, SQLite's driver may keep the lock."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def do_what_is_due(self) -> None:
        """Do every chore that is due. One that fails hinders no other, and is due again when its lease has run out."""
        for chore in self._chores:
            try:
                await self._do(chore)
            except Exception:
                log.exception("a chore failed and is tried again", chore=chore.name)

    async def _do(self, chore: Chore) -> None:
        at = self._clock.now()
        async with self._database.write() as connection:
            last = await chores.begin(connection, chore.name, self._token, at, every=chore.every, lease=LEASE)
        if last is None:
            return

        async def go_on() -> bool:
            if self._closing.is_set():
                return False
            async with self._database.write() as connection:
                return await chores.keep(connection, chore.name, self._token, self._clock.now(), LEASE)

        if said := await chore.do(last, at, go_on):
            log.info(chore.name, **said)
        async with self._database.write() as connection:
            # Not done if it was left for a stop: another replica, or the next start, does it again.
            await chores.finish(connection, chore.name, self._token, last if self._closing.is_set() else at)

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self.do_what_is_due()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _LOOK)
