"""What the simulated eMSP has: Locations and the EVSEs in them, as they were put or patched; and what came in."""

from datetime import datetime
from typing import Any, NamedTuple

from app.channels.ocpi.emsp_behaviour import RequestKind, Trouble
from app.channels.ocpi.emsp_body import Change
from app.channels.ocpi.emsp_view import View
from app.channels.ocpi.judging import Address
from app.domain.instant import parse_instant


class Received(NamedTuple):
    """A status that was accepted. `at` is the eMSP's own time (UTC), `last_updated` the sender's, as it was written."""

    at: datetime
    key: str
    status: str
    last_updated: str


class Requested(NamedTuple):
    """A right request, applied or not: when it had arrived (UTC), what it was, and the trouble that it met."""

    at: datetime
    kind: RequestKind
    key: str
    body: dict[str, Any]
    trouble: Trouble | None


class Records:
    """Locations by their id, without their EVSEs; EVSEs by `{location}/{uid}`.

    An EVSE that was patched and never put has only what it was patched with. `shown` is the status of each, also of
    those that are REMOVED; `schedules` is what is announced of each, where anything is. `wiped` are the EVSEs that
    went with the PUT of their Location, in order.
    """

    def __init__(self) -> None:
        self.locations: dict[str, dict[str, Any]] = {}
        self.evses: dict[str, dict[str, Any]] = {}
        self.shown: dict[str, str] = {}
        self.schedules: dict[str, list[Any]] = {}
        self.wiped: list[str] = []
        self.location_of: dict[str, str] = {}
        self._in_location: dict[str, set[str]] = {}

    def has_newer(self, change: Change) -> bool:
        """Whether what is stored is of a later time than `change`."""
        stored = (self.locations if change.address.uid is None else self.evses).get(change.key)
        if stored is None or "last_updated" not in stored:
            return False
        return parse_instant(stored["last_updated"]) > parse_instant(change.last_updated)

    def apply(self, change: Change) -> None:
        """Store it, whatever is there."""
        location = change.address.location
        if change.kind == "PUT location":
            self._replace(location, change)
            return
        evse = change.body
        if change.kind != "PUT evse":
            evse = {"uid": change.address.uid, **self.evses.get(change.key, {}), **change.body}
        self._store(location, change.key, evse)
        if (parent := self.locations.get(location)) is not None:
            # Who takes a change of an EVSE moves its Location with it. Spec: OCPI 2.2.1 mod_locations, PUT method.
            parent["last_updated"] = max(parent["last_updated"], change.last_updated, key=parse_instant)

    def adopt(self, view: View) -> None:
        """Begin with what was pulled. Whatever was there before is no longer valid."""
        for kept in (self.locations, self.evses, self.shown, self.schedules, self.location_of, self._in_location):
            kept.clear()
        self.locations.update({name: dict(one) for name, one in view.locations.items()})
        for key, evse in view.evses.items():
            self._store(view.location_of[key], key, dict(evse))

    def read(self, address: Address) -> dict[str, Any] | None:
        """Return what is stored under `address`, a Location with its EVSEs; `None` where nothing is."""
        if address.uid is None:
            if (location := self.locations.get(address.location)) is None:
                return None
            evses = [self.evses[key] for key in sorted(self._in_location.get(address.location, ()))]
            return {**location, "evses": evses} if evses else location
        evse = self.evses.get(address.key)
        if evse is None or address.connector is None:
            return evse
        return next((one for one in evse.get("connectors", ()) if one["id"] == address.connector), None)

    def _replace(self, location: str, change: Change) -> None:
        """Replace a Location by what was put: the EVSEs that are not in that are gone.

        Spec: OCPI 2.2.1 transport_and_format, PUT: optional fields that are left out revert to their defaults.
        """
        told = dict(change.evses())
        for key in sorted(self._in_location.pop(location, set())):
            del self.evses[key], self.location_of[key]
            self.shown.pop(key, None)
            self.schedules.pop(key, None)
            if key not in told:
                self.wiped.append(key)
        self.locations[location] = {name: value for name, value in change.body.items() if name != "evses"}
        for key, evse in told.items():
            self._store(location, key, evse)

    def _store(self, location: str, key: str, evse: dict[str, Any]) -> None:
        self._in_location.setdefault(location, set()).add(key)
        self.location_of[key] = location
        self.evses[key] = evse
        if "status" in evse:
            self.shown[key] = evse["status"]
        if evse.get("status_schedule"):
            self.schedules[key] = evse["status_schedule"]
        else:
            self.schedules.pop(key, None)
