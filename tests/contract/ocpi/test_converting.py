"""What a partner of each version is told of an EVSE that was imported in another, and in its own."""

from typing import Any

import pytest

from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.periods import Period
from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from tests.contract.ocpi.converted import LATER, OLD, OPEN, connector_told, each_release, evse_told, location_told, told
from tests.contract.ocpi.given import NOW
from tests.contract.ocpi.published import EVSES, LOCATIONS, published_evse, published_location


@each_release
def test_a_partner_of_the_same_version_gets_what_was_imported_with_our_status(release: Release) -> None:
    own = {"x_own": {"deep": [1, None]}, "directions": [{"language": "de", "text": "a", "x_own": 1}]}
    assert evse_told(release, release.version, **own) == {
        **published_evse(release.version),
        **own,
        "status": "INOPERATIVE",
        "last_updated": "2026-11-21T08:30:00.000Z",
    }
    assert location_told(release, release.version, **own) == {
        **published_location(release.version),
        **own,
        "last_updated": "2026-11-21T08:30:00.000Z",
    }


@each_release
@pytest.mark.parametrize("source", RELEASES)
def test_another_version_gets_only_fields_that_it_has(release: Release, source: str) -> None:
    for written in (evse_told(release, source, x_own=1), location_told(release, source, x_own=1)):
        assert ("x_own" in written) is (source == release.version)


def test_2_2_1_in_2_1_1() -> None:
    evse = evse_told(OLD, "2.2.1")
    assert evse == {
        **EVSES["2.1.1"],
        "status": "INOPERATIVE",
        "last_updated": "2026-11-21T08:30:00.000Z",
    }
    location = location_told(OLD, "2.2.1")
    assert location == {**LOCATIONS["2.1.1"], "type": "OTHER", "last_updated": "2026-11-21T08:30:00.000Z"}


def test_2_1_1_in_2_2_1_and_2_3_0() -> None:
    for target in (LATER, OPEN):
        connector = connector_told(target, "2.1.1")
        assert connector is not None
        assert (connector["max_voltage"], connector["max_amperage"], connector["tariff_ids"]) == (400, 250, ["T1"])
        assert not {"voltage", "amperage", "tariff_id"} & connector.keys()
        location = location_told(target, "2.1.1")
        assert (location["country_code"], location["party_id"], location["publish"]) == ("DE", "XPO", True)
        assert location["parking_type"] == "PARKING_LOT"
        assert location["energy_mix"]["environ_impact"] == [{"category": "CARBON_DIOXIDE", "amount": 1.5}]
        assert "type" not in location


def test_2_3_0_in_2_2_1_loses_what_is_new_and_the_connector_that_has_no_word_there() -> None:
    evse = evse_told(LATER, "2.3.0")
    assert evse["capabilities"] == ["RFID_READER", "REMOTE_START_STOP_CAPABLE"]
    assert [one["id"] for one in evse["connectors"]] == ["1"]
    assert not {"parking", "accepted_service_providers"} & evse.keys()
    assert not {"parking_places", "help_phone"} & location_told(LATER, "2.3.0").keys()


def test_an_evse_without_a_connector_that_can_be_said_is_not_told_whole() -> None:
    assert connector_told(LATER, "2.3.0", standard="MCS") is None
    assert told(LATER, published_evse("2.2.1", connectors=[]), "2.2.1") is None
    assert told(LATER, published_evse("2.2.1", connectors={"id": "1"}), "2.2.1") is None
    assert told(LATER, {"uid": "1001-1"}, "2.2.1") is None
    assert told(LATER, None, "2.2.1") is None


def test_a_schedule_stands_in_it_and_none_leaves_no_field_behind() -> None:
    imported = published_evse("2.2.1", status_schedule=[{"period_begin": "2020-01-01T00:00:00Z", "status": "PLANNED"}])
    without, with_one = (
        told(LATER, imported, "2.2.1", schedule=schedule) for schedule in ((), (Period(NOW, None, Status.BLOCKED),))
    )
    assert without is not None
    assert with_one is not None
    assert "status_schedule" not in without
    assert with_one["status_schedule"] == [{"period_begin": "2026-11-21T08:30:00.000Z", "status": "BLOCKED"}]


def test_the_ids_are_those_it_is_registered_under() -> None:
    written = told(LATER, published_evse("2.2.1", uid="another", evse_id="no id"), "2.2.1", evse_id=None)
    assert written is not None
    assert written["uid"] == "1001-1"
    assert "evse_id" not in written


def test_a_uid_that_is_too_long_for_the_version_is_not_cut() -> None:
    uid = "x" * 39
    written = told(OLD, published_evse("2.1.1"), "2.1.1", uid=uid)
    assert written is not None
    assert written["uid"] == uid
    assert told(LATER, published_evse("2.1.1"), "2.1.1", uid=uid) is None


@pytest.mark.parametrize(
    ("imported", "then"),
    [
        ("2026-10-01T10:00:00", "2026-10-01T10:00:00"),
        ("2026-10-01T12:00:00+02:00", "2026-10-01T10:00:00.000Z"),
        ("2026-10-01T10:00:00.123456Z", "2026-10-01T10:00:00.123Z"),
        ("yesterday", "2026-11-21T08:30:00.000Z"),
        (None, "2026-11-21T08:30:00.000Z"),
    ],
)
def test_a_connector_keeps_its_own_time_where_it_has_one(imported: Any, then: str) -> None:
    connector = connector_told(LATER, "2.1.1", last_updated=imported)
    assert connector is not None
    assert connector["last_updated"] == then


def test_one_tariff_is_a_list_or_not_but_two_are_nothing_in_2_1_1() -> None:
    for tariffs, then in ((["T1"], "T1"), (["T1", "T2"], None), ([], None), (None, None)):
        connector = connector_told(OLD, "2.2.1", tariff_ids=tariffs)
        assert connector is not None
        assert connector.get("tariff_id") == then


def test_a_voltage_under_its_old_name_counts_in_the_version_that_renamed_it() -> None:
    written = connector_told(LATER, "2.2.1", max_voltage=None, voltage=230.0)
    assert written is not None
    assert written["max_voltage"] == 230


def test_a_voltage_is_not_taken_from_another_versions_field_where_it_has_its_own() -> None:
    written = connector_told(LATER, "2.2.1", max_voltage=400, voltage=230)
    assert written is not None
    assert written["max_voltage"] == 400


def test_half_a_volt_is_no_integer_and_is_not_made_one() -> None:
    assert connector_told(LATER, "2.2.1", max_voltage=400.5) is None


def test_a_list_of_which_nothing_can_be_said_is_left_out_and_an_empty_one_stays() -> None:
    assert "capabilities" not in evse_told(OLD, "2.2.1", capabilities=["PED_TERMINAL"])
    assert evse_told(OLD, "2.2.1", capabilities=[])["capabilities"] == []
