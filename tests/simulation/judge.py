"""Watches every request, compares the partner in the end, and writes down what is wrong."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.delivery import Delivery
from app.domain.partner import Partner
from tests.simulation.evses import Evses
from tests.simulation.virtual_time import Life, SteppingClock, VirtualTime

#: Requests about one EVSE in peace: the one under way, what is owed, its confirmation, and what somebody asked for.
MOST_IN_PEACE: Final = 8
_FOUND_OUT: Final = 1.1  #: seconds after which every replica knows what one has found out
_ROUNDED: Final = 0.002  #: seconds that a lease may be shorter than it says, in a clock that counts milliseconds


class Request(msgspec.Struct, eq=False):
    """One request; times in seconds from the beginning. `alone`: no other such request may be under way."""

    life: Life
    address: int
    evse: int
    version: int
    words: str
    claimed: float
    steps: int  #: of the clock, before it was claimed
    alone: bool


class End(msgspec.Struct, frozen=True):
    """What is true of each EVSE after peace, and what either receiver at the partner's address shows."""

    truth: dict[int, str | None]
    last_written: dict[int, str | None]
    newest: dict[int, str | None]


def in_words(status: str, table: int) -> str:
    """Say a status as the partner's table has it."""
    return f"{status}/{table}"


class Judge:
    def __init__(self, time: VirtualTime, clock: SteppingClock, evses: Evses, lease: timedelta, peace: float) -> None:
        self.wrong: list[str] = []
        self._time = time
        self._clock = clock
        self._evses = evses
        self._lease = lease.total_seconds() - _ROUNDED
        self._peace = peace
        self._under_way: list[Request] = []
        self._said: dict[tuple[int, int, str], str] = {}
        self._held: tuple[datetime | None, float, int] = (None, 0.0, 0)
        self._in_peace: dict[int, int] = {}

    def stands(self, partner: Partner) -> None:
        """This is stored of how the partner stands."""
        if partner.hold_until != self._held[0]:
            self._held = (partner.hold_until, self._time.now, self._clock.steps)

    def claims(self, life: Life) -> None:
        """Something is claimed: not where everybody has had time to find out that the partner is held back."""
        until, since, steps = self._held
        found_out = self._time.now - since > _FOUND_OUT and life.frozen_until < since
        if until is not None and self._clock.now() < until and found_out and steps == self._clock.steps:
            self._says("something is claimed although the partner is held back")

    def begins(self, request: Request) -> None:
        """A request is written to its connection."""
        for other in self._under_way:
            together = other.evse == request.evse or (other.alone and request.alone)
            if together and not self._outlived(other, request):
                self._says(f"two requests at a time: {_of(other)} and {_of(request)}")
        self._under_way.append(request)
        shown = self._evses.shown[request.evse]
        if request.version > shown.version:
            self._says(f"a version that there is not: {_of(request)}")
        table = request.words.rpartition("/")[2]
        if self._said.setdefault((request.evse, request.version, table), request.words) != request.words:
            self._says(f"one version says two things: {_of(request)}")
        if self._time.now > self._peace:
            self._in_peace[request.evse] = self._in_peace.get(request.evse, 0) + 1

    def ends(self, request: Request) -> None:
        """It was answered, or given up."""
        self._under_way.remove(request)

    def dies(self, life: Life) -> None:
        """The kernel closes its connections."""
        self._under_way = [one for one in self._under_way if one.life is not life]

    def compare(self, partner: Partner, rows: Sequence[Delivery], end: End) -> None:
        """After peace."""
        for evse, truth in end.truth.items():
            if (shown := end.last_written[evse]) != truth:
                self._says(f"EVSE {evse} is {truth}, but what was written last is {shown}")
            if (shown := end.newest[evse]) != truth:
                self._says(f"EVSE {evse} is {truth}, but the newest is {shown}")
        if sorted(row.evse for row in rows) != sorted(end.truth):
            self._says("not one row for each EVSE")
        for row in rows:
            version = self._evses.shown[row.evse].version
            if not row.want == row.acked == version or row.generation != partner.generation:
                self._says(f"EVSE {row.evse} is at version {version}, and its row is {row}")
            if row.next_at is not None or row.suspect or row.in_flight or row.token is not None:
                self._says(f"EVSE {row.evse} is not settled: {row}")
        for evse, count in self._in_peace.items():
            if count > MOST_IN_PEACE:
                self._says(f"EVSE {evse} was sent {count} times in peace")

    def _outlived(self, older: Request, newer: Request) -> bool:
        """Tell whether the older one's lease had run out, by itself or by a step of the clock."""
        return newer.claimed - older.claimed >= self._lease or newer.steps != older.steps

    def _says(self, what: str) -> None:
        self.wrong.append(f"{self._time.now:.3f}: {what}")


def _of(request: Request) -> str:
    return f"{request.words} (version {request.version}) for EVSE {request.evse}, claimed at {request.claimed:.3f}"
