"""What is announced of an EVSE, in OCPI's words: the `status_schedule`.

Informational: when a period comes, its status is told all the same.
Spec: OCPI 2.2.1 mod_locations, StatusSchedule class.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from app.domain.announcing import Announced
from app.domain.instant import rfc3339


class Period(msgspec.Struct, frozen=True):
    """From `begin` up to, not including, `end`, both UTC; without an `end` nobody knows yet when it is over."""

    begin: datetime
    end: datetime | None
    status: Status

    def written(self) -> dict[str, Any]:
        """As it stands in a `status_schedule`."""
        end = {} if self.end is None else {"period_end": rfc3339(self.end)}
        return {"period_begin": rfc3339(self.begin), **end, "status": self.status.value}

    def __str__(self) -> str:
        return f"{self.status} {rfc3339(self.begin)}/{'' if self.end is None else rfc3339(self.end)}"


def periods(release: Release, announced: Iterable[Announced]) -> tuple[Period, ...]:
    """Say it in the partner's words. Two kinds that follow each other under one word are one period."""
    said: list[Period] = []
    for one in announced:
        status = release.kinds[one.kind]
        if said and said[-1].status is status and said[-1].end == one.begin:
            said[-1] = Period(said[-1].begin, one.end, status)
        else:
            said.append(Period(one.begin, one.end, status))
    return tuple(said)
