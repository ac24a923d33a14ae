"""How often somebody may call: token buckets in memory, so each process counts for itself and forgets when it ends."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

import msgspec

from app.clock import Clock

MOST: Final = 10_000  #: callers remembered in each table; beyond that the one that has called least lately is forgotten
_HAIR: Final = 1e-9  #: of a call: sums of fractions come out a little short


class _Bucket(msgspec.Struct):
    """What was left at an instant of the monotonic clock, in seconds."""

    left: float
    at: float


class Buckets:
    """One bucket for each caller, which holds a minute's worth and fills at that rate."""

    def __init__(self, clock: Clock, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: str, rate: int, count: int = 1) -> float:
        """Take `count` of `rate` a minute: return 0.0, or in how many seconds there are as many again."""
        now = self._clock.monotonic()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(rate, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(caller)
        bucket.left = min(bucket.left + (now - bucket.at) * rate / 60, rate)
        bucket.at = now
        if bucket.left < count - _HAIR:
            return round((count - bucket.left) * 60 / rate, 6)
        bucket.left -= count
        return 0.0


class Rates:
    """The calls of each key that has a rate, and the failed ones from each address."""

    def __init__(self, clock: Clock, failures: int, most: int = MOST) -> None:
        """`failures` are allowed each minute from one address."""
        self._calls = Buckets(clock, most)
        self._failed = Buckets(clock, most)
        self._failures = failures

    def call(self, key_id: str, rate: int | None, count: int = 1) -> float:
        """Count calls with a good key; return for how many seconds to wait, 0.0 if not at all."""
        return 0.0 if rate is None else self._calls.take(key_id, rate, count)

    def failure(self, address: str | None) -> float:
        """Count a call with a bad key; return for how many seconds to wait, 0.0 if not at all."""
        return self._failed.take(neighbourhood(address), self._failures)


def neighbourhood(address: str | None) -> str:
    """An address as it is counted: an IPv6 one by its /64, of which anybody may have all of them."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ip_network((int(found), 64), strict=False))
    return str(found)
