"""Virtual time: coroutines that wait for it, and lives that end or freeze at any of their waits."""

import heapq
import itertools
import types
from collections.abc import Callable, Coroutine, Generator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
FOR_EVER: Final = float("inf")
Work: TypeAlias = Coroutine[Any, Any, None]


@types.coroutine
def passes(seconds: float) -> Generator[float]:
    """Wait for `seconds` of virtual time."""
    yield seconds


def _nothing() -> None: ...


class Life:
    """What one process of the operating system runs: all of it ends together, and freezes together."""

    def __init__(self) -> None:
        self.ended = False
        self.frozen_until = 0.0
        self.to_write: list[float] = []  #: when the requests that wait for a connection are written at the latest
        self.works: set[Process] = set()
        self._blow: Callable[[], None] = _nothing
        self._waits_left = 0
        self._upon = ""

    def strike(self, blow: Callable[[], None], waits: int, upon: str = "") -> None:
        """Have `blow` fall at the end of the `waits`-th wait in here from now on, or from when it does `upon`."""
        self._blow, self._waits_left, self._upon = blow, waits, upon

    def does(self, what: str) -> None:
        if what == self._upon:
            self._upon = ""

    def comes_out_of_a_wait(self) -> None:
        if self._waits_left and not self._upon:
            self._waits_left -= 1
            if not self._waits_left:
                self._blow()


class Process:
    """One coroutine under way. `nudge_at` is when somebody wants it to look, should it be resting then."""

    __slots__ = ("coroutine", "life", "nudge_at", "resting", "ticket")

    def __init__(self, coroutine: Work, life: Life | None) -> None:
        self.coroutine = coroutine
        self.life = life
        self.ticket = 0
        self.resting = False
        self.nudge_at = FOR_EVER


class VirtualTime:
    """Runs what waits, in the order of its time; one thing at a time, so that a history can be repeated."""

    def __init__(self) -> None:
        self.now = 0.0  #: seconds since the beginning, which never step
        self._queue: list[tuple[float, int, Process]] = []
        self._tickets = itertools.count(1)
        self._running: Process | None = None

    def start(self, coroutine: Work, life: Life | None = None, after: float = 0.0) -> Process:
        process = Process(coroutine, life)
        if life is not None:
            life.works.add(process)
        self._wake(process, self.now + after)
        return process

    @types.coroutine
    def rest(self, seconds: float) -> Generator[float]:
        """Wait for `seconds`, or until nudged; a nudge that came before counts."""
        process = self._running
        assert process is not None
        if process.nudge_at > self.now:
            process.resting = True
            yield min(seconds, process.nudge_at - self.now)
            process.resting = False
        process.nudge_at = FOR_EVER

    def nudge(self, process: Process, after: float = 0.0) -> None:
        """Have `process` look after a while, unless it does so before."""
        at = self.now + after
        if at < process.nudge_at:
            process.nudge_at = at
            if process.resting:
                self._wake(process, at)

    def end(self, life: Life) -> None:
        """Let nothing of it run any more: it does not even notice."""
        life.ended = True
        life.strike(_nothing, 0)
        for process in life.works:
            process.coroutine.close()
            process.ticket = 0
        life.works.clear()

    async def run(self, until: float) -> None:
        queue = self._queue
        while queue and queue[0][0] <= until:
            at, ticket, process = heapq.heappop(queue)
            if ticket != process.ticket:
                continue  # it was woken before, or its life has ended
            self.now = at
            life = process.life
            if life is not None:
                if life.frozen_until <= at:
                    life.comes_out_of_a_wait()
                if life.ended:
                    continue
                if life.frozen_until > at:
                    self._wake(process, life.frozen_until)
                    continue
            self._running = process
            seconds = await _until_it_waits(process.coroutine)
            if seconds is None:
                process.ticket = 0
                if life is not None:
                    life.works.discard(process)
            elif seconds < FOR_EVER:
                self._wake(process, at + seconds)
            else:
                process.ticket = -1  # only a nudge wakes it
        self.now = until

    def close(self) -> None:
        """Let go of everything that still waits."""
        for _, _, process in self._queue:
            process.coroutine.close()

    def _wake(self, process: Process, at: float) -> None:
        process.ticket = ticket = next(self._tickets)
        heapq.heappush(self._queue, (at, ticket, process))


class SteppingClock:
    """The database's clock, which all replicas follow: it may step. What is monotonic does not."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._ahead = timedelta()
        self.steps = 0

    def now(self) -> datetime:
        return START + timedelta(milliseconds=int(self._time.now * 1000)) + self._ahead

    def monotonic(self) -> float:
        return self._time.now

    def step(self, by: timedelta) -> None:
        self._ahead += by
        self.steps += 1


def run_at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing real: no database, no network."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something outside of virtual time")


@types.coroutine
def _until_it_waits(coroutine: Work) -> Generator[Any, Any, float | None]:
    """Go on to the next wait for virtual time, and return how long that is; `None` at the end.

    What it awaits in reality, a database, is awaited here.
    """
    while True:
        try:
            awaited = coroutine.send(None)
        except StopIteration:
            return None
        if type(awaited) is float:
            return awaited
        yield awaited
