"""Instants: UTC, whole milliseconds, between the years 2000 and 2100."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from app.domain.errors import MalformedInstant

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
LONGEST: Final = 40  #: characters of a written time

# RFC 3339 as OCPI, OICP and our own clients write it: date, time to the second, any fraction, an offset.
_DATE: Final = r"\d{4}-\d\d-\d\d"
_TIME: Final = r"\d\d:\d\d:\d\d(?:\.\d{1,12})?"
_WITHOUT_OFFSET: Final = len("2026-11-21T08:30:00.000")
_OFFSET: Final = r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d)"
_RFC_3339: Final = re.compile(f"{_DATE}[Tt ]{_TIME}{_OFFSET}", re.ASCII)
_HOUR: Final = slice(11, 13)
_SECOND: Final = slice(17, 19)


def instant(value: datetime) -> datetime:
    """Return `value` in UTC, truncated to the millisecond.

    Truncated, never rounded: a time just before a boundary must not land on it.

    Raises:
        MalformedInstant: `value` has no offset, or lies outside the years 2000 to 2099.
    """
    if value.tzinfo is None:
        raise MalformedInstant("a time needs an offset: end it with Z, or with one such as +02:00")
    # Compared before the conversion: year 9999 with a negative offset cannot be expressed in UTC at all.
    if not EARLIEST <= value < LATEST:
        raise MalformedInstant("a time must lie between the years 2000 and 2099")
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    finer = value.microsecond % 1000
    return value.replace(microsecond=value.microsecond - finer) if finer else value


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 time with an offset, such as `2026-11-21T08:30:00+01:00`.

    Raises:
        MalformedInstant: it is not one, names no real time of day, or has no offset.
    """
    if len(text) > LONGEST or not _RFC_3339.fullmatch(text):
        raise MalformedInstant("not an RFC 3339 time with an offset, such as 2026-11-21T08:30:00Z")
    # Refused by us and not by the library, whose versions differ. Folded into a neighbour it would be another time.
    if text[_HOUR] == "24":
        raise MalformedInstant("no such time: midnight is 00:00:00 of the day that begins")
    if text[_SECOND] == "60":
        raise MalformedInstant("no such time: leap seconds are not counted, so a minute ends with :59")
    try:
        # A fraction is cut off after microseconds, and never rounded.
        return instant(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError) as error:
        raise MalformedInstant(f"no such time: {error}") from None


def rfc3339(value: datetime) -> str:
    """Write a UTC instant with `Z` and exactly three fraction digits: 24 characters, which OCPI's 25 can hold."""
    return f"{value.isoformat(timespec='milliseconds')[:_WITHOUT_OFFSET]}Z"
