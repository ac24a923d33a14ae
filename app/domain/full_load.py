"""Replacing everything that a partner has of us at once: when it is wanted, and when better not done. Pure."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.daily import Daily

#: A load that leaves out more than a tenth of what the last one had may be of a half-imported fleet.
SHRINKS_BY: Final = 10
SIFTING_TAKES: Final = timedelta(minutes=5)  #: to find out, one by one, which EVSEs the partner does not know
MOST_SIFTINGS: Final = 5


class FullLoad(msgspec.Struct, frozen=True, kw_only=True):
    """How the full loads of one partner stand. All times UTC.

    It is wanted by somebody since `asked_at`, and daily since the last wish was `settled_at`. `began_at` is set while
    one is under way. One of unknown outcome may still be applied until `doubtful_until`; then everything is told anew.
    `siftings` were made because the partner refused a load without saying for which EVSEs; not before `next_at`
    is it tried again.
    """

    partner: int
    settled_at: datetime
    asked_at: datetime | None = None
    asked_by: str | None = None
    forced: bool = False
    began_at: datetime | None = None
    next_at: datetime | None = None
    siftings: int = 0
    accepted_at: datetime | None = None
    accepted_count: int | None = None
    doubtful_until: datetime | None = None
    last_error: str | None = None

    def is_wanted(self, daily: Daily, at: datetime) -> bool:
        """Tell whether one is to be made at `at`."""
        if self.next_at is not None and at < self.next_at <= at + SIFTING_TAKES:  # further: the clock was stepped back
            return False
        return self.asked_at is not None or not daily.latest(at) <= self.settled_at <= at + timedelta(days=1)

    def is_in_doubt(self, at: datetime, settle: timedelta) -> bool:
        """Tell whether everything is to be told anew, as a load that may have come late can no longer arrive."""
        return self.doubtful_until is not None and not at < self.doubtful_until <= at + settle

    def objection(self, count: int) -> str | None:
        """Say why a load of `count` EVSEs must not be made, as it would make too many of them vanish."""
        if self.forced:
            return None
        if not count:
            return "it would be empty, and so delete everything; ask for it with force if that is meant"
        before = self.accepted_count
        if before is not None and count * SHRINKS_BY < before * (SHRINKS_BY - 1):
            return f"it has {count} EVSEs, the last one had {before}: ask for it with force if that is meant"
        return None

    def asked(self, by: str, at: datetime, *, forced: bool) -> "FullLoad":
        return msgspec.structs.replace(self, asked_at=at, asked_by=by, forced=forced, next_at=None, siftings=0)

    def begun(self, at: datetime) -> "FullLoad":
        return msgspec.structs.replace(self, began_at=at)

    def accepted(self, count: int, at: datetime) -> "FullLoad":
        done = msgspec.structs.replace(self, accepted_at=at, accepted_count=count, last_error=None)
        return _settled(done, at)

    def given_up(self, reason: str, at: datetime) -> "FullLoad":
        """Return it as not made, and not tried again before the next day or the next wish."""
        return _settled(msgspec.structs.replace(self, last_error=reason), at)

    def failed(self, reason: str) -> "FullLoad":
        """Return it as one that surely was not applied, and is tried again."""
        return msgspec.structs.replace(self, began_at=None, last_error=reason)

    def doubtful(self, reason: str, at: datetime, settle: timedelta) -> "FullLoad":
        """Return it as one that may have been applied, or may be yet."""
        return msgspec.structs.replace(self.failed(reason), doubtful_until=at + settle)

    def told_anew(self) -> "FullLoad":
        return msgspec.structs.replace(self, doubtful_until=None)

    def sifted(self, reason: str, at: datetime) -> "FullLoad":
        """Return it as one that waits until the EVSEs that the partner does not know are found, or given up."""
        if self.siftings >= MOST_SIFTINGS:
            return self.given_up(reason, at)
        return msgspec.structs.replace(self.failed(reason), siftings=self.siftings + 1, next_at=at + SIFTING_TAKES)


def _settled(load: FullLoad, at: datetime) -> FullLoad:
    done = msgspec.structs.replace(load, began_at=None, next_at=None, siftings=0, settled_at=at)
    if load.asked_at is not None and load.began_at is not None and load.asked_at > load.began_at:
        return done  # asked for again while this one was under way
    return msgspec.structs.replace(done, asked_at=None, asked_by=None, forced=False)
