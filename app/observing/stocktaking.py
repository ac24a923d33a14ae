"""What the database knows, as metrics: counted when somebody asks, at most once a second, and never waited for long."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.clock import Clock
from app.domain.partner import Partner, Standing
from app.observing.metrics import PREFIX
from app.store.database import Database
from app.store.stock import Owed, Stock, take

FRESH: Final = 1.0  #: seconds for which a count is good
PATIENCE: Final = 2.0  #: seconds that a scrape waits for the database
NAMED: Final = 200  #: partners with series of their own; the rest is added up
OTHERS: Final = "(others)"  #: no partner can be called that

log = structlog.get_logger(__name__)


class Stocktaking(Collector):
    """Counts in a task of its own, one at a time: a scrape that gives up waiting leaves it to the next."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._stock: Stock | None = None
        self._at = clock.now()
        self._counted: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Have what `collect` tells be of now, or nothing where the database does not answer in time."""
        if self._task is None and self._counted is not None and self._clock.monotonic() - self._counted < FRESH:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._take(), name="stocktaking")
        task = self._task
        await asyncio.wait({task}, timeout=PATIENCE)
        if not task.done():
            self._stock = self._counted = None

    async def stop(self) -> None:
        """Wait for the count under way, which the database's own limits end: cancelled, it may keep a lock."""
        if self._task is not None:
            await self._task

    def collect(self) -> Iterator[Metric]:
        """The families of what was last counted."""
        stock = self._stock
        yield _one("database_up", "Whether the database answered in time.", stock is not None)
        if stock is None:
            return
        oldest = 0.0 if stock.oldest is None else _seconds(self._at - stock.oldest)
        yield _one("boundaries_overdue", "EVSEs whose boundary is past and not applied yet.", stock.overdue)
        yield _one(
            "boundary_overdue_seconds", "How long ago the oldest of these boundaries was; 0: there is none.", oldest
        )
        yield _one("evses_touched", "EVSEs that were changed and are to be looked at at once.", stock.touched)
        yield from _of_partners(stock.partners, self._at)

    async def _take(self) -> None:
        try:
            async with self._database.read() as connection:
                at = self._clock.now()
                self._stock = await take(connection, at)
            self._at, self._counted = at, self._clock.monotonic()
        except Exception as error:  # noqa: BLE001 - whatever keeps the database away, the process has metrics
            log.warning("the database could not be counted for metrics", error=type(error).__name__)
            self._stock = self._counted = None
        finally:
            self._task = None


def _of_partners(partners: list[tuple[Partner, Owed]], at: datetime) -> Iterator[Metric]:
    owed = _family("partner_owed", "Messages that a partner is owed, of status or schedule.", "partner", "channel")
    suspect = _family("partner_suspect", "Those that it may have or not, as an answer was lost.", "partner", "channel")
    parked = _family("partner_parked", "Those that it refused, until there is something newer.", "partner", "channel")
    failures = _family("partner_failures", "Failures in a row; from 1 on it is held back.", "partner", "channel")
    silence = _family(
        "partner_silence_seconds",
        "Since it last took something; a partner owed nothing may be silent.",
        "partner",
        "channel",
    )
    standing = _family(
        "partner_standing", "How it and we get on: 1 for what it is, 0 for the rest.", "partner", "channel", "standing"
    )
    for one, is_owed in partners[:NAMED]:
        who = (one.name, one.channel)
        for family, count in ((owed, is_owed.owed), (suspect, is_owed.suspect), (parked, is_owed.parked)):
            family.add_metric(who, count)
        failures.add_metric(who, one.failures)
        if one.last_success_at is not None:
            silence.add_metric(who, _seconds(at - one.last_success_at))
        for each in Standing:
            standing.add_metric((*who, each.value), one.standing is each)
    if rest := partners[NAMED:]:
        who = (OTHERS, OTHERS)
        owed.add_metric(who, sum(one.owed for _, one in rest))
        suspect.add_metric(who, sum(one.suspect for _, one in rest))
        parked.add_metric(who, sum(one.parked for _, one in rest))
        failures.add_metric(who, max(one.failures for one, _ in rest))
        for each in Standing:
            standing.add_metric((*who, each.value), sum(one.standing is each for one, _ in rest))
    yield from (owed, suspect, parked, failures, silence, standing)


def _family(name: str, help_: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", help_, labels=labels)


def _one(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", help_, value=value)


def _seconds(passed: timedelta) -> float:
    return max(passed.total_seconds(), 0.0)  # a clock that was stepped back meanwhile makes nothing lie ahead
