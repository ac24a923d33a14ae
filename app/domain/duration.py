"""Durations as ISO 8601 writes them, `PT12H` or `P90D`, and as people do: `12h`, `90d`."""

import re
from datetime import timedelta
from typing import Final

from app.domain.errors import MalformedValue

LONGEST: Final = timedelta(days=3650)

_ISO: Final = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?", re.ASCII)
_SHORT: Final = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?", re.ASCII)
_UNITS: Final = (("D", 86400), ("H", 3600), ("M", 60), ("S", 1))


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration of whole seconds; years and months have no fixed length and are none.

    Raises:
        MalformedValue: it is not one, or longer than ten years.
    """
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        raise MalformedValue("not an ISO 8601 duration such as PT90M, PT12H or P90D")
    return _sum_of(match)


def read_duration(text: str) -> timedelta:
    """Read a duration in either form, longer than nothing.

    Raises:
        MalformedValue: it is not one, nothing at all, or longer than ten years.
    """
    match = _SHORT.fullmatch(text) or _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        raise MalformedValue("not a duration such as 30m, 2h, 1d12h or PT30M")
    duration = _sum_of(match)
    if not duration:
        raise MalformedValue("a duration is longer than nothing")
    return duration


def _sum_of(match: re.Match[str]) -> timedelta:
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if duration > LONGEST:
        raise MalformedValue("a duration is at most ten years (P3650D)")
    return duration


def iso_duration(duration: timedelta) -> str:
    """Write a duration in whole seconds: `PT12H`, `P1DT30M`."""
    days, clock = "", ""
    for part, unit in _parts(duration):
        if unit == "D":
            days = f"{part}D"
        else:
            clock += f"{part}{unit}"
    return f"P{days}T{clock}" if clock else f"P{days}" if days else "PT0S"


def short_duration(duration: timedelta) -> str:
    """Write a duration as people type it: `12h`, `90d`, `1d12h`."""
    return "".join(f"{part}{unit.lower()}" for part, unit in _parts(duration)) or "0s"


def _parts(duration: timedelta) -> list[tuple[int, str]]:
    left, parts = int(duration.total_seconds()), []
    for unit, size in _UNITS:
        part, left = divmod(left, size)
        if part:
            parts.append((part, unit))
    return parts
