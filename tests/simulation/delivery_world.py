"""One thing owed to one partner: the workers who deliver it, the requests under way, and what the partner shows.

Everything is decided by the pure decisions. Nothing happens by itself but time: a worker that froze is one whose next
event comes late. One row is enough, as the decisions about one never look at another.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final

import msgspec

from app.channels.outcomes import Delivered, Outcome, Unknown
from app.domain.delivery import Delivery
from app.schedule.decisions import Claim, Limits, Told, after_outcome, claimed, needs_sending, put_back

TIMEOUT: Final = timedelta(seconds=10)
LATEST: Final = timedelta(seconds=60)  #: after it was sent, a request may still be applied
PEACE: Final = timedelta(hours=1)
_ZERO: Final = datetime(2026, 3, 1, tzinfo=UTC)
_OWED: Final = Delivery(partner=1, evse=1, want=1, shared_at=_ZERO, generation=1, next_at=_ZERO)


class Flaw(Enum):
    """Ways to get delivery wrong."""

    NO_SETTLE_RULE = auto()  #: an acknowledgement is an acknowledgement
    ORPHANS_ARE_FORGOTTEN = auto()  #: a request under way when its owner died is taken for one that never was
    NEWER_ACKNOWLEDGEMENT_CANCELS = auto()  #: the settling, before it is due
    SETTLES_TOO_SOON = auto()  #: before the last request can have been applied
    TOKEN_IS_NOT_CHECKED = auto()  #: who lost the row to another still stores what it was answered
    LEASE_IS_NOT_CHECKED = auto()  #: a worker that was frozen sends as if nothing had happened
    GENERATION_IS_NOT_CHECKED = auto()  #: what was said in the old words counts as said in the new


@dataclass(frozen=True, eq=False)
class Request:
    """On its way to the partner."""

    claim: Claim
    told: Told
    sent: datetime


@dataclass(eq=False)
class Worker:
    """Has claimed the row; then has sent a request; then has an answer, which it has yet to store."""

    claim: Claim
    told: Told
    request: Request | None = None
    answer: Outcome | None = None


@dataclass
class World:
    """`blind` is what a partner shows that keeps whatever it applied last, `aware` one that compares versions."""

    flaw: Flaw | None = None
    now: datetime = _ZERO
    status: str = "FREE"
    generation: int = 1
    row: Delivery = _OWED
    is_news_taken: bool = False  #: whether anybody has claimed it since it was last owed
    tokens: int = 0
    workers: list[Worker] = field(default_factory=list)
    under_way: list[Request] = field(default_factory=list)
    blind: str = "never told"
    aware: str = "never told"
    aware_of: int = 0

    @property
    def limits(self) -> Limits:
        return Limits(
            lease=timedelta(seconds=35),
            settle=timedelta(seconds=5 if self.flaw is Flaw.SETTLES_TOO_SOON else 90),
            back_off_first=timedelta(seconds=1),
            back_off_longest=timedelta(minutes=5),
            retry_slowly=timedelta(hours=6),
        )

    @property
    def truth(self) -> str:
        return f"{self.status} in the words of {self.generation}"

    @property
    def is_claimable(self) -> bool:
        free = self.row.lease_until is None or self.row.lease_until <= self.now
        return free and self.row.next_at is not None and self.row.next_at <= self.now

    @property
    def with_claim(self) -> list[Worker]:
        return [one for one in self.workers if one.request is None and one.answer is None]

    @property
    def with_answer(self) -> list[Worker]:
        return [one for one in self.workers if one.answer is not None]

    @property
    def waiting(self) -> list[tuple[Worker, Request]]:
        return [(one, one.request) for one in self.workers if one.request is not None and one.answer is None]

    @property
    def out_of_patience(self) -> list[Worker]:
        return [worker for worker, request in self.waiting if self.now >= request.sent + TIMEOUT]

    # What happens

    def owe(self, **fields: int | str | None) -> None:
        due = self.now if self.row.next_at is None else min(self.row.next_at, self.now)
        self.row = msgspec.structs.replace(self.row, next_at=due, **fields)
        self.is_news_taken = False

    def time_passes(self, time: timedelta, *, late_ones_arrive: bool = False) -> None:
        """What cannot arrive any later is lost then, or arrives at that last moment."""
        self.now += time
        for request in [one for one in self.under_way if one.sent + LATEST <= self.now]:
            self.under_way.remove(request)
            if late_ones_arrive:
                self._shows(request.told)

    def claim(self) -> Worker:
        self.tokens += 1
        self.is_news_taken = True
        row = claimed(self.row, str(self.tokens), self.now, self.limits)
        if self.flaw is Flaw.ORPHANS_ARE_FORGOTTEN:
            row = msgspec.structs.replace(row, suspect=self.row.suspect, confirm_at=self.row.confirm_at)
        self.row = self._flawed(row)
        worker = Worker(Claim(self.row, self.now), Told(self.row.want, self.truth))
        self.workers.append(worker)
        return worker

    def send(self, worker: Worker) -> Request | None:
        """Send what was claimed, unless it need not be told, or the lease is too short by now."""
        claim = worker.claim
        if not needs_sending(claim.delivery, worker.told):
            worker.answer = Delivered()
            return None
        too_late = claim.at + self.limits.lease - self.now < 2 * TIMEOUT
        if too_late and self.flaw is not Flaw.LEASE_IS_NOT_CHECKED:
            self.row = put_back(self.row, claim, self.now) or self.row
            self.workers.remove(worker)
            return None
        for other, _ in self.waiting:
            assert other.claim.at + self.limits.lease <= self.now, "two requests under way within one lease"
        worker.request = Request(claim, worker.told, self.now)
        self.under_way.append(worker.request)
        return worker.request

    def apply(self, request: Request, answer: Outcome | None) -> None:
        self.under_way.remove(request)
        self._shows(request.told)
        self.answer(request, answer)

    def answer(self, request: Request, answer: Outcome | None) -> None:
        """Hand an answer to whoever still waits for it, if there is one to hand over."""
        for worker, awaited in self.waiting:
            if awaited is request and answer is not None and self.now < request.sent + TIMEOUT:
                worker.answer = answer

    def store(self, worker: Worker) -> None:
        self.workers.remove(worker)
        assert worker.answer is not None
        row, claim = self.row, worker.claim
        if self.flaw is Flaw.TOKEN_IS_NOT_CHECKED:
            row = msgspec.structs.replace(row, token=claim.delivery.token)
        if self.flaw is Flaw.GENERATION_IS_NOT_CHECKED:
            same = {"generation": row.generation, "acked_digest": row.acked_digest}
            claim = Claim(msgspec.structs.replace(claim.delivery, **same), claim.at)
        new = after_outcome(row, claim, worker.told, worker.answer, self.now, self.limits)
        if new is None:
            return
        if self.flaw is Flaw.NEWER_ACKNOWLEDGEMENT_CANCELS and row.confirm_at and isinstance(worker.answer, Delivered):
            new = msgspec.structs.replace(new, suspect=False, confirm_at=None)
        self.row = self._flawed(new)

    def deliver(self) -> None:
        """Claim, send and store, and all goes well."""
        self._finish(self.claim())

    def restart(self) -> None:
        """As `void_leases` has it: nobody else lives, so what was in flight is suspect, and due now."""
        self.workers.clear()
        if self.row.in_flight:
            void = {"in_flight": False, "suspect": True, "confirm_at": None, "lease_until": None, "token": None}
            self.row = self._flawed(msgspec.structs.replace(self.row, **void, next_at=self.now))

    def in_the_end(self) -> "World":
        """This world after peace: all goes well, but what is under way arrives as late as it can."""
        after = replace(self, workers=[replace(one) for one in self.workers], under_way=list(self.under_way))
        ends = self.now + PEACE
        while after.now < ends:
            for worker in after.out_of_patience:
                worker.answer = Unknown("no answer in time")
            for worker in after.with_answer:
                after.store(worker)
            for worker in after.with_claim:
                after._finish(worker)
            if after.is_claimable:
                after.deliver()
            elif (then := after._next) is not None:
                after.time_passes(then - after.now, late_ones_arrive=True)
            elif not after.workers:
                break
        return after

    @property
    def _next(self) -> datetime | None:
        """When something happens, if nobody does anything."""
        instants = [request.sent + LATEST for request in self.under_way]
        instants += [request.sent + TIMEOUT for _, request in self.waiting]
        if self.row.next_at is not None:
            instants.append(max(self.row.next_at, self.row.lease_until or self.row.next_at))
        return min((one for one in instants if one > self.now), default=None)

    def _finish(self, worker: Worker) -> None:
        if (request := self.send(worker)) is not None:
            self.apply(request, Delivered())
        if worker in self.workers:
            self.store(worker)

    def _shows(self, told: Told) -> None:
        self.blind = told.digest
        if told.version >= self.aware_of:
            self.aware_of, self.aware = told.version, told.digest

    def _flawed(self, row: Delivery) -> Delivery:
        if self.flaw is Flaw.NO_SETTLE_RULE:
            return msgspec.structs.replace(row, suspect=False, confirm_at=None)
        return row
