"""What an eMSP knows of Locations and EVSEs, by push or by pull, and in what two such views differ."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from app.domain.instant import parse_instant

#: Of a period: when it begins, when it ends, the status.
_Period: TypeAlias = tuple[datetime, datetime | None, str]


class View(msgspec.Struct, frozen=True):
    """Locations by their id, without their EVSEs; EVSEs by `{location}/{uid}`. Both in the order in which they came.

    `location_of` gives the Location for each EVSE: either name may have a slash in it.
    `latest` is the latest `last_updated` of all Locations, as it was written: where a delta pull begins.
    """

    locations: Mapping[str, dict[str, Any]]
    evses: Mapping[str, dict[str, Any]]
    location_of: Mapping[str, str]
    latest: str | None = None

    @classmethod
    def of(
        cls,
        locations: Mapping[str, dict[str, Any]],
        evses: Mapping[str, dict[str, Any]],
        location_of: Mapping[str, str],
    ) -> "View":
        """Take a copy of what is there now."""
        times = [one["last_updated"] for one in locations.values()]
        copied = {name: dict(one) for name, one in locations.items()}
        latest = max(times, key=read_time, default=None)
        return cls(copied, {key: dict(one) for key, one in evses.items()}, dict(location_of), latest)

    @property
    def shown(self) -> dict[str, str]:
        return {key: evse["status"] for key, evse in self.evses.items() if "status" in evse}

    @property
    def schedules(self) -> dict[str, list[Any]]:
        return {key: evse["status_schedule"] for key, evse in self.evses.items() if evse.get("status_schedule")}


def compare(
    pushed: View, pulled: View, *, schedules: bool = True, whole: bool = False, only: Collection[str] | None = None
) -> list[str]:
    """List in what the two views differ, in words; nothing where a driver would be told the same.

    `schedules`: also in what is announced, which not everybody is told. `whole`: also in all other fields of the
    EVSEs that were put whole. `only` these EVSEs; by default all that either view has.
    """
    found = []
    keys = only if only is not None else {**pushed.evses, **pulled.evses}
    for key in keys:
        by_push, by_pull = pushed.evses.get(key), pulled.evses.get(key)
        if by_push is None or by_pull is None:
            missing, other = ("pull", by_push) if by_pull is None else ("push", by_pull)
            if other is not None:
                found.append(f"{key}: {other.get('status')}, but not there by {missing}")
            elif only is not None:
                found.append(f"{key}: not there at all")
            continue
        found += [f"{key}: {one}" for one in _differences(by_push, by_pull, schedules=schedules, whole=whole)]
    return found


def _differences(by_push: dict[str, Any], by_pull: dict[str, Any], *, schedules: bool, whole: bool) -> list[str]:
    found = []
    if by_push.get("status") != by_pull.get("status"):
        found.append(f"{by_push.get('status')} by push, {by_pull.get('status')} by pull")
    if schedules and _periods(by_push) != _periods(by_pull):
        found.append(f"announced by push {_brief(by_push)}, by pull {_brief(by_pull)}")
    if read_time(by_pull["last_updated"]) < read_time(by_push["last_updated"]):
        found.append(f"changed at {by_push['last_updated']} by push, at {by_pull['last_updated']} by pull: older")
    if whole and "connectors" in by_push:
        aside = {"status", "status_schedule", "last_updated"}
        differ = [name for name in {**by_push, **by_pull} if by_push.get(name) != by_pull.get(name)]
        found += [f"another {name}" for name in differ if name not in aside]
    return found


def _periods(evse: dict[str, Any]) -> list[_Period]:
    return [
        (
            read_time(one["period_begin"]),
            None if one.get("period_end") is None else read_time(one["period_end"]),
            one["status"],
        )
        for one in evse.get("status_schedule") or ()
    ]


def _brief(evse: dict[str, Any]) -> str:
    written = [
        f"{one['status']} {one['period_begin']}..{one.get('period_end') or ''}"
        for one in evse.get("status_schedule") or ()
    ]
    return "; ".join(written) or "nothing"


def read_time(written: str) -> datetime:
    """Read a DateTime of OCPI, which is UTC whether it says so or not."""
    return parse_instant(written if written.endswith("Z") else f"{written}Z")
