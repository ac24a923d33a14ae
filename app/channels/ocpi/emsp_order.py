"""Whether what an eMSP is told follows upon what it was told before: `last_updated` rises, for each EVSE by itself."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from app.domain.instant import parse_instant, rfc3339


class Saying(msgspec.Struct, frozen=True):
    """One thing said of an EVSE or a Location, as of `last_updated`.

    `key` names it, `aspect` what is said of it: its status, its schedule, or all the rest.
    """

    key: str
    aspect: str
    content: Any
    last_updated: str


class Order:
    """What was said last of each, whether or not it was applied: a sender must not go back after a failure either."""

    def __init__(self) -> None:
        self._latest: dict[str, datetime] = {}
        self._said: dict[tuple[str, str], tuple[datetime, Any]] = {}

    def broken_by(self, sayings: Iterable[Saying]) -> str | None:
        """Remember what is said, unless it breaks the order; then say how.

        The same once more is how a sender makes sure. Status and schedule change each by itself, so that the one may
        have the time at which the other was told; anything else at the same time is a change without a new time.
        """
        told = [(one, parse_instant(one.last_updated)) for one in sayings]
        for one, moment in told:
            latest = self._latest.get(one.key)
            if latest is not None and moment < latest:
                return f"{one.key}: last_updated went back from {rfc3339(latest)} to {one.last_updated}"
            before = self._said.get((one.key, one.aspect))
            if before is not None and before[0] == moment and before[1] != one.content:
                was, now = _brief(before[1]), _brief(one.content)
                return f"{one.key}: {one.aspect} {was} and {now} have the same last_updated {one.last_updated}"
        for one, moment in told:
            self._latest[one.key] = moment
            self._said[one.key, one.aspect] = (moment, one.content)
        return None


def _brief(content: Any) -> str:
    return f"{content}"[:200]
