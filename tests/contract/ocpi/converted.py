"""What is told of what was imported, checked against the version it is told in."""

from typing import Any

import pytest

from app.channels.ocpi.converting import evse_object, location_object
from app.channels.ocpi.fields import faults
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from app.domain.location import PublishedLocation
from tests.contract.ocpi.given import NOW, an_evse
from tests.contract.ocpi.published import published_evse, published_location

OLD, LATER, OPEN = RELEASES.values()
each_release = pytest.mark.parametrize("release", RELEASES.values(), ids=list(RELEASES))


def told(target: Release, imported: dict[str, Any] | None, version: str, **different: Any) -> dict[str, Any] | None:
    schedule = different.pop("schedule", ())
    evse = an_evse(ocpi_object=imported, ocpi_version=version, **different)
    return evse_object(target, evse, status=Status.INOPERATIVE, schedule=schedule, last_updated=NOW)


def evse_told(target: Release, source: str, /, **different: Any) -> dict[str, Any]:
    written = told(target, published_evse(source, **different), source)
    assert written is not None
    assert faults(target.objects.evse, written, unknown_tolerated=target.version == source) == []
    return written


def connector_told(target: Release, source: str, /, **different: Any) -> dict[str, Any] | None:
    connector = {**published_evse(source)["connectors"][0], **different}
    written = told(target, published_evse(source, connectors=[connector]), source)
    if written is None:
        return None
    (one,) = written["connectors"]
    assert isinstance(one, dict)
    return one


def location_or_none(target: Release, source: str, /, **different: Any) -> dict[str, Any] | None:
    published = published_location(source, **different)
    location = PublishedLocation(country="DE", party="XPO", id="L1", ocpi_object=published, ocpi_version=source)
    return location_object(target, location, last_updated=NOW)


def location_told(target: Release, source: str, /, **different: Any) -> dict[str, Any]:
    written = location_or_none(target, source, **different)
    assert written is not None
    assert faults(target.objects.location, written, unknown_tolerated=target.version == source) == []
    return written
