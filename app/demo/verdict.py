"""What each partner saw in the end, how long after each edge, and whether any of it was wrong."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

import msgspec
from rich.table import Table

from app.demo.audience import Audience, Heard

_NAMES: Final = {"app": "driver app", "hub": "Hubject", "emsp": "OCPI partner"}
_API: Final = {"app": "driverApp", "hub": "oicp", "emsp": "ocpi"}
_CLOCK_NOISE: Final = timedelta(milliseconds=50)


class Edge(msgspec.Struct, frozen=True):
    """An instant (UTC) at which what is shown for an EVSE changes, and what each partner that notices must hear.

    `from_` is from when it could be told: later than `at` where a partner or the service was away.
    """

    at: datetime
    evse_id: str
    hears: Mapping[str, str]
    from_: datetime | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What is wrong, in words, and the lags from edge to receipt in seconds, by partner."""

    wrong: list[str]
    lags: dict[str, list[float]]
    caught_up: dict[str, list[float]]


def judge(
    audience: Audience, edges: Sequence[Edge], fleet: Sequence[Mapping[str, Any]], pulled: Sequence[str]
) -> Verdict:
    """Compare what partners show with what `fleet` (`GET /v2/evses`) says they must, and look for every edge.

    `pulled` is in what the OCPI partner was told otherwise when it pulled.
    """
    wrong = [f"{_NAMES[name]} objected: {what}" for name, whats in audience.objections().items() for what in whats]
    wrong += differences(audience, fleet)
    wrong += [f"{_NAMES['emsp']} pulled: {one}" for one in pulled]
    heard = audience.heard()
    lags: dict[str, list[float]] = {name: [] for name in _NAMES}
    caught_up: dict[str, list[float]] = {name: [] for name in _NAMES}
    for edge in edges:
        for name, status in edge.hears.items():
            possible = edge.from_ or edge.at
            if (receipt := _receipt(heard, name, edge, status)) is None:
                wrong.append(f"{_NAMES[name]} never heard {status} for {edge.evse_id}")
            else:
                lag = max((receipt.at - possible).total_seconds(), 0.0)
                (caught_up if edge.from_ else lags)[name].append(lag)
    return Verdict(wrong, lags, caught_up)


def differences(audience: Audience, fleet: Sequence[Mapping[str, Any]]) -> list[str]:
    """List where a partner shows other than it must now."""
    found = []
    for name, shown in audience.shown().items():
        told = set(audience.told_to(name))
        for evse in fleet:
            evse_id, must = evse["evseId"], evse["presented"][_API[name]]["status"]
            if evse_id in told and shown.get(evse_id) != must:
                found.append(f"{_NAMES[name]} shows {evse_id} as {shown.get(evse_id)}, not as {must}")
    return found


def as_table(audience: Audience, verdict: Verdict) -> Table:
    """Say it for people."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column, justify in (
        ("partner", "left"),
        ("EVSEs", "right"),
        ("received", "right"),
        ("edges", "right"),
        ("median lag", "right"),
        ("longest", "right"),
        ("caught up", "right"),
        ("wrong", "right"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    heard = audience.heard()
    for name, title in _NAMES.items():
        lags, caught_up = verdict.lags[name], verdict.caught_up[name]
        table.add_row(
            title,
            str(len(set(audience.told_to(name)))),
            str(sum(one.partner == name for one in heard)),
            str(len(lags) + len(caught_up)),
            _ms(median(lags)) if lags else "",
            _ms(max(lags)) if lags else "",
            _ms(max(caught_up)) if caught_up else "",
            str(sum(one.startswith(title) for one in verdict.wrong)),
        )
    return table


def _receipt(heard: Sequence[Heard], name: str, edge: Edge, status: str) -> Heard | None:
    """The first time the partner heard this status for the EVSE, not before the edge."""
    since = edge.at - _CLOCK_NOISE
    fits = [
        one
        for one in heard
        if one.partner == name and one.evse_id == edge.evse_id and one.status == status and one.at >= since
    ]
    return min(fits, key=lambda one: one.at, default=None)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
