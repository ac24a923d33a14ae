"""The only module that may ask what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, runtime_checkable

#: Goes on while the machine is suspended, where the machine has such a clock; never steps in any case.
_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


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
    """This machine's clock; on PostgreSQL the database's, so that all replicas agree.

    Between two answers of the database it runs on by what never steps: whoever sets this machine's clock meanwhile
    neither begins nor ends anything early.
    """

    def __init__(self) -> None:
        self._began: datetime | None = None  #: by the database's clock, when `elapsed` was nothing

    def now(self) -> datetime:
        now = self.machine_now() if self._began is None else self._began + _elapsed()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def machine_now(self) -> datetime:
        """What this machine takes for the time, whatever is followed."""
        return datetime.now(UTC)

    def follow(self, database_now: datetime, took: float) -> None:
        """Agree with the database's clock, as it answered just now to a question that took `took` seconds."""
        self._began = database_now.astimezone(UTC) + timedelta(seconds=took / 2) - _elapsed()

    @property
    def machine_ahead(self) -> timedelta:
        """How far this machine's clock is ahead of the one that is followed."""
        return self.machine_now() - self.now()


def _elapsed() -> timedelta:
    return timedelta(seconds=time.clock_gettime(_ELAPSED))
