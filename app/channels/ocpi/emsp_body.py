"""What a strict eMSP demands of the body of a PATCH of an EVSE, and of the PUT of an EVSE or a Location.

`last_updated` is demanded in 2.1.1 too, which only advises it; and status and status_schedule each in a request of its
own, as many real partners refuse a schedule, and the status with it.
Spec: OCPI 2.2.1 mod_locations, eMSP interface.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec

from app.channels.ocpi.emsp_behaviour import RequestKind
from app.channels.ocpi.emsp_fields import unknown_fields
from app.channels.ocpi.emsp_order import Saying
from app.channels.ocpi.emsp_schedule import Unreadable, check_schedule, read_time
from app.channels.ocpi.fields import ObjectRules, Objects, faults
from app.channels.ocpi.judging import Address, Asked, Wrong
from app.channels.ocpi.status import Status
from app.domain.instant import parse_instant

_ASPECTS: Final = ("status", "status_schedule")
_STATUSES: Final = frozenset(one.value for one in Status)
TOLERANT: Final = frozenset({"2.3.0"})  #: versions in which a field that is not known is no reason to object


class Change(msgspec.Struct, frozen=True):
    """What a right request says: of which `kind`, about what, with which `body`.

    `unknown` are the fields in it that the version does not have.
    """

    kind: RequestKind
    address: Address
    body: dict[str, Any]
    unknown: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.address.key

    @property
    def last_updated(self) -> str:
        written: str = self.body["last_updated"]
        return written

    def evses(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Go through the EVSEs that it says something of, whole or in part."""
        if self.address.uid is not None:
            yield self.key, self.body
        else:
            for evse in self.body.get("evses") or ():
                yield f"{self.address.location}/{evse['uid']}", evse

    def sayings(self) -> Iterator[Saying]:
        """Take it apart into what is said of each."""
        if self.address.uid is None:
            rest = {name: value for name, value in self.body.items() if name not in {"evses", "last_updated"}}
            yield Saying(self.key, "location", rest, self.last_updated)
        for key, evse in self.evses():
            # A PUT that leaves the schedule out clears it, but says nothing of it: that may follow with the same time.
            for aspect in _ASPECTS:
                if aspect in evse:
                    yield Saying(key, aspect, evse[aspect] or [], evse["last_updated"])
            rest = {name: value for name, value in evse.items() if name not in {*_ASPECTS, "uid", "last_updated"}}
            if rest:
                yield Saying(key, "the rest", rest, evse["last_updated"])


def read_change(version: str, objects: Objects, asked: Asked, passes: Collection[str]) -> Change:
    """Read the body of a PATCH or a PUT, with the `objects` of `version`.

    `passes` are the names of fields that may be in it though the version does not have them.

    Raises:
        Wrong: anything about it is not as OCPI has it.
    """
    try:
        given: Any = msgspec.json.decode(asked.body)
    except (ValueError, RecursionError):
        raise Wrong("the body is not JSON", 400, 2001) from None
    if not isinstance(given, dict):
        raise Wrong("the body is not an object", 200, 2001)
    try:
        if asked.method == "PATCH":
            _check_patch(objects.evse, asked.address, given)
            kind: RequestKind = "PATCH schedule" if "status_schedule" in given else "PATCH status"
        elif asked.address.uid is not None:
            _check_evse(objects.evse, given, asked.address.uid)
            kind = "PUT evse"
        else:
            _check_location(objects.location, given, asked.address)
            kind = "PUT location"
    except Unreadable as problem:
        raise Wrong(str(problem), 200, 2001) from None
    unknown = tuple(unknown_fields(objects.location if kind == "PUT location" else objects.evse, given))
    if version not in TOLERANT and (strange := sorted({one for one in unknown if _name(one) not in passes})):
        raise Wrong(f"unknown fields {', '.join(strange)}", 200, 2001)
    return Change(kind, asked.address, given, unknown)


def _name(where: str) -> str:
    return where.rpartition(".")[2]


def _check_patch(rules: ObjectRules, address: Address, given: dict[str, Any]) -> None:
    if given.get("uid", address.uid) != address.uid:
        raise Unreadable("the uid in the body is not the one in the URL")
    if given.keys() <= {"uid", "last_updated"}:
        raise Unreadable("neither a status nor anything else that changes")
    if given.keys() >= set(_ASPECTS):
        raise Unreadable("status and status_schedule in one PATCH: who refuses the one refuses the other with it")
    if "status" in given and given["status"] not in _STATUSES:
        raise Unreadable(f"status {given['status']!r} is none of OCPI's")
    if "status_schedule" in given:
        check_schedule(given["status_schedule"])
    read_time(given.get("last_updated"), "last_updated")
    if found := faults(rules, given, unknown_tolerated=True, partial=True):
        raise Unreadable("; ".join(found))


def _check_evse(rules: ObjectRules, given: Any, uid: str) -> None:
    if found := faults(rules, given, unknown_tolerated=True):
        raise Unreadable("; ".join(found))
    if given["uid"] != uid:
        raise Unreadable("the uid in the body is not the one in the URL")
    _check_times_of_evse(given)


def _check_times_of_evse(given: dict[str, Any]) -> None:
    if given["status"] not in _STATUSES:
        raise Unreadable(f"status {given['status']!r} is none of OCPI's")
    if given.get("status_schedule") is not None:
        check_schedule(given["status_schedule"])
    read_time(given.get("last_updated"), "last_updated")


def _check_location(rules: ObjectRules, given: dict[str, Any], address: Address) -> None:
    if found := faults(rules, given, unknown_tolerated=True):
        raise Unreadable("; ".join(found))
    if given["id"] != address.location:
        raise Unreadable("the id in the body is not the one in the URL")
    party = (given.get("country_code"), given.get("party_id"))
    if "party_id" in rules.fields and party != (address.country, address.party):  # 2.1.1 has it in the URL only
        raise Unreadable("country_code and party_id in the body are not those in the URL")
    read_time(given.get("last_updated"), "last_updated")
    check_evses(given)


def check_evses(location: dict[str, Any]) -> None:
    """Demand of a Location that holds in itself that its EVSEs are different ones, and no newer than it is.

    Raises:
        Unreadable: they are not.
    """
    uids: set[str] = set()
    for evse in location.get("evses") or ():
        if evse["uid"] in uids:
            raise Unreadable(f"the EVSE {evse['uid']} is in it twice")
        uids.add(evse["uid"])
        _check_times_of_evse(evse)
        if parse_instant(evse["last_updated"]) > parse_instant(location["last_updated"]):
            raise Unreadable(
                f"its last_updated {location['last_updated']} is older than that of its EVSE {evse['uid']}, "
                f"{evse['last_updated']}"
            )
