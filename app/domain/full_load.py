"""Replacing everything that a partner has of us at once: when it is wanted, and when better not done. Pure."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.daily import Daily

#: A load that leaves out more than a tenth of what the last one had may be of a half-imported fleet.
SHRINKS_BY: Final = 10
#: How long one waits whose answer was lost, or that was refused without naming the EVSEs, which are then found out.
PUT_OFF: Final = timedelta(minutes=5)
MOST_TRIES: Final = 5  #: before it is given up until the next day


class FullLoad(msgspec.Struct, frozen=True, kw_only=True):
    """How the full loads of one partner stand. All times UTC.

    It is wanted by somebody since `asked_at`, and daily since the last wish was `settled_at`. `began_at` is set while
    one is under way. One of unknown outcome may still be applied until `doubtful_until`; then everything is told anew.
    After `tries` in vain it is tried again not before `next_at`.
    """

    partner: int
    settled_at: datetime
    asked_at: datetime | None = None
    asked_by: str | None = None
    forced: bool = False
    began_at: datetime | None = None
    next_at: datetime | None = None
    tries: int = 0
    accepted_at: datetime | None = None
    accepted_count: int | None = None
    doubtful_until: datetime | None = None
    last_error: str | None = None

    def is_wanted(self, daily: Daily, at: datetime) -> bool:
        """Tell whether one is to be made at `at`."""
        if self.next_at is not None and at < self.next_at <= at + PUT_OFF:  # further: the clock was stepped back
            return False
        return self.asked_at is not None or not daily.latest(at) <= self.settled_at <= at + timedelta(days=1)

    def is_in_doubt(self, at: datetime, settle: timedelta) -> bool:
        """Tell whether everything is to be told anew, as a load that may have come late can no longer arrive."""
        return self.doubtful_until is not None and not at < self.doubtful_until <= at + settle

    def objection(self, count: int, left_out: int = 0) -> str | None:
        """Say why a load of `count` EVSEs must not be made, as it would make too many of them vanish.

        `left_out` are those that are shared with the partner too, and that it refuses.
        """
        if self.forced:
            return None
        if not count:
            says = "it would be empty, and so delete everything"
        elif self.accepted_count and count * SHRINKS_BY < self.accepted_count * (SHRINKS_BY - 1):
            says = f"it has {count} EVSEs, the last one had {self.accepted_count}"
        else:
            return None
        if left_out:
            says += f"; left out are {left_out} more that the partner refuses: see why it does"
        return f"{says}; ask for it with force if that is meant"

    def asked(self, by: str, at: datetime, *, forced: bool) -> "FullLoad":
        return msgspec.structs.replace(self, asked_at=at, asked_by=by, forced=forced, next_at=None, tries=0)

    def begun(self, at: datetime) -> "FullLoad":
        return msgspec.structs.replace(self, began_at=at)

    def accepted(self, count: int, at: datetime) -> "FullLoad":
        done = msgspec.structs.replace(self, accepted_at=at, accepted_count=count, last_error=None)
        return _settled(done, at)

    def given_up(self, reason: str, at: datetime) -> "FullLoad":
        """Return it as not made, and not tried again before the next day or the next wish."""
        return _settled(msgspec.structs.replace(self, last_error=reason), at)

    def failed(self, reason: str) -> "FullLoad":
        """Return it as one that is tried again. What may have come of it is said apart, see `doubted`."""
        return msgspec.structs.replace(self, began_at=None, last_error=reason)

    def put_off(self, reason: str, at: datetime) -> "FullLoad":
        """Return it as one that is tried again after a while, or given up after some tries."""
        if self.tries + 1 >= MOST_TRIES:
            return self.given_up(reason, at)
        return msgspec.structs.replace(self.failed(reason), tries=self.tries + 1, next_at=at + PUT_OFF)

    def doubted(self, at: datetime, settle: timedelta) -> "FullLoad":
        """Return it as one that may have been applied, or may be yet: until later than that, by a steady clock."""
        return msgspec.structs.replace(self, doubtful_until=at + settle)

    def told_anew(self) -> "FullLoad":
        return msgspec.structs.replace(self, doubtful_until=None)


def _settled(load: FullLoad, at: datetime) -> FullLoad:
    done = msgspec.structs.replace(load, began_at=None, next_at=None, tries=0, settled_at=at)
    if load.asked_at is not None and load.began_at is not None and load.began_at < load.asked_at <= at:
        return done  # asked for again while this one was under way, and not by a clock that was ahead
    return msgspec.structs.replace(done, asked_at=None, asked_by=None, forced=False)
