"""When to look: APScheduler as nothing but an alarm. Its job only sets an event, so none can be lost with its work."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from app.clock import SystemClock

SWEEP_SECONDS: Final = 1.0

_NEXT: Final = "next-boundary"


class Alarm:
    """Rings at the next boundary, and every second whether there is one or not.

    The sweep is what makes it safe: a clock that steps, a machine that sleeps, a boundary that another replica wrote.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._machine = SystemClock()
        self._armed_for: datetime | None = None
        self._sweep: asyncio.TimerHandle | None = None
        # Late is fine, never is not: with the library's default grace of one second a late job is dropped.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def start(self) -> None:
        self._scheduler.start()
        self._sweep_later()

    def arm(self, wait: timedelta) -> None:
        """Ring after `wait` too, unless an earlier ring is set already, or the sweep comes first and looks again.

        A wait and not an instant: the service may follow the database's clock, the scheduler knows this machine's.
        Never set further ahead than a sweep: a clock that steps, or a machine that sleeps, meanwhile would leave a ring
        that comes late by that much, and keep earlier ones from being set.
        """
        if wait > timedelta(seconds=SWEEP_SECONDS):
            return
        at = self._machine.now() + wait
        if self._armed_for is not None and self._armed_for <= at:
            return
        self._armed_for = at
        self._scheduler.add_job(self._boundary, DateTrigger(at, timezone=UTC), id=_NEXT, replace_existing=True)

    async def stop(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._scheduler.shutdown(wait=False)
        await asyncio.sleep(0)  # it leaves on the loop's next turn

    async def _boundary(self) -> None:  # a coroutine, so that it runs on the loop: a function would in a thread
        self._armed_for = None
        self._ring()

    def _sweep_later(self) -> None:
        # By the loop's clock, which never steps. An interval job of the scheduler goes by the wall clock: stepped back
        # an hour, it is silent for that hour; stepped ahead, it first counts out every second in between.
        self._sweep = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._swept)

    def _swept(self) -> None:
        self._sweep_later()
        self._ring()
