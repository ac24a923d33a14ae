"""What must hold between two pulls: nothing goes back in time, changes without a new time, or silently vanishes."""

from collections.abc import Iterator
from typing import Any

from app.channels.ocpi.emsp_view import View, read_time


def merged(before: View, delta: View) -> View:
    """Return what is known after a delta pull: the Locations in it whole, the others as before."""
    kept = {key: evse for key, evse in before.evses.items() if before.location_of[key] not in delta.locations}
    return View.of(
        {**before.locations, **delta.locations},
        {**kept, **delta.evses},
        {**{key: before.location_of[key] for key in kept}, **delta.location_of},
    )


def history_faults(before: View, delta: View) -> Iterator[str]:
    """Say in what the Locations of a delta pull do not follow upon what was known before."""
    changed = set()
    for key, evse in delta.evses.items():
        earlier = before.evses.get(key)
        if earlier is None or earlier != evse:
            changed.add(delta.location_of[key])
        yield from _not_after(f"EVSE {key}", earlier, evse)
    uids = {evse["uid"] for evse in delta.evses.values()}
    for key, evse in before.evses.items():
        # One that stands at another Location now is no longer at this one, and is not lost.
        if before.location_of[key] in delta.locations and key not in delta.evses and evse.get("uid") not in uids:
            yield f"EVSE {key} vanished, which is said by REMOVED only"
    for name, location in delta.locations.items():
        known = before.locations.get(name)
        yield from _not_after(f"Location {name}", known, location)
        if known is not None and name in changed and known["last_updated"] == location["last_updated"]:
            yield f"Location {name}: an EVSE changed, and last_updated is still {location['last_updated']}"
    known_at = {name: place for place, name in enumerate(before.locations)}
    places = [known_at.get(name, len(known_at)) for name in delta.locations]
    if places != sorted(places):  # the oldest come first, by creation
        yield "the Locations come in another order than before"


def _not_after(what: str, earlier: dict[str, Any] | None, now: dict[str, Any]) -> Iterator[str]:
    if earlier is None or earlier == now:
        return
    was, is_now = read_time(earlier["last_updated"]), read_time(now["last_updated"])
    if is_now < was:
        yield f"{what}: last_updated went back from {earlier['last_updated']} to {now['last_updated']}"
    elif is_now == was:
        yield f"{what}: changed, and last_updated is still {now['last_updated']}"
