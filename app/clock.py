"""The only module that may ask what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """The time, as everything in one service sees it."""

    def now(self) -> datetime:
        """The current instant in UTC, truncated to the millisecond."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step, for measuring how long something took."""
        ...


class SystemClock:
    """This machine's clock; on PostgreSQL moved to the database's, so that all replicas agree."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        now = datetime.now(UTC) + self._ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def follow(self, database_now: datetime, took: float) -> None:
        """Agree with the database's clock, as it answered just now to a question that took `took` seconds."""
        self._ahead = database_now + timedelta(seconds=took / 2) - datetime.now(UTC)
