"""What must be shown, worked out once more from what was accepted, in other words than the service's own."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from app.domain.instant import parse_instant

#: What app, hub and eMSP must show, as the design has it; the strongest first.
TEMPORARY: Final = {
    "COMMISSIONING": ("OUT_OF_SERVICE", "OutOfService", "PLANNED"),
    "MAINTENANCE": ("OUT_OF_SERVICE", "OutOfService", "INOPERATIVE"),
    "BLOCKED": ("OCCUPIED", "Occupied", "BLOCKED"),
    "RESERVED": ("OCCUPIED", "Reserved", "RESERVED"),
}
ACTUAL: Final = {
    "AVAILABLE": ("AVAILABLE", "Available", "AVAILABLE"),
    "CHARGING": ("CHARGING", "Occupied", "CHARGING"),
    "OUTOFORDER": ("OUT_OF_SERVICE", "OutOfService", "OUTOFORDER"),
    "UNKNOWN": ("UNKNOWN", "Unknown", "UNKNOWN"),
}
#: What those who were told of an EVSE show once it has left production; the hub has no record of it any more.
GONE: Final = ("REMOVED", None, "REMOVED")
_IDLE: Final = ("AVAILABLE", "UNKNOWN")


def must_show(
    deployment: str, actual: str, windows: Iterable[Mapping[str, Any]], at: datetime
) -> tuple[str | None, ...]:
    """Say what app, hub and eMSP must show at `at`. `windows` are the EVSE's temporary statuses as the API has them."""
    if deployment != "PRODUCTION":
        return GONE
    active = {one["temporaryStatus"] for one in windows if _is_active(one, actual, at)}
    for kind, words in TEMPORARY.items():
        if kind in active:
            return words
    return ACTUAL[actual]


def _is_active(window: Mapping[str, Any], actual: str, at: datetime) -> bool:
    ends = [parse_instant(window[end]) for end in ("validTo", "endedAt") if window[end] is not None]
    in_time = parse_instant(window["validFrom"]) <= at and all(at < end for end in ends)
    return in_time and (window["appliesWhen"] == "always" or actual in _IDLE)
