"""Presented → partners: keeps a lane for every partner, as the partners are configured now."""

import asyncio
import contextlib
from collections.abc import Mapping

import structlog

from app.channels.channel import Channel
from app.clock import Clock
from app.domain.partner import Partner
from app.observing.measures import UNMEASURED, Measures
from app.schedule.decisions import Limits
from app.schedule.lane import PartnerLane
from app.store import deliveries, partners
from app.store.database import Database
from app.store.secrets import Secrets

_LOOK = 1.0  #: seconds between looks at the partners, which a command beside the service may have changed

log = structlog.get_logger(__name__)


class Dispatcher:
    """Starts, replaces and stops the lanes."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secrets: Secrets,
        channels: Mapping[str, Channel],
        *,
        limits: Limits,
        timeout: float,
        measures: Measures = UNMEASURED,
    ) -> None:
        """`timeout` is in seconds, for one request to a partner."""
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._channels = channels
        self._limits = limits
        self._timeout = timeout
        self._measures = measures
        self._lanes: dict[int, PartnerLane] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._unconnected: dict[int, int] = {}  #: the revision at which it was said of a partner
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._database.embedded:
            # The lock file proves that no owner lives: nobody has to wait for leases to run out.
            async with self._database.write() as connection:
                voided = await deliveries.void_leases(connection, self._clock.now())
            if voided:
                log.info("requests were under way when the service last stopped", suspect=voided)
        self._task = asyncio.create_task(self._run(), name="dispatch")

    async def stop(self) -> None:
        """Let every lane finish what is under way."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()), *self._stopping)
        self._lanes.clear()

    def promised(self) -> None:
        """Something may be owed to somebody."""
        for lane in self._lanes.values():
            lane.wake()

    def partners_changed(self) -> None:
        """Partners were added, changed or removed: look at once."""
        self._changed.set()

    async def _run(self) -> None:
        while True:
            read_at = self._clock.monotonic()
            try:
                async with self._database.read() as connection:
                    current = await partners.all_partners(connection)
                await self._arrange(current, read_at)
            except Exception:
                log.exception("the partners could not be read and are looked at again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _LOOK)
            self._changed.clear()

    async def _arrange(self, current: list[Partner], read_at: float) -> None:
        revisions = {one.id: one.revision for one in current}
        for key, lane in list(self._lanes.items()):
            if revisions.get(key) != lane.partner.revision:
                del self._lanes[key]
                # In the background: a lane that waits for a slow partner must not keep the others waiting.
                stopping = asyncio.create_task(lane.stop())
                self._stopping.add(stopping)
                stopping.add_done_callback(self._stopping.discard)
        for partner in current:
            if partner.id in self._lanes:
                self._lanes[partner.id].observe(partner, read_at)
            elif partner.channel in self._channels:
                try:
                    lane = await self._lane(partner)
                except Exception:
                    # It cannot be connected to as it is configured; that must not be the others' trouble.
                    if self._unconnected.get(partner.id) != partner.revision:
                        log.exception("a partner cannot be connected to", partner=partner.name)
                    self._unconnected[partner.id] = partner.revision
                    continue
                lane.start()
                self._lanes[partner.id] = lane

    async def _lane(self, partner: Partner) -> PartnerLane:
        async with self._database.read() as connection:
            configured = await partners.with_secrets(connection, self._secrets, partner.id)
        return PartnerLane(
            configured or partner,
            self._channels[partner.channel],
            database=self._database,
            clock=self._clock,
            limits=self._limits,
            timeout=self._timeout,
            measures=self._measures,
        )
