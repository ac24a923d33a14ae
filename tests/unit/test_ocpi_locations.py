"""Reading OCPI Locations documents as backends really publish them."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import app.demo
from app.channels.ocpi.locations import LocationsUnreadable, Quirk, Read, parse_party, read_locations
from app.domain.evse import PublishedEvse
from app.domain.evse_id import parse_evse_id
from app.domain.location import PublishedLocation

FLEET = Path(app.demo.__file__).with_name("fleet.json")


def evse(uid: str = "1", **different: Any) -> dict[str, Any]:
    return {
        "uid": uid,
        "evse_id": f"DE*XPO*E{uid}",
        "status": "AVAILABLE",
        "connectors": [{"id": "1", "standard": "IEC_62196_T2"}],
        "last_updated": "2026-03-02T09:00:00Z",
        **different,
    }


def location(*evses: Any, **different: Any) -> dict[str, Any]:
    head = {"country_code": "DE", "party_id": "XPO", "id": "L1", "publish": True, "evses": list(evses)}
    return {**head, **different}


def place(**different: Any) -> PublishedLocation:
    """What is to be kept of `location(...)` itself."""
    head = without(location(**different), "evses")
    return PublishedLocation(
        country=head["country_code"],
        party=head["party_id"],
        id=head["id"],
        ocpi_object=head,
        ocpi_version="2.2.1",
    )


def without(source: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in source.items() if name != field}


def read(*locations: Any) -> Read:
    return read_locations(msgspec.json.encode(locations))


def only(*locations: Any) -> tuple[PublishedEvse, Quirk]:
    """Read what must be one EVSE with one quirk."""
    found = read(*locations)
    assert len(found.evses) == 1, found
    assert len(found.quirks) == 1, found
    return found.evses[0], found.quirks[0]


def skipped(*locations: Any) -> Quirk:
    """Read what must be no EVSE and one quirk."""
    found = read(*locations)
    assert found.evses == ()
    assert len(found.quirks) == 1, found
    return found.quirks[0]


def test_a_right_document_is_read_without_a_word() -> None:
    assert read(location(evse())) == Read(
        (
            PublishedEvse(
                evse_id="DE*XPO*E1",
                country="DE",
                party="XPO",
                uid="1",
                location="L1",
                published=True,
                status="AVAILABLE",
                observed_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
                ocpi_object=evse(),
            ),
        ),
        (),
        (place(),),
    )


@pytest.mark.parametrize("code", [None, 1000, 1001])
def test_an_ocpi_answer_is_read_for_its_data(code: int | None) -> None:
    answer = {"data": [location(evse())], "status_code": code, "timestamp": "2026-03-02T09:00:00Z"}
    if code is None:
        del answer["status_code"]
    assert len(read_locations(msgspec.json.encode(answer)).evses) == 1


def test_a_byte_order_mark_does_no_harm() -> None:
    assert len(read_locations(b"\xef\xbb\xbf" + msgspec.json.encode([location(evse())])).evses) == 1


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "not JSON"),
        (b"uid;status", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe[\x00]\x00", "not JSON"),
        (b"1", "expected a JSON array of Locations"),
        (b"{}", "expected a JSON array of Locations"),
        (b'{"data": null}', "expected a JSON array of Locations"),
        (b'{"id": "L1", "evses": []}', "expected a JSON array of Locations"),
        (b'{"status_code": 2001, "status_message": "bad token", "data": []}', "2001: bad token"),
        (b'{"status_code": "1000", "data": []}', "says no"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_is_no_locations_document_is_refused_with_the_reason(document: bytes, why: str) -> None:
    with pytest.raises(LocationsUnreadable, match=re.escape(why)):
        read_locations(document)


def test_unknown_fields_and_connectors_are_kept() -> None:
    odd = evse(accepted_service_providers=["somebody"], vendor={"deep": [1, None, True]})
    assert read(location(odd)).evses[0].ocpi_object == odd


def test_empty_strings_are_left_out_and_reported_once_for_each_field() -> None:
    connector = {"id": "1", "standard": "IEC_62196_T2", "terms_and_conditions": ""}
    found = read(
        location(
            evse("1", physical_reference="", connectors=[connector]),
            evse("2", physical_reference="", floor_level=""),
        )
    )
    kept = [one.ocpi_object for one in found.evses]
    assert kept == [evse("1"), evse("2")]
    assert {(quirk.where, re.sub(r"\D", "", quirk.what)) for quirk in found.quirks} == {
        ("EVSE.physical_reference", "2"),
        ("EVSE.floor_level", "1"),
        ("EVSE.connectors.terms_and_conditions", "1"),
    }


def test_an_evse_without_evse_id_is_kept_and_reported() -> None:
    one, quirk = only(location(without(evse(), "evse_id")))
    assert (one.uid, one.evse_id) == ("1", None)
    assert quirk.where == "location L1, EVSE 1"
    assert "has no evse_id" in quirk.what


@pytest.mark.parametrize("written", ["XPO-1", "DE*XPO*1", "DE*XPO*E" + "1" * 60, 17])
def test_a_malformed_evse_id_is_reported_and_not_used(written: Any) -> None:
    one, quirk = only(location(evse(evse_id=written)))
    assert one.evse_id is None
    assert "is no EVSE ID" in quirk.what
    assert one.ocpi_object["evse_id"] == written


@pytest.mark.parametrize("word", ["available", "Available", "OFFLINE", "", None, 5, ["AVAILABLE"]])
def test_a_status_that_ocpi_lacks_is_unknown_and_reported(word: Any) -> None:
    found = read(location(evse(status=word)))
    assert found.evses[0].status == "UNKNOWN"
    assert any("taken as UNKNOWN" in quirk.what for quirk in found.quirks)


def test_removed_is_passed_on_and_may_have_lost_its_evse_id() -> None:
    found = read(location(without(evse(status="REMOVED"), "evse_id")))
    assert (found.evses[0].status, found.evses[0].evse_id, found.quirks) == ("REMOVED", None, ())


def test_a_uid_that_occurs_twice_counts_once_whatever_its_case_and_location() -> None:
    one, quirk = only(location(evse("a")), location(evse("A", evse_id="DE*XPO*E2"), id="L2"))
    assert (one.uid, one.location) == ("a", "L1")
    assert quirk.where == "location L2, EVSE A"
    assert "twice" in quirk.what


def test_two_parties_may_have_the_same_uid() -> None:
    found = read(location(evse("a")), location(evse("a", evse_id="DE*OTH*E1"), party_id="OTH"))
    assert [one.party for one in found.evses] == ["XPO", "OTH"]
    assert found.quirks == ()


def test_an_evse_id_that_occurs_twice_stays_with_the_first() -> None:
    found = read(location(evse("1"), evse("2", evse_id="de*xpo*e1")))
    assert [one.evse_id for one in found.evses] == ["DE*XPO*E1", None]
    assert "twice" in found.quirks[0].what


def test_a_removed_evse_may_share_its_evse_id_with_its_successor() -> None:
    found = read(location(evse("1", status="REMOVED"), evse("2", evse_id="DE*XPO*E1")))
    assert [one.evse_id for one in found.evses] == ["DE*XPO*E1", "DE*XPO*E1"]
    assert found.quirks == ()


@pytest.mark.parametrize("uid", [None, "", " ", 17, "a\nb"])
def test_an_evse_that_cannot_be_told_apart_is_skipped(uid: Any) -> None:
    quirk = skipped(location(evse(uid=uid)))
    assert quirk.where == "location L1, EVSE 1"
    assert "no uid" in quirk.what


@pytest.mark.parametrize(
    ("odd", "where", "what"),
    [
        (without(location(evse()), "id"), "location 1", "has no id"),
        (location(evse(), id=""), "location 1", "has no id"),
        (without(location(evse()), "country_code"), "location L1", "country_code"),
        (location(evse(), party_id="XP"), "location L1", "party_id"),
        (location(evse(), country_code="DEU"), "location L1", "country_code"),
        (location(evses="none"), "location L1", "not a list"),
        (location("1001"), "location L1, EVSE 1", "not an object"),
        ("L1", "location 1", "not an object"),
    ],
    ids=lambda one: str(one)[:60],
)
def test_what_cannot_be_addressed_is_skipped_and_reported(odd: Any, where: str, what: str) -> None:
    quirk = skipped(odd)
    assert quirk.where == where
    assert what in quirk.what
    assert "skipped" in quirk.what


def test_a_location_without_evses_is_nothing_odd() -> None:
    found = read(location(evses=None), without(location(id="L2"), "evses"), location(id="L3"))
    assert found == Read((), (), (place(), place(id="L2"), place(id="L3")))


def test_an_unpublished_location_says_so() -> None:
    assert read(location(evse(), publish=False)).evses[0].published is False


@pytest.mark.parametrize("publish", [None, "true", 1])
def test_a_location_that_does_not_say_whether_it_is_published_is_not(publish: Any) -> None:
    one, quirk = only(location(evse(), publish=publish))
    assert one.published is False
    assert "publish" in quirk.what


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-03-02T09:00:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-03-02T09:00:00.1234", datetime(2026, 3, 2, 9, 0, 0, 123000, tzinfo=UTC)),
        ("2026-03-02T09:00:00+01:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
    ],
)
def test_times_are_utc_with_or_without_z(written: str, expected: datetime) -> None:
    found = read(location(evse(last_updated=written)))
    assert found.evses[0].observed_at == expected
    assert found.quirks == ()


@pytest.mark.parametrize("written", [None, "yesterday", 1772442000, "2026-02-30T09:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_not_known_and_reported(written: Any) -> None:
    one, quirk = only(location(evse(last_updated=written)))
    assert one.observed_at is None
    assert "last_updated" in quirk.what


def test_the_demo_fleet_is_right_in_every_respect() -> None:
    found = read_locations(FLEET.read_bytes())
    assert found.quirks == ()
    assert len(found.evses) == 40
    assert len({one.location for one in found.evses}) == 4
    assert {(one.country, one.party) for one in found.evses} == {("DE", "XPO")}
    assert {one.status for one in found.evses} == {"AVAILABLE", "CHARGING", "OUTOFORDER"}
    for one in found.evses:
        assert one.evse_id is not None
        assert parse_evse_id(one.evse_id).operator == "DEXPO"


def test_the_demo_fleet_has_every_field_that_ocpi_demands() -> None:
    required = {
        "location": "country_code party_id id publish address city country coordinates time_zone last_updated",
        "evse": "uid status connectors last_updated",
        "connector": "id standard format power_type max_voltage max_amperage last_updated",
    }
    for site in msgspec.json.decode(FLEET.read_bytes()):
        assert set(required["location"].split()) <= site.keys()
        for one in site["evses"]:
            assert set(required["evse"].split()) <= one.keys()
            assert one["connectors"]
            for connector in one["connectors"]:
                assert set(required["connector"].split()) <= connector.keys()


# Locations themselves, and other versions


def terse(*evses: Any, **different: Any) -> dict[str, Any]:
    """A Location as in 2.1.1: whose it is, and whether it is published, is not said."""
    return {"id": "L1", "type": "ON_STREET", "evses": list(evses), **different}


def read_terse(*locations: Any, party: str | None = "DE*XPO") -> Read:
    return read_locations(msgspec.json.encode(locations), "2.1.1", None if party is None else parse_party(party))


def test_a_location_is_kept_with_unknown_fields_and_without_its_evses_and_empty_texts() -> None:
    found = read(location(evse(), name="", x_own={"a": [1], "b": ""}, directions=[{"language": "en", "text": ""}]))
    assert [one.ocpi_object for one in found.locations] == [
        {**without(location(), "evses"), "x_own": {"a": [1]}, "directions": [{"language": "en"}]}
    ]
    assert [quirk.where for quirk in found.quirks] == ["Location.name", "Location.x_own.b", "Location.directions.text"]


def test_of_a_location_that_occurs_twice_the_first_counts_and_the_evses_of_both() -> None:
    found = read(location(evse("1"), name="first"), location(evse("2"), name="second"))
    assert [one.ocpi_object["name"] for one in found.locations] == ["first"]
    assert [one.uid for one in found.evses] == ["1", "2"]
    assert [quirk.where for quirk in found.quirks] == ["location L1"]
    assert len(read(location(), location(party_id="ABC")).locations) == 2


def test_what_is_skipped_is_no_location() -> None:
    for bad in (location(country_code="Germany"), location(evses="none"), without(location(), "id"), "L1"):
        assert read(bad).locations == ()


def test_2_1_1_is_published_and_belongs_to_the_party_that_is_named() -> None:
    found = read_terse(terse(evse()))
    assert found.quirks == ()
    (place,), (one,) = found.locations, found.evses
    assert (place.key, place.ocpi_version) == (("DE", "XPO", "L1"), "2.1.1")
    assert place.ocpi_object == {"id": "L1", "type": "ON_STREET"}
    assert (one.country, one.party, one.published, one.ocpi_version) == ("DE", "XPO", True, "2.1.1")


def test_2_1_1_without_a_party_cannot_be_read_and_says_what_to_do() -> None:
    with pytest.raises(LocationsUnreadable, match="--party"):
        read_terse(terse(evse()), party=None)
    said = read_terse(terse(evse(), country_code="NL", party_id="ABC"), party=None)
    assert [one.key for one in said.locations] == [("NL", "ABC", "L1")]


def test_in_later_versions_the_party_is_only_for_those_that_lack_theirs() -> None:
    lacking = without(without(location(id="L2"), "country_code"), "party_id")
    data = msgspec.json.encode([location(), lacking])
    found = read_locations(data, "2.3.0", parse_party("nl-abc"))
    assert [one.key for one in found.locations] == [("DE", "XPO", "L1"), ("NL", "ABC", "L2")]
    assert {one.ocpi_version for one in found.locations} == {"2.3.0"}
    assert "publish" in only(without(location(evse()), "publish"))[1].what


@pytest.mark.parametrize("text", ["", "DE", "DEXPO1", "D*XPO", "DE**XPO", "DE*XPO\n", "Ü1*XPO"])
def test_what_is_no_party_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"DE\*XPO"):
        parse_party(text)
