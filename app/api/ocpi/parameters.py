"""What a list is asked for: from where on, how much, and changed since when.

Spec: OCPI 2.2.1 transport_and_format, pagination; types, DateTime type.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from app.api.ocpi.envelope import wrong_parameter
from app.domain.errors import MalformedInstant
from app.domain.instant import EARLIEST, LATEST, parse_instant
from app.store.location_pages import Wanted

PAGE: Final = 100  #: locations on a page, where nothing else is asked for
LARGEST_PAGE: Final = 500  #: locations on a page, whatever is asked for
_LONGEST_NUMBER: Final = 15  #: digits
_LEAP_CENTURY: Final = "2000"


class Asked(msgspec.Struct, frozen=True):
    """One page of a list. `after` is the key of the location before it, where one of our own links led here."""

    wanted: Wanted
    offset: int
    limit: int
    after: int | None

    def following(self, query: Mapping[str, str], length: int, last: int) -> dict[str, str]:
        """The query of the next page: the same, but for where it begins."""
        offset = self.offset + length
        kept = {name: value for name, value in query.items() if name not in {"offset", "after"}}
        return {**kept, "offset": str(offset), "after": f"{last}-{offset}"}


def asked(query: Mapping[str, str]) -> Asked:
    """Read the parameters of a list.

    Raises:
        Refused: OCPI 2001, with the name of the one that cannot be read.
    """
    offset = _number(query, "offset", default=0, least=0)
    return Asked(
        Wanted(_time(query, "date_from"), _time(query, "date_to")),
        offset,
        min(_number(query, "limit", default=PAGE, least=1), LARGEST_PAGE),
        _after(query.get("after", ""), offset),
    )


def _number(query: Mapping[str, str], name: str, *, default: int, least: int) -> int:
    if (text := query.get(name)) is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER and int(text) >= least):
        raise wrong_parameter(name, f"a whole number from {least} on, not {text!r:.60}")
    return int(text)


def _after(text: str, offset: int) -> int | None:
    """Read where a link of ours leads, unless somebody has gone on from it to another offset."""
    key, _, of_offset = text.partition("-")
    numbers = all(one.isascii() and one.isdigit() and len(one) <= _LONGEST_NUMBER for one in (key, of_offset))
    return int(key) if numbers and int(of_offset) == offset else None


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    """Read a time, which is UTC and may leave out the Z that says so. Nothing of ours is older than `EARLIEST`."""
    if (text := query.get(name)) is None:
        return None
    year = text[:4]
    outside = year.isascii() and year.isdigit() and not f"{EARLIEST.year}" <= year < f"{LATEST.year}"
    readable = _LEAP_CENTURY + text[4:] if outside else text
    for written in (readable, f"{readable}Z"):
        try:
            read = parse_instant(written)
        except MalformedInstant:
            continue
        if outside:
            return EARLIEST if year < f"{EARLIEST.year}" else LATEST
        return read
    raise wrong_parameter(name, f"a time in UTC such as 2026-11-21T08:30:00Z, not {text!r:.60}")
