"""A time of day in a time zone, and when it last was."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec


class Daily(msgspec.Struct, frozen=True):
    """Once a day, at the wall clock's `time` in `zone` (a name of the IANA time zone database)."""

    time: time
    zone: str

    def latest(self, at: datetime) -> datetime:
        """Return the last instant (UTC) not after `at` (UTC) at which it was that time of day.

        Every day has exactly one: in a day whose clock skips the time, the one at which it would have been without
        the change; in a day that has the time twice, the first.
        """
        zone = ZoneInfo(self.zone)
        day = at.astimezone(zone).date() + timedelta(days=1)
        while True:
            then = datetime.combine(day, self.time, zone).astimezone(UTC)
            if then <= at:
                return then
            day -= timedelta(days=1)

    def next(self, at: datetime) -> datetime:
        """Return the first instant (UTC) after `at` (UTC) at which it will be that time of day."""
        # Two days on there is one later than `at`, however long the clock's changes make the days; the one before it
        # may be as well.
        later = self.latest(at + timedelta(days=2))
        before = self.latest(later - timedelta(seconds=1))
        return before if before > at else later

    def __str__(self) -> str:
        return f"{self.time:%H:%M} {self.zone}"
