"""Durations as people write them."""

import re
from datetime import timedelta
from typing import Final

import click

_SHORT: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII | re.IGNORECASE)
_ISO: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII | re.IGNORECASE)
_LONGEST: Final = timedelta(days=3650)


class Duration(click.ParamType[timedelta]):
    """`2h`, `90m`, `1d12h`, `45s` or ISO 8601's `PT2H`."""

    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = _SHORT.fullmatch(value) or _ISO.fullmatch(value)
        if match is None or len(value) > 20 or not any(match.groups()):  # noqa: PLR2004
            self.fail(f"{value!r} is no duration; write 2h, 90m, 1d12h, 45s or PT2H", param, ctx)
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        try:
            duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        except OverflowError:
            duration = timedelta.max
        if not timedelta() < duration <= _LONGEST:
            self.fail("a duration is longer than nothing and at most ten years", param, ctx)
        return duration
