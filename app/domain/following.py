"""Following what is presented: up to where somebody has been told, and what of the record is news. Pure.

Changes are committed neither in the order of their keys nor in that of their times. So each look at the record goes
back over the last seconds, and every few seconds over the last minute, and passes over what was told before.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

#: How long after the time that it carries a change may be committed. What was read up to an instant is all there is
#: before this much earlier.
OVERLAP: Final = timedelta(minutes=1)
SHORT_OVERLAP: Final = timedelta(seconds=2)  #: of looks in a hurry, which find nearly all
THOROUGH_EVERY: Final = timedelta(seconds=10)
#: How far ahead of the clock a position may lie: the clocks of two replicas differ by less, and more was stepped back.
SKEW: Final = timedelta(seconds=5)


class Position(msgspec.Struct, frozen=True):
    """Up to where somebody was told: all that was committed at the instant `at` (UTC), when `last` was the highest key.

    `last` says nothing that `at` does not, but where the clock was stepped back since.
    """

    at: datetime
    last: int

    @property
    def since(self) -> datetime:
        """Changes that carry a later time than this may not have been told."""
        return self.at - OVERLAP

    def is_good(self, now: datetime, kept: timedelta, last: int | None) -> bool:
        """Tell whether all that came after it is still on record, of which `last` is the highest key.

        What lies ahead of us was given out by another database, or under a clock since stepped back by more than
        replicas ever differ.
        """
        return now - kept <= self.since and self.at <= now + SKEW and (last is None or self.last <= last)


class Look(msgspec.Struct, frozen=True):
    """One look at the record, begun at `at`: at all changes with a time after `since` (both UTC)."""

    at: datetime
    since: datetime
    thorough: bool


class Follower:
    """What of the record was told already, kept for as long as a look may come by it again."""

    def __init__(self, at: datetime, found: Mapping[int, int], last: int) -> None:
        """Begin at `at`: what was found at a thorough look then, versions by EVSE, counts as told."""
        self.position = Position(at, last)
        self._thorough_at = at
        self._told = dict(found)

    def __len__(self) -> int:
        return len(self._told)

    def look(self, now: datetime) -> Look:
        """Say where the look that begins `now` has to begin. After a clock was stepped back it sees much again."""
        thorough = not self._thorough_at <= now < self._thorough_at + THOROUGH_EVERY
        before, overlap = (self._thorough_at, OVERLAP) if thorough else (self.position.at, SHORT_OVERLAP)
        return Look(now, min(before, now) - overlap, thorough)

    def news(self, found: Mapping[int, int]) -> list[int]:
        """Those EVSEs of which a later version was found than the one that was told."""
        told = self._told
        return [evse for evse, version in found.items() if version > told.get(evse, -1)]

    def told(self, evse: int, version: int) -> bool:
        """Note that this version is told; `False` where it was told before, or a later one."""
        if version <= self._told.get(evse, -1):
            return False
        self._told[evse] = version
        return True

    def done(self, look: Look, found: Mapping[int, int], last: int) -> None:
        """Note that everything that a look found has been told; until then the next one begins where it began."""
        self.position = Position(look.at, max(last, self.position.last))
        if look.thorough:
            self._thorough_at = look.at
            # Nobody comes by the others again.
            self._told = {evse: version for evse, version in self._told.items() if evse in found}
