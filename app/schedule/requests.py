"""The requests of one lane: those that wait for their turn, those under way, and what came of those that are through.

What waits was claimed ahead, so that no request waits for the database when an answer comes. It is as much as is said
within a moment, for whoever waits longer would say what is no longer true: a partner that answers slowly is claimed for
only when it can be told.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Final

import structlog

from app.channels.outcomes import NotSent, Refused, Unknown
from app.clock import Clock
from app.schedule.claiming import Ready
from app.schedule.decisions import Claim
from app.schedule.settling import Done
from app.schedule.telling import Teller

_MOMENT: Final = 0.5  #: seconds that what is claimed may wait
_TOO_LONG: Final = 1.0  #: seconds after which it is not said any more, where a partner has just become slow
_MOST: Final = 64  #: requests that may wait
_WEIGHT: Final = 0.2  #: of the latest request in what one is expected to take

log = structlog.get_logger(__name__)


class Requests:
    """Makes as many at once as the lane allows, each as soon as there is room for it."""

    def __init__(self, teller: Teller, clock: Clock, in_flight: int, through: Callable[[], None]) -> None:
        """`through` is called when something came of one."""
        self._teller = teller
        self._clock = clock
        self._in_flight = in_flight
        self._notify = through
        self._waiting: deque[tuple[float, list[Ready]]] = deque()  #: since when on the monotonic clock, and what
        self.under_way: set[asyncio.Task[list[Done | Claim]]] = set()
        self.through: list[Done | Claim] = []  #: to be settled
        #: The EVSEs of all of them. Not left to the leases alone: where a clock steps ahead, or a machine slept, those
        #: are over at once, while the requests go on.
        self.busy: set[int] = set()
        self._failed = False  #: whether anything has, of what is to be settled
        self._takes = _MOMENT  #: seconds, a request
        self.closing = False

    @property
    def count(self) -> int:
        """How many are not through."""
        return len(self.under_way) + len(self._waiting)

    @property
    def waiting(self) -> bool:
        """Whether the next one can begin without a claim."""
        return bool(self._waiting)

    @property
    def going_well(self) -> bool:
        """Whether nothing has failed since what was settled last."""
        return not self._failed

    @property
    def ahead(self) -> int:
        """How many may wait while as many as may be are under way."""
        return min(int(self._in_flight * _MOMENT / self._takes), _MOST) if self._takes < _MOMENT else 0

    def make(self, requests: Iterable[list[Ready]]) -> None:
        for one in requests:
            self._waiting.append((self._clock.monotonic(), one))
            self.busy.update(ready.claim.delivery.evse for ready in one)
        self._go_on()

    def take_back(self) -> None:
        """Count as through, and unused, what waits while it must not be said: after a failure, and in the end."""
        if self.closing or self._failed:
            self.through += [ready.claim for _, request in self._waiting for ready in request]
            self._waiting.clear()

    def settled(self, ones: Collection[Done | Claim]) -> None:
        """Forget these, which were the first that came through."""
        self.busy -= {one.key[1] for one in ones}
        del self.through[: len(ones)]
        self._failed = _any_failed(self.through)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and len(self.under_way) < self._in_flight and not self.closing and not self._failed:
            since, request = self._waiting.popleft()
            if self._clock.monotonic() - since > _TOO_LONG:
                self.through += [ready.claim for ready in request]
                self._notify()
                continue
            saying = asyncio.create_task(self._say(request))
            self.under_way.add(saying)
            saying.add_done_callback(self._is_through)

    async def _say(self, ready: list[Ready]) -> list[Done | Claim]:
        began = self._clock.monotonic()
        said = await self._teller.say(ready)
        if any(isinstance(one, Done) and one.attempt is not None for one in said):
            self._takes += _WEIGHT * (max(self._clock.monotonic() - began, 0.001) - self._takes)
        return said

    def _is_through(self, said: "asyncio.Task[list[Done | Claim]]") -> None:
        self.under_way.discard(said)
        if said.cancelled():
            return
        if failure := said.exception():
            log.error("a claim came to nothing, and runs out", exc_info=failure)
        else:
            self.through += said.result()
            self._failed = self._failed or _any_failed(said.result())
        self._go_on()
        self._notify()


def _any_failed(through: Iterable[Done | Claim]) -> bool:
    return any(isinstance(one, Done) and isinstance(one.outcome, NotSent | Refused | Unknown) for one in through)
