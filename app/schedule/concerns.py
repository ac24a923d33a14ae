"""What will soon keep a partner from being told, such as a certificate that runs out, said before it bites."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import structlog

from app.channels.channel import Channel
from app.channels.configuring import concerns_of
from app.clock import Clock
from app.store import partners
from app.store.database import Database

_EVERY: Final = 24 * 3600.0  #: seconds
_AGAIN: Final = 60.0  #: seconds, where the partners could not be read

log = structlog.get_logger(__name__)


class Concerns:
    """Says every concern at the start and then once a day, in each process: each has a log of its own."""

    def __init__(self, database: Database, clock: Clock, channels: Mapping[str, Channel]) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="concerns")

    async def stop(self) -> None:
        self._closing.set()
        if self._task is not None:
            await self._task

    async def say(self) -> None:
        """Say them now."""
        async with self._database.read() as connection:
            found = await partners.all_partners(connection)
        for one in found:
            for concern in concerns_of(self._channels, one, self._clock.now()):
                log.warning("a partner will soon not be told", partner=one.name, concern=concern)

    async def _run(self) -> None:
        while not self._closing.is_set():
            wait = _EVERY
            try:
                await self.say()
            except Exception:
                log.exception("concerns could not be looked for and are looked for again")
                wait = _AGAIN
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), wait)
