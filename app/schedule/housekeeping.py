"""What is thrown away after a while: the log of attempts and the record of changes. Nothing else ever is."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from app.clock import Clock
from app.settings import Settings
from app.store import chores
from app.store.database import Database

_EVERY: Final = timedelta(hours=1)
_LOOK: Final = 60.0  #: seconds between looks at whether it is due

log = structlog.get_logger(__name__)


class Housekeeping:
    """Purges once an hour, due because a row says when it was last done."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._clock = clock
        self._kept: Sequence[tuple[str, timedelta]] = (
            ("attempt", settings.attempts_kept),
            ("presented_change", settings.changes_kept),
        )
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self) -> None:
        """Finish the slice under way, then stop; cancelled half-way, SQLite's driver may keep the lock."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def purge_if_due(self) -> int:
        """Delete what is older than it is kept, if that was not done within the hour; return how many rows."""
        at = self._clock.now()
        async with self._database.write() as connection:
            if not await chores.take(connection, "purge", at, _EVERY):
                return 0
        purged = 0
        for table, kept in self._kept:
            # A slice a transaction: whoever waits to write must not wait for a year's log to go.
            while True:
                async with self._database.write() as connection:
                    count = await chores.purge(connection, table, at - kept)
                purged += count
                if count < chores.SLICE or self._closing.is_set():
                    break
        return purged

    async def _run(self) -> None:
        while not self._closing.is_set():
            try:
                if purged := await self.purge_if_due():
                    log.info("old rows were purged", rows=purged)
            except Exception:
                log.exception("the purge failed and is tried again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _LOOK)
