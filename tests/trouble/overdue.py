"""How long boundaries are overdue while somebody could see to them, watched from outside in the database."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import text

from app.store.database import Database
from app.store.due import AT_ONCE
from tests.trouble.chaos import LONGEST_FREEZE, Chaos
from tests.trouble.pulse import Pulse

PROMISED: Final = 2.0  #: seconds
_LOOK: Final = 0.1  #: seconds
#: `xmin` tells one marking of a row from the next: what was touched says only that, and not when.
_OVERDUE: Final = text(
    "SELECT evse, recheck_at, xmin::text, clock_timestamp() FROM presented WHERE recheck_at <= clock_timestamp()"
)
_DOING: Final = text(
    "SELECT pid, state, wait_event_type, wait_event, pg_blocking_pids(pid), clock_timestamp() - xact_start, query"
    " FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
)


class Watch:
    """Polls a PostgreSQL database. `worst` is the longest that anything was overdue, in seconds, with its EVSE."""

    def __init__(self, database: Database, chaos: Chaos, pulse: Pulse) -> None:
        self.worst = (0.0, 0)
        self.too_late: list[str] = []
        self._database = database
        self._chaos = chaos
        self._pulse = pulse
        self._marked: dict[tuple[int, str], float] = {}

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        while True:
            async with self._database.read() as connection:
                rows = (await connection.execute(_OVERDUE)).all()
                late = self._judge([(evse, recheck_at, marking, now) for evse, recheck_at, marking, now in rows])
                if late:
                    doing = [str(row) for row in await connection.execute(_DOING)]
                    self.too_late += [f"{one}; meanwhile {doing}" for one in late]
            await asyncio.sleep(_LOOK)

    def _judge(self, rows: list[tuple[int, datetime, str, datetime]]) -> list[str]:
        at = time.monotonic()
        markings = {(evse, marking) for evse, recheck_at, marking, _ in rows if recheck_at == AT_ONCE}
        self._marked = {one: self._marked.get(one, at) for one in markings}
        working_since = self._chaos.working_since()
        if working_since is None:
            return []
        late = []
        for evse, recheck_at, marking, now in rows:
            at_once = recheck_at == AT_ONCE
            due = self._marked[evse, marking] if at_once else at - (now - recheck_at).total_seconds()
            overdue = at - max(due, working_since)
            self.worst = max(self.worst, (overdue, evse))
            # A replica that is frozen in a transaction keeps its rows from the others.
            frozen = LONGEST_FREEZE if self._chaos.froze(at - overdue, at) else 0.0
            if overdue > PROMISED * _busy() + frozen + self._pulse.longest_pause(at - overdue):
                late.append(f"EVSE {evse} by {overdue:.2f} s, marked {marking}, due {recheck_at}")
        return late


def _busy() -> float:
    """How many times longer everything takes, where more than two programs wait for each core."""
    return max(1.0, os.getloadavg()[0] / (2 * (os.cpu_count() or 1)))
