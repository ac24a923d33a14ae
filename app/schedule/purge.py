"""What is thrown away after a while: logs, and what is known of calls that may come again. Nothing else ever is."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from app.settings import Settings
from app.store import chores
from app.store.database import Database

#: After a longer gap a run only takes note. Either the service was off, and an hour more does no harm; or the clock was
#: stepped ahead, perhaps by years, and somebody has an hour to put it right before anything is lost.
_GAP: Final = timedelta(hours=2)


class Purge:
    """Deletes what is older than it is kept, every hour."""

    name: Final = "purge"
    every: Final = timedelta(hours=1)

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._kept = (
            ("attempt", settings.attempts_kept),
            ("presented_change", settings.changes_kept),
            ("reference", settings.references_kept),
            ("idempotency", settings.idempotency_kept),
        )

    async def do(self, last: datetime, at: datetime, go_on: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
        if not timedelta() <= at - last <= _GAP:
            return {}
        purged = {}
        for table, kept in self._kept:
            rows = await self._purge(table, at - kept, go_on)
            if rows:
                purged[table] = rows
        return purged

    async def _purge(self, table: str, before: datetime, go_on: Callable[[], Awaitable[bool]]) -> int:
        purged = 0
        # A slice a transaction: whoever waits to write must not wait for a year's log to go.
        while True:
            async with self._database.write() as connection:
                count = await chores.purge(connection, table, before)
            purged += count
            if count < chores.SLICE or not await go_on():
                return purged
