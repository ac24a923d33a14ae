"""Which requests were under way at the same time, and whether they may have been."""

import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Final

import msgspec

from tests.e2e.serving_process import LEASE

_LEASE: Final = LEASE.total_seconds()


class UnderWay(msgspec.Struct, eq=False):
    """A request from when it arrived until it was answered or given up, in seconds of `time.monotonic`."""

    lane: Hashable
    began: float


class Overlap(msgspec.Struct, frozen=True):
    """Two requests of one lane at once: the younger came at `at`, the older had come `age` seconds before."""

    lane: Hashable
    at: float
    age: float


class InFlight:
    """The requests under way, by lane: what may only be said one after the other."""

    def __init__(self) -> None:
        self.overlaps: list[Overlap] = []
        self.requests = 0
        self._under_way: dict[Hashable, list[UnderWay]] = defaultdict(list)

    def begin(self, lane: Hashable) -> UnderWay:
        at = time.monotonic()
        self.requests += 1
        self.overlaps += [Overlap(lane, at, at - older.began) for older in self._under_way[lane]]
        new = UnderWay(lane, at)
        self._under_way[lane].append(new)
        return new

    def end(self, request: UnderWay) -> None:
        """It was answered, or its caller has gone. To say so twice does no harm."""
        if request in self._under_way[request.lane]:
            self._under_way[request.lane].remove(request)

    def wrong(self, owner_was_held_up: Callable[[float, float], bool]) -> list[Overlap]:
        """The overlaps that no expired lease explains.

        A lease is looked at before a request is written, with two request timeouts of it to go. So only an owner that
        was held up between that look and the answer can have another beside it: `owner_was_held_up` tells of a time.
        """
        return [
            one
            for one in self.overlaps
            if one.age < _LEASE and not owner_was_held_up(one.at - one.age - _LEASE, one.at)
        ]
