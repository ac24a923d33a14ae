"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)


class FrozenClock:
    """A `Clock` for tests. `advance` lets time pass; `set` steps the wall clock, which `monotonic` does not notice."""

    def __init__(self, at: datetime = START) -> None:
        self._at = at
        self._passed = timedelta()

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._passed.total_seconds()

    def advance(self, by: timedelta) -> datetime:
        """Let `by` pass and return the new time."""
        if by < timedelta():
            raise ValueError("time passes forwards only; `set` steps the clock back")
        self._at += by
        self._passed += by
        return self._at

    def set(self, at: datetime) -> None:
        self._at = at
