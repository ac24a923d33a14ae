"""What a partner of each version is told of what was imported in another, and in its own."""

from typing import Any

import pytest

from app.channels.ocpi.converting import evse_object, location_object
from app.channels.ocpi.fields import faults
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.periods import Period
from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from app.domain.location import PublishedLocation
from tests.contract.ocpi.given import NOW, an_evse
from tests.contract.ocpi.published import EVSES, LOCATIONS, published_evse, published_location

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


@pytest.mark.parametrize(
    ("imported", "then"),
    [("ON_DRIVEWAY", "OTHER"), ("ON_STREET", "ON_STREET"), (None, "UNKNOWN"), (3, "UNKNOWN")],
)
def test_a_parking_type_has_a_word_in_2_1_1(imported: Any, then: str) -> None:
    assert location_told(OLD, "2.2.1", parking_type=imported)["type"] == then


@pytest.mark.parametrize("word", ["OTHER", "UNKNOWN"])
def test_a_type_that_says_nothing_is_no_parking_type(word: str) -> None:
    for target in (LATER, OPEN):
        assert "parking_type" not in location_told(target, "2.1.1", type=word)


def test_what_is_required_is_filled_where_that_is_honest() -> None:
    location = location_told(OLD, "2.2.1", address=None, city="", postal_code=None, country=None)
    assert [location[name] for name in ("address", "city", "postal_code", "country")] == ["#NA"] * 4
    assert location_or_none(LATER, "2.2.1", coordinates=None) is None


@pytest.mark.parametrize(
    ("country", "zone", "then"),
    [
        ("DEU", None, "Europe/Berlin"),
        ("ESP", None, "#NA"),
        ("DEU", "Europe/Busingen", "Europe/Busingen"),
        ("DEU", 1, "Europe/Berlin"),
        (["DEU"], None, "#NA"),
    ],
)
def test_a_time_zone_that_was_not_said_is_that_of_a_country_with_one_zone(country: Any, zone: Any, then: str) -> None:
    assert location_told(LATER, "2.1.1", country=country, time_zone=zone)["time_zone"] == then


def test_what_is_not_published_is_not_told_to_those_who_could_not_know() -> None:
    assert location_or_none(OLD, "2.2.1", publish=False) is None
    assert location_or_none(OLD, "2.2.1", publish=None) is None
    assert location_told(LATER, "2.3.0", publish=False)["publish"] is False
    assert location_told(LATER, "2.2.1", publish="yes")["publish"] is False


def test_a_token_that_may_see_it_loses_no_field_or_is_left_out() -> None:
    allowed = [{"visual_number": "1", "issuer": "A", "group_id": "x" * 37}, {"group_id": "G"}]
    location = location_told(
        LATER, "2.3.0", publish=False, publish_allowed_to=[*allowed, {"uid": "1", "type": "EMAID"}]
    )
    assert location["publish_allowed_to"] == [{"group_id": "G"}]


def test_opening_times_are_told_all_or_not_at_all() -> None:
    monday = {"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}
    for hours, then in (
        ({"regular_hours": [monday]}, {"regular_hours": [monday], "twentyfourseven": False}),
        ({"regular_hours": [monday, {**monday, "weekday": 9}]}, None),
        ({"twentyfourseven": True, "exceptional_closings": [{"period_begin": "Christmas"}]}, None),
        ({"exceptional_closings": []}, None),
        (
            {
                "twentyfourseven": True,
                "exceptional_closings": [
                    {"period_begin": "2026-12-24T12:00:00+01:00", "period_end": "2026-12-24T23:00:00+01:00"}
                ],
            },
            {
                "twentyfourseven": True,
                "exceptional_closings": [
                    {"period_begin": "2026-12-24T11:00:00.000Z", "period_end": "2026-12-24T22:00:00.000Z"}
                ],
            },
        ),
    ):
        assert location_told(LATER, "2.1.1", opening_times=hours).get("opening_times") == then


def test_coordinates_get_the_decimals_that_the_version_wants() -> None:
    location = location_told(OLD, "2.2.1", coordinates={"latitude": "51.04759", "longitude": "-3.7299447"})
    assert location["coordinates"] == {"latitude": "51.047590", "longitude": "-3.729944"}


def test_prose_is_cut_and_written_plainly_but_no_other_string_is() -> None:
    location = location_told(OLD, "2.2.1", address="Große Straße\n3 \u2013 «Łódź»", name="Αθήνα", postal_code="x" * 11)
    assert location["address"] == 'Grosse Strasse 3 - "Lodz"'
    assert "name" not in location
    assert location["postal_code"] == "#NA"
    assert location_told(LATER, "2.2.1", address="ü" * 300)["address"] == "ü" * 255
    assert "floor_level" not in evse_told(LATER, "2.2.1", floor_level="Parkdeck")


@each_release
def test_its_evses_go_into_it_and_only_where_they_are_given(release: Release) -> None:
    version = release.version
    published = published_location(version, evses=[{"uid": "imported"}])
    location = PublishedLocation(country="DE", party="XPO", id="L1", ocpi_object=published, ocpi_version=version)
    evse = evse_told(release, version)
    without = location_object(release, location, last_updated=NOW)
    assert without is not None
    assert "evses" not in without
    for evses in ([], [evse]):
        assert location_object(release, location, last_updated=NOW, evses=evses) == {**without, "evses": evses}
