"""The whole EVSE and the whole Location, as a partner gets them: what was imported, put into the words of its version.

To a partner of the version that it was imported in goes every field, unknown ones too; to another one the fields that
its version has. In either case without faults: see `fitting` for what is mended and what is left out. Pure and total.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from app.channels.ocpi.fitting import fitted, usable
from app.channels.ocpi.periods import Period
from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from app.channels.ocpi.zones import ZONE
from app.domain.evse import Evse, PublishedEvse
from app.domain.instant import rfc3339
from app.domain.location import PublishedLocation

#: The version that has no `publish`: what was imported in it is published, and what is not cannot be said in it.
_ALL_PUBLISHED: Final = "2.1.1"


def evse_object(
    release: Release, evse: Evse | PublishedEvse, *, status: Status, schedule: Sequence[Period], last_updated: datetime
) -> dict[str, Any] | None:
    """Write the EVSE with this status, this schedule and this `last_updated`; its ids are those it is registered under.

    `None` where the version cannot say it: nothing was imported, no connector is left, the uid is too long for it.
    A connector that the version cannot say is left out; one without a usable `last_updated` gets the EVSE's.
    """
    imported = evse.ocpi_object
    if imported is None:
        return None
    updated = rfc3339(last_updated)
    kept = {name: one for name, one in imported.items() if name not in {"evse_id", "status_schedule"}}
    named = {} if evse.evse_id is None else {"evse_id": evse.evse_id}
    said = {
        **kept,
        "uid": evse.uid,
        **named,
        "status": status.value,
        **({"status_schedule": [one.written() for one in schedule]} if schedule else {}),
        "connectors": _with_times(release, imported.get("connectors"), updated),
        "last_updated": updated,
    }
    return fitted(release.objects.evse, said, keep_unknown=evse.ocpi_version == release.version)


def location_object(
    release: Release,
    location: PublishedLocation,
    *,
    last_updated: datetime,
    evses: Sequence[dict[str, Any]] | None = None,
) -> dict[str, Any] | None:
    """Write the Location with this `last_updated`, around these EVSEs, which must be in the words of the same version.

    Without `evses` at all where they are `None`. What is required and was not imported is filled where that is honest:
    an address, a city, a postal code and a country with `#NA`, the time zone with that of a country that has just one.
    2.1.1 knows no `publish`. What was imported in it and is shared is published; and what is not to be published is not
    told to partners who could not know that.

    `None` then, and where the version cannot say it: no coordinates were imported, or the id is too long.
    """
    rules = release.objects.location
    said = {name: one for name, one in location.ocpi_object.items() if name != "evses"}
    said |= {"id": location.id, "last_updated": rfc3339(last_updated)}
    if "publish" in rules.fields:
        said |= {"country_code": location.country, "party_id": location.party, "publish": _published(location)}
    elif not _published(location):
        return None
    zone = rules.fields["time_zone"]
    if zone.required and not usable(zone.type, said.get("time_zone")):
        said["time_zone"] = ZONE.get(str(said.get("country")))
    if isinstance(hours := said.get("opening_times"), dict):
        said["opening_times"] = _with_choice(hours)
    written = fitted(rules, said, keep_unknown=location.ocpi_version == release.version)
    if written is None or evses is None:
        return written
    return {**written, "evses": list(evses)}


def _with_times(release: Release, connectors: Any, updated: str) -> Any:
    if not isinstance(connectors, list):
        return connectors
    time = release.objects.connector.fields["last_updated"].type
    return [
        {**one, "last_updated": updated} if isinstance(one, dict) and not usable(time, one.get("last_updated")) else one
        for one in connectors
    ]


def _published(location: PublishedLocation) -> bool:
    publish = location.ocpi_object.get("publish")
    if isinstance(publish, bool):
        return publish
    return location.ocpi_version == _ALL_PUBLISHED


def _with_choice(hours: dict[str, Any]) -> dict[str, Any]:
    """In 2.1.1 there is one of two: who has regular hours is not open around the clock. Later versions want it said."""
    if hours.get("twentyfourseven") is None and hours.get("regular_hours"):
        return {**hours, "twentyfourseven": False}
    return hours
