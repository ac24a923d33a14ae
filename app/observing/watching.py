"""The metrics of a running service: what is measured, read off and counted comes together here."""

import asyncio
import contextlib
from typing import Final

from prometheus_client import generate_latest

from app.observing.metrics import Metrics
from app.observing.stocktaking import Stocktaking

_TICK: Final = 0.5  #: seconds between looks at how late the event loop is


class Observing:
    """Answers scrapes, and watches the event loop."""

    def __init__(self, metrics: Metrics, stocktaking: Stocktaking) -> None:
        self._metrics = metrics
        self._stocktaking = stocktaking
        metrics.registry.register(stocktaking)
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._ticking = asyncio.create_task(self._tick(), name="loop lag")

    async def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        await self._stocktaking.stop()

    async def text(self) -> bytes:
        """All metrics in the text format of Prometheus; those of the database only where it answers in time."""
        await self._stocktaking.refresh()
        # In a thread: thousands of lines take some milliseconds, for which requests should not have to wait.
        return await asyncio.to_thread(generate_latest, self._metrics.registry)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self._metrics.late(max(loop.time() - due, 0.0))
