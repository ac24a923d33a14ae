"""What the simulated eMSP says no to though it is right, and no fault of its own."""

from collections.abc import Collection
from typing import Any

from litestar import Response

from app.channels.ocpi.emsp_answers import NO_SCHEDULES, NO_UID, UNKNOWN_LOCATION, Reply, unprocessable
from app.channels.ocpi.emsp_behaviour import Behaviour
from app.channels.ocpi.emsp_body import Change
from app.channels.ocpi.emsp_records import Records


def refusal(
    change: Change, behaviour: Behaviour, records: Records, known: Collection[str] | None
) -> Reply | Response[Any] | None:
    """Return its no; `known` are the EVSEs that may be patched, all where it is `None`."""
    patches = change.kind.startswith("PATCH")
    if patches and behaviour.demands_uid and "uid" not in change.body:
        return NO_UID
    if behaviour.rejects_schedules and any("status_schedule" in evse for _, evse in change.evses()):
        return unprocessable() if behaviour.rejects_schedules == "422" else NO_SCHEDULES
    if patches and known is not None and change.key not in known:
        return UNKNOWN_LOCATION
    if change.kind == "PUT evse" and behaviour.strict_locations:
        location = change.address.location
        if location not in records.locations and not any(key.startswith(f"{location}/") for key in known or ()):
            return UNKNOWN_LOCATION
    return None
