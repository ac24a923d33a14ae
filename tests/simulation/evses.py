"""What is true of each EVSE, and what is shown: reconcile's rows, without the windows behind them."""

from datetime import datetime

import msgspec

from app.schedule.resolving import LONGEST_WAIT
from app.store.due import AT_ONCE


class Shown(msgspec.Struct, frozen=True):
    """A row of `presented`."""

    status: str
    version: int
    recheck_at: datetime


class Evses:
    def __init__(self, count: int) -> None:
        self.truth = dict.fromkeys(range(1, count + 1), "FREE")
        self.unintroduced = False  #: whether there is a partner that not everything was looked at for
        self.shown = {evse: Shown("FREE", 1, AT_ONCE) for evse in self.truth}

    def change(self, evse: int, status: str) -> None:
        """What a command does: it says what is true, and that somebody has to look."""
        self.truth[evse] = status
        self._touch(evse)

    def introduce(self) -> None:
        """What is done for a partner that is told anew: everything is looked at."""
        self.unintroduced = False
        self.touch_all()

    def touch_all(self) -> None:
        for evse in self.shown:
            self._touch(evse)

    def due(self, at: datetime) -> list[int]:
        return [evse for evse, shown in self.shown.items() if shown.recheck_at <= at]

    def compute(self, evse: int, at: datetime) -> int:
        """What reconcile does; return the version."""
        old, status = self.shown[evse], self.truth[evse]
        version = old.version + (status != old.status)
        self.shown[evse] = Shown(status, version, at + LONGEST_WAIT)
        return version

    def first_recheck(self) -> datetime:
        return min(shown.recheck_at for shown in self.shown.values())

    def last_recheck(self) -> datetime:
        return max(shown.recheck_at for shown in self.shown.values())

    def _touch(self, evse: int) -> None:
        self.shown[evse] = msgspec.structs.replace(self.shown[evse], recheck_at=AT_ONCE)
