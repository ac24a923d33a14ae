"""What a strict eMSP demands of times, and of a `status_schedule`.

The specification leaves the order of a schedule open, and whether its periods may overlap. An eMSP that has to say
what comes next can only use one that is sorted and of which one period ends before the next begins.
Spec: OCPI 2.2.1 mod_locations, StatusSchedule class; types, DateTime type.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from app.channels.ocpi.status import Status
from app.domain.errors import MalformedInstant
from app.domain.instant import parse_instant

LONGEST_TIME: Final = 25  #: characters of a DateTime
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)
_FIELDS: Final = frozenset({"period_begin", "period_end", "status"})
_STATUSES: Final = frozenset(one.value for one in Status)


class Unreadable(ValueError):
    """It is not as it should be: in what, in words."""


def read_time(given: Any, name: str) -> datetime:
    """Read a DateTime as it should be written: in UTC, and saying so.

    Raises:
        Unreadable: it is missing, or not that.
    """
    if not isinstance(given, str):
        raise Unreadable(f"no {name}, which is mandatory")
    if len(given) > LONGEST_TIME or not _TIME.fullmatch(given):
        raise Unreadable(f"{name} {given} is not UTC with Z in at most {LONGEST_TIME} characters")
    try:
        return parse_instant(given)
    except MalformedInstant as error:
        raise Unreadable(f"{name} {given}: {error}") from None


def check_schedule(given: Any) -> None:
    """Demand a list of periods that are sorted and do not overlap.

    Raises:
        Unreadable: it is not.
    """
    if not isinstance(given, list):
        raise Unreadable(f"status_schedule is not a list but {given!r:.60}")
    _check_sequence([_period(one, f"status_schedule[{index}]") for index, one in enumerate(given)])


def _period(given: Any, where: str) -> tuple[datetime, datetime | None]:
    if not isinstance(given, dict):
        raise Unreadable(f"{where} is not an object")
    if strange := sorted(given.keys() - _FIELDS):
        raise Unreadable(f"{where} has {', '.join(strange)}, which a period does not have")
    if given.get("status") not in _STATUSES:
        raise Unreadable(f"{where}: status {given.get('status')!r} is none of OCPI's")
    begin = read_time(given.get("period_begin"), f"{where}.period_begin")
    if given.get("period_end") is None:
        return begin, None
    end = read_time(given["period_end"], f"{where}.period_end")
    if end <= begin:
        raise Unreadable(f"{where} ends at {given['period_end']}, not after it begins")
    return begin, end


def _check_sequence(periods: Sequence[tuple[datetime, datetime | None]]) -> None:
    for index, ((earlier, end), (later, _)) in enumerate(pairwise(periods), start=1):
        if later < earlier:
            raise Unreadable(f"status_schedule[{index}] begins before the one that stands before it: not sorted")
        if end is None or later < end:
            raise Unreadable(f"status_schedule[{index}] begins before the one before it has ended: they overlap")
