"""What one key is good for, beside its role: where, for what, for how long, how many at once, and from where."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeVar

import msgspec

from app.domain.errors import MalformedValue
from app.domain.interval import Interval
from app.domain.scope import EVERYTHING, Scope
from app.domain.status import Kind

Limit = TypeVar("Limit", int, timedelta)


class Rights(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The limits of a key; what is `None` has none.

    `longest` is how far ahead a temporary status may end: of its beginning, or of now once it has begun. So a sensor
    may renew one for days, and yet nothing outlives the sensor for longer. `furthest` is how far ahead it may begin.
    `most_active` is how many the key may have in effect at one instant. `final_cancel`: a reference that was
    cancelled without a source version stays so for a day, whatever comes. `networks` are CIDR blocks that calls may
    come from, any where there are none. `rate` is calls a minute, in each process.
    """

    scope: Scope = EVERYTHING
    kinds: tuple[Kind, ...] = tuple(Kind)
    longest: timedelta | None = None
    furthest: timedelta | None = None
    most_active: int | None = None
    open_ended: bool = True
    final_cancel: bool = False
    networks: tuple[str, ...] = ()
    rate: int | None = None

    def includes(self, other: "Rights") -> bool:
        """Tell whether whoever has `other` can surely say nothing that these do not let them say.

        From where and how often is no part of that: a key that lies elsewhere is called from elsewhere.
        """
        return (
            self.scope.includes(other.scope)
            and set(other.kinds) <= set(self.kinds)
            and _within(other.longest, self.longest)
            and _within(other.furthest, self.furthest)
            and _within(other.most_active, self.most_active)
            and self.open_ended >= other.open_ended
        )

    def allows_from(self, address: str | None) -> bool:
        """Tell whether a call may come from `address`, an IPv4 one in IPv6's clothes too."""
        if not self.networks:
            return True
        try:
            found = ip_address(address or "")
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network_of(one) for one in self.networks)


UNLIMITED = Rights()


def _within(theirs: Limit | None, ours: Limit | None) -> bool:
    return ours is None or (theirs is not None and theirs <= ours)


def network_of(text: str) -> IPv4Network | IPv6Network:
    """Read a CIDR block; a single address is a block of one.

    Raises:
        MalformedValue: it is none, or has bits set behind its prefix, so that it says two things.
    """
    try:
        return ip_network(text)
    except ValueError as error:
        raise MalformedValue(f"not a network such as 192.0.2.0/24: {error}", field="networks") from None


def peak(others: Iterable[Interval], one: Interval) -> int:
    """How many of `others` are in effect at one instant of `one`, at most."""
    edges: list[tuple[datetime, int]] = []
    for other in others:
        if other.overlaps(one):
            edges.append((max(other.begin, one.begin), 1))
            if other.end is not None:
                edges.append((other.end, -1))
    highest = running = 0
    for _, step in sorted(edges):  # at one instant what ends comes before what begins: they never share it
        running += step
        highest = max(highest, running)
    return highest
