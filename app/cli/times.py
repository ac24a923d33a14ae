"""Times as people type and read them. What is printed is UTC, and says so."""

from datetime import datetime, timedelta
from typing import Final

import click

from app.cli.durations import Duration
from app.domain.errors import DomainError
from app.domain.instant import instant, parse_instant

_DURATION: Final = Duration()
_HALF_A_YEAR: Final = timedelta(days=183)


class Time(click.ParamType[datetime]):
    """RFC 3339 with an offset."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return parse_instant(value)
        except DomainError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[datetime | timedelta]):
    """RFC 3339 with an offset, or how long ago (`-2h`) or ahead (`+30m`); or `now`."""

    name = "moment"

    def convert(
        self, value: str | datetime | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        if not isinstance(value, str):
            return value
        if value.lower() == "now":
            return timedelta()
        if value[:1] in {"-", "+"}:
            duration = _DURATION.convert(value[1:], param, ctx)
            return -duration if value[0] == "-" else duration
        try:
            return parse_instant(value)
        except DomainError as error:
            self.fail(f"{error}; or -2h for two hours ago, +30m for in half an hour", param, ctx)


def at_moment(moment: datetime | timedelta, now: datetime) -> datetime:
    """The instant that is meant, seen from `now`.

    Raises:
        MalformedInstant: it lies outside the years 2000 to 2099.
    """
    return moment if isinstance(moment, datetime) else instant(now + moment)


def clock_time(time: str | None, now: datetime) -> str:
    """A time of the API, short: of today only the hour, `04:00 UTC`; with seconds where they are not zero."""
    if time is None:
        return ""
    at = parse_instant(time)
    minute = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    return f"{minute} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d} {minute} UTC"


def in_column(time: str | None, now: datetime) -> str:
    """A time of the API for a column of times in UTC: without the year where that is clear."""
    if time is None:
        return ""
    at = parse_instant(time)
    return f"{at:%m-%d %H:%M}" if abs(at - now) < _HALF_A_YEAR else f"{at:%Y-%m-%d %H:%M}"


def how_long(duration: timedelta) -> str:
    """About how long, in its two largest units: `3d 4h`, `58m`, `12s`."""
    seconds = int(abs(duration).total_seconds())
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds}s"
    units = (("d", 86400), ("h", 3600), ("m", 60))
    parts: list[tuple[int, str]] = []
    for unit, size in units:
        part, seconds = divmod(seconds, size)
        if part or parts:
            parts.append((part, unit))
    return " ".join(f"{part}{unit}" for part, unit in parts[:2] if part)
