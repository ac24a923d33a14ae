"""What a partner of each version is told of a Location that was imported in another, and in its own."""

from typing import Any

import pytest

from app.channels.ocpi.converting import location_object
from app.channels.ocpi.release import Release
from app.domain.location import PublishedLocation
from tests.contract.ocpi.converted import LATER, OLD, OPEN, each_release, evse_told, location_or_none, location_told
from tests.contract.ocpi.given import NOW
from tests.contract.ocpi.published import published_location


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
    location = location_told(LATER, "2.2.1", coordinates={"latitude": "52.0", "longitude": "7"})
    assert location["coordinates"] == {"latitude": "52.000000", "longitude": "7.000000"}, "rather than to lose the site"


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


def test_tokens_that_may_see_it_are_of_no_use_where_everybody_may() -> None:
    assert "publish_allowed_to" not in location_told(LATER, "2.2.1", publish_allowed_to=[{"group_id": "G"}])


def test_evses_that_were_imported_with_it_are_not_told() -> None:
    assert "evses" not in location_told(LATER, "2.2.1", evses=[{"uid": "imported"}])
