"""Whatever was imported, what goes out holds against the specification of the version it goes out in."""

import copy
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.channels.ocpi.converting import evse_object, location_object
from app.channels.ocpi.fields import ObjectRules, faults
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.periods import Period
from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from app.domain.location import PublishedLocation
from tests.contract.ocpi.generated import objects, odd
from tests.contract.ocpi.given import NOW, an_evse

sources = st.sampled_from(list(RELEASES.values()))
each_target = pytest.mark.parametrize("target", RELEASES.values(), ids=[f"to {one}" for one in RELEASES])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
# A loaded machine is slow to make an object of a hundred fields, which says nothing about what is made of it.
patient = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
SCHEDULE = (
    Period(NOW, NOW + timedelta(hours=1), Status.INOPERATIVE),
    Period(NOW + timedelta(days=1), None, Status.PLANNED),
)


def told_evse(target: Release, imported: Any, version: str | None, **different: Any) -> dict[str, Any] | None:
    before = copy.deepcopy(imported)
    evse = an_evse(ocpi_object=imported, ocpi_version=version, **different)
    told = evse_object(target, evse, status=Status.BLOCKED, schedule=SCHEDULE, last_updated=NOW)
    assert imported == before, "what was imported is never changed"
    return told


def told_location(target: Release, imported: Any, version: str, **evses: Any) -> dict[str, Any] | None:
    location = PublishedLocation(country="DE", party="XPO", id="L1", ocpi_object=imported, ocpi_version=version)
    return location_object(target, location, last_updated=NOW, **evses)


def assert_holds(rules: ObjectRules, told: dict[str, Any] | None, *, as_imported: bool) -> None:
    if told is not None:
        assert faults(rules, told, unknown_tolerated=as_imported) == []
        assert msgspec.json.decode(msgspec.json.encode(told)) == told


@each_target
@patient
@given(data=st.data(), source=sources)
def test_an_evse_is_told_without_faults(target: Release, source: Release, data: st.DataObject) -> None:
    imported = data.draw(odd(source.objects.evse))
    told = told_evse(target, imported, source.version)
    assert_holds(target.objects.evse, told, as_imported=source is target)
    if told is not None:
        assert told["uid"] == "1001-1"
        assert told["evse_id"] == "DE*XPO*E1001*1"
        assert told["status"] == "BLOCKED"
        assert told["last_updated"] == "2026-11-21T08:30:00.000Z"
        assert [one["status"] for one in told["status_schedule"]] == ["INOPERATIVE", "PLANNED"]


@each_target
@patient
@given(data=st.data(), source=sources)
def test_a_location_is_told_without_faults(target: Release, source: Release, data: st.DataObject) -> None:
    imported = data.draw(odd(source.objects.location))
    told = told_location(target, imported, source.version)
    assert_holds(target.objects.location, told, as_imported=source is target)
    if told is not None:
        assert "evses" not in told
        assert told["id"] == "L1"


@each_target
@patient
@given(
    imported=st.dictionaries(st.text(max_size=9), JUNK, max_size=4), version=st.sampled_from([*RELEASES, "2.2", "3.0"])
)
def test_any_json_object_is_told_without_faults_or_not_at_all(
    target: Release, imported: dict[str, Any], version: str
) -> None:
    assert_holds(target.objects.evse, told_evse(target, imported, version), as_imported=True)
    assert_holds(target.objects.location, told_location(target, imported, version), as_imported=True)


@each_target
@patient
@given(data=st.data())
def test_what_holds_is_told_as_it_was_imported_in_the_same_version(target: Release, data: st.DataObject) -> None:
    rules = target.objects.evse
    imported = {**data.draw(objects(rules)), "x_own": {"deep": [1, None]}}
    if faults(rules, imported, unknown_tolerated=True):
        return  # its fields contradict each other
    ours = {"uid", "evse_id", "status", "status_schedule", "last_updated"}
    told = told_evse(target, imported, target.version)
    assert told is not None
    assert {name: one for name, one in told.items() if name not in ours} == {
        name: one for name, one in imported.items() if name not in ours
    }


@each_target
@patient
@given(data=st.data())
def test_what_holds_in_the_older_of_the_later_versions_loses_nothing_in_the_newer(
    target: Release, data: st.DataObject
) -> None:
    source = RELEASES["2.2.1"]
    imported = data.draw(objects(source.objects.connector))
    told = told_evse(target, {"connectors": [imported]}, source.version)
    if target.version != "2.1.1":
        assert told is not None
        assert told["connectors"] == [imported]
