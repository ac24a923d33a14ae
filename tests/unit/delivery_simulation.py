"""Twenty minutes of trouble between us and a partner, in virtual time, decided by the real decisions.

Workers crash, freeze and lose their leases; requests are lost, are applied but not answered, or are applied up to a
minute late; the partner keeps whatever it applied last. Then there is peace, and the partner is compared.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final

import msgspec

from app.channels.channel import Delivered, NotSent, Outcome, Unknown
from app.domain.delivery import Delivery
from app.domain.partner import Partner
from app.schedule.decisions import (
    Claim,
    Limits,
    Told,
    after_outcome,
    claimed,
    is_held,
    needs_sending,
    put_back,
    standing_after,
)

EVSES: Final = 4
WORKERS: Final = 3
TIMEOUT: Final = 10.0
LATEST: Final = 60.0  #: seconds after it was sent, a request may still be applied
TROUBLE: Final = 1200.0
PEACE: Final = 600.0
_ZERO: Final = datetime(2026, 3, 1, tzinfo=UTC)


class Flaw(Enum):
    """Ways to get the settle rule wrong."""

    NO_SETTLE_RULE = auto()  #: an acknowledgement is an acknowledgement
    NEWER_ACKNOWLEDGEMENT_CANCELS = auto()
    SETTLES_TOO_SOON = auto()  #: before the last request can have been applied


class History:
    """One run, wholly decided by its seed."""

    def __init__(self, seed: int, flaw: Flaw | None = None) -> None:
        self._dice = random.Random(seed)
        self._flaw = flaw
        self._limits = Limits(
            lease=timedelta(seconds=35),
            settle=timedelta(seconds=5 if flaw is Flaw.SETTLES_TOO_SOON else 90),
            back_off_first=timedelta(seconds=1),
            back_off_longest=timedelta(seconds=20),
            retry_slowly=timedelta(hours=6),
        )
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.truth = dict.fromkeys(range(EVSES), "FREE")
        self._version = dict.fromkeys(range(EVSES), 1)
        self.applied = dict.fromkeys(range(EVSES), "never told")
        self._rows = {
            evse: Delivery(partner=1, evse=evse, want=1, shared_at=_ZERO, generation=1, next_at=_ZERO)
            for evse in range(EVSES)
        }
        self._partner = Partner(
            id=1, name="it", channel="any", configuration={}, created_by="test", created_at=_ZERO, updated_at=_ZERO
        )
        self._epoch = [0] * WORKERS  #: rises with each crash: what an earlier life had under way is gone with it

    def run(self) -> bool:
        """Tell whether the partner ends on the truth for every EVSE."""
        for worker in range(WORKERS):
            self._in(self._dice.random(), self._looks(worker))
        self._in(1, self._changes)
        while self._events and self._events[0][0] < TROUBLE + PEACE:
            self._now, _, happens = heapq.heappop(self._events)
            happens()
        return self.applied == self.truth

    @property
    def _at(self) -> datetime:
        return _ZERO + timedelta(milliseconds=round(self._now * 1000))

    @property
    def _troubled(self) -> bool:
        return self._now < TROUBLE

    def _in(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now + seconds, next(self._numbers), happens))

    def _happens(self, chance: float) -> bool:
        return self._troubled and self._dice.random() < chance

    def _changes(self) -> None:
        if not self._troubled:
            return
        evse = self._dice.randrange(EVSES)
        self.truth[evse] = self._dice.choice(["FREE", "BUSY", "BROKEN"])
        self._version[evse] += 1
        row = self._rows[evse]
        due = self._at if row.next_at is None else min(row.next_at, self._at)
        self._rows[evse] = msgspec.structs.replace(row, want=self._version[evse], next_at=due)
        self._in(self._dice.expovariate(1 / 10), self._changes)

    # A worker: claims, is perhaps held up, sends, is perhaps held up again, settles.

    def _looks(self, worker: int) -> Callable[[], None]:
        epoch = self._epoch[worker]

        def look() -> None:
            if self._epoch[worker] != epoch:
                return
            free = [one for one in self._rows.values() if self._due(one)]
            if not free or is_held(self._partner, self._at, self._limits):
                self._in(1 + 2 * self._dice.random(), look)
                return
            row = self._flawed(claimed(self._dice.choice(free), str(next(self._numbers)), self._at, self._limits))
            self._rows[row.evse] = row
            claim = Claim(row, self._at)
            said = Told(self._version[row.evse], self.truth[row.evse])
            held_up = self._dice.uniform(0, 90) if self._happens(0.03) else 0.0
            self._in(held_up, lambda: self._sends(worker, epoch, claim, said))

        return look

    def _due(self, row: Delivery) -> bool:
        free = row.lease_until is None or row.lease_until <= self._at
        return free and row.next_at is not None and row.next_at <= self._at

    def _sends(self, worker: int, epoch: int, claim: Claim, said: Told) -> None:
        if self._epoch[worker] != epoch:
            return
        if not needs_sending(claim.delivery, said):
            self._settles(worker, epoch, claim, said, None)
            return
        if (claim.at + self._limits.lease - self._at).total_seconds() < 2 * TIMEOUT:
            if (row := put_back(self._rows[claim.delivery.evse], claim, self._at)) is not None:
                self._rows[row.evse] = row
            self._in(0.1, self._looks(worker))
            return
        applied_after, answered_after, outcome = self._network()
        if applied_after is not None:
            self._in(applied_after, lambda: self.applied.__setitem__(claim.delivery.evse, said.digest))
        if self._happens(0.03):
            self._epoch[worker] += 1
            self._in(self._dice.uniform(0, 10), self._looks(worker))
            return
        held_up = self._dice.uniform(0, 90) if self._happens(0.02) else 0.0
        self._in(answered_after + held_up, lambda: self._settles(worker, epoch, claim, said, outcome))

    def _network(self) -> tuple[float | None, float, Outcome]:
        """When a request is applied and when we know what, both in seconds from now."""
        dice = self._dice.random() if self._troubled else 1.0
        if dice < 0.06:
            return self._dice.uniform(0, LATEST), TIMEOUT, Unknown("slow")
        if dice < 0.10:
            return 0.05, TIMEOUT, Unknown("the answer was lost")
        if dice < 0.13:
            return None, TIMEOUT, Unknown("the request was lost")
        if dice < 0.20:
            return None, 0.01, NotSent("could not connect")
        return 0.02, 0.05, Delivered()

    def _settles(self, worker: int, epoch: int, claim: Claim, said: Told, outcome: Outcome | None) -> None:
        if self._epoch[worker] != epoch:
            return
        row = self._rows[claim.delivery.evse]
        new = after_outcome(row, claim, said, outcome or Delivered(), self._at, self._limits)
        if new is not None:
            if self._flaw is Flaw.NEWER_ACKNOWLEDGEMENT_CANCELS and row.confirm_at and isinstance(outcome, Delivered):
                new = msgspec.structs.replace(new, suspect=False, confirm_at=None)
            self._rows[row.evse] = self._flawed(new)
        if outcome is not None:
            chance = self._dice.random()
            self._partner = standing_after(self._partner, claim.at, outcome, self._at, self._limits, chance)
        self._in(0.1, self._looks(worker))

    def _flawed(self, row: Delivery) -> Delivery:
        if self._flaw is Flaw.NO_SETTLE_RULE:
            return msgspec.structs.replace(row, suspect=False, confirm_at=None)
        return row


def wrong_histories(seeds: Iterable[int], flaw: Flaw | None = None) -> Iterator[int]:
    """The seeds of the histories that end with the partner on a wrong status, as they are found."""
    return (seed for seed in seeds if not History(seed, flaw).run())
