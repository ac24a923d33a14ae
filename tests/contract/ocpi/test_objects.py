"""What is said to be wrong about an object, in each version of OCPI."""

from typing import Any

import pytest

from app.channels.ocpi.fields import Field, ObjectRules, Text, faults
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from tests.contract.ocpi.published import published_evse, published_location

each_release = pytest.mark.parametrize("release", RELEASES.values(), ids=list(RELEASES))
LATER = RELEASES["2.2.1"]
OLD = RELEASES["2.1.1"]
OPEN = RELEASES["2.3.0"]


def wrong_with_evse(release: Release = LATER, /, **different: Any) -> list[str]:
    return faults(release.objects.evse, published_evse(release.version, **different))


def wrong_with_location(release: Release = LATER, /, **different: Any) -> list[str]:
    return faults(release.objects.location, published_location(release.version, **different))


@each_release
def test_what_a_good_backend_publishes_has_no_faults(release: Release) -> None:
    assert wrong_with_evse(release) == []
    assert wrong_with_location(release, evses=[published_evse(release.version)]) == []


@each_release
def test_another_version_is_not_this_one(release: Release) -> None:
    for other in RELEASES.values():
        if {release.version, other.version} in ({"2.1.1", "2.2.1"}, {"2.1.1", "2.3.0"}):
            assert faults(release.objects.evse, published_evse(other.version))
            assert faults(release.objects.location, published_location(other.version))


def test_what_holds_in_2_2_1_holds_in_2_3_0() -> None:
    assert faults(OPEN.objects.evse, published_evse("2.2.1")) == []
    assert faults(OPEN.objects.location, published_location("2.2.1")) == []


@pytest.mark.parametrize(
    ("release", "evse", "connector", "location"),
    [
        (
            OLD,
            "uid status connectors last_updated",
            "id standard format power_type voltage amperage last_updated",
            "id type address city postal_code country coordinates last_updated",
        ),
        *(
            (
                one,
                "uid status connectors last_updated",
                "id standard format power_type max_voltage max_amperage last_updated",
                "country_code party_id id publish address city country coordinates time_zone last_updated",
            )
            for one in (LATER, OPEN)
        ),
    ],
    ids=list(RELEASES),
)
def test_what_is_required_is_missed(release: Release, evse: str, connector: str, location: str) -> None:
    for rules, names in (
        (release.objects.evse, evse),
        (release.objects.connector, connector),
        (release.objects.location, location),
    ):
        assert faults(rules, {}) == [f"{name}: missing" for name in names.split()]


@each_release
def test_a_status_is_one_of_nine(release: Release) -> None:
    assert [wrong_with_evse(release, status=one.value) for one in Status] == [[]] * 9
    assert wrong_with_evse(release, status="OFFLINE") == ["status: 'OFFLINE' is no Status"]
    assert wrong_with_evse(release, status="available") == ["status: 'available' is no Status"]


@pytest.mark.parametrize(
    ("different", "fault"),
    [
        ({"uid": 3256}, "uid: a number instead of a CiString"),
        ({"uid": None}, "uid: null, but required"),
        ({"uid": ""}, "uid: empty, but required"),
        ({"uid": "x" * 37}, "uid: 37 characters, more than a CiString's 36"),
        ({"uid": "Tür"}, "uid: a CiString holds printable ASCII only"),
        ({"floor_level": "a\tb"}, "floor_level: holds a control character"),
        ({"connectors": []}, "connectors: an empty list, but at least one is required"),
        ({"connectors": {}}, "connectors: an object instead of a list"),
        ({"connectors": ["1"]}, "connectors[0]: a string instead of an object"),
        ({"capabilities": "RESERVABLE"}, "capabilities: a string instead of a list"),
        ({"capabilities": ["RESERVABLE", "FLYING"]}, "capabilities[1]: 'FLYING' is no Capability"),
        ({"capabilities": [None]}, "capabilities[0]: null instead of a Capability"),
        ({"coordinates": {"longitude": "3.729944"}}, "coordinates.latitude: missing"),
        ({"directions": [{"language": "de"}]}, "directions[0].text: missing"),
        ({"status_schedule": {}}, "status_schedule: an object instead of a list"),
        ({"status_schedule": [{"period_begin": "2026-11-21T08:30:00Z"}]}, "status_schedule[0].status: missing"),
        ({"floor": -1}, "floor: EVSE has no such field"),
    ],
)  # fmt: skip
def test_a_fault_is_said_with_its_path(different: dict[str, Any], fault: str) -> None:
    (found,) = wrong_with_evse(**different)
    assert found == fault


@pytest.mark.parametrize(
    ("value", "fault"),
    [(True, "a boolean"), ("400", "a string"), (400.5, "a number"), (None, "null"), ([400], "a list")],
)
def test_a_voltage_is_an_integer(value: Any, fault: str) -> None:
    connector = {**published_evse("2.2.1")["connectors"][0], "max_voltage": value}
    (found,) = faults(LATER.objects.location, {**published_location("2.2.1"), "evses": [published_evse("2.2.1")] * 2 + [
        published_evse("2.2.1", connectors=[connector])
    ]})  # fmt: skip
    assert found.startswith(f"evses[2].connectors[0].max_voltage: {fault}")


@pytest.mark.parametrize(
    "time",
    ["2026-11-21T08:30:00Z", "2026-11-21T08:30:00", "2026-11-21T08:30:00.123Z", "2028-02-29T00:00:00Z"],
)
@each_release
def test_a_time_is_utc_and_may_leave_out_that_it_is(release: Release, time: str) -> None:
    assert wrong_with_evse(release, last_updated=time) == []


@pytest.mark.parametrize(
    "time",
    [
        *("2026-11-21T08:30:00+00:00", "2026-11-21T09:30:00+01:00", "2026-11-21 08:30:00Z", "2026-11-21T08:30Z"),
        *("2026-11-21T08:30:00.123456Z", "2027-02-29T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21", "", 1763713800),
        *("2026-11-21T08:30:00z", "\uff12026-11-21T08:30:00Z"),
    ],
)  # fmt: skip
@each_release
def test_any_other_time_is_none(release: Release, time: Any) -> None:
    (found,) = wrong_with_evse(release, last_updated=time)
    assert found.startswith("last_updated: ")


def test_coordinates_have_six_decimals_in_2_1_1_and_five_to_seven_later() -> None:
    for decimals, old, later in (("04759", 1, 0), ("047599", 0, 0), ("0475991", 1, 0), ("0475", 1, 1)):
        coordinates = {"latitude": f"51.{decimals}", "longitude": f"-3.{decimals}"}
        assert len(wrong_with_evse(OLD, coordinates=coordinates)) == 2 * old
        assert len(wrong_with_evse(LATER, coordinates=coordinates)) == 2 * later
    assert wrong_with_evse(coordinates={"latitude": "151.047599", "longitude": "3.729944"}) != []


def test_2_1_1_has_no_umlauts_and_ids_of_39_characters() -> None:
    assert wrong_with_location(OLD, city="Köln") == ["city: a string holds printable ASCII only"]
    assert wrong_with_location(LATER, city="Köln") == []
    assert wrong_with_evse(OLD, uid="x" * 39) == []
    assert wrong_with_evse(OLD, uid="x" * 40) == ["uid: 40 characters, more than a string's 39"]


def test_an_address_may_be_longer_than_it_was() -> None:
    assert wrong_with_location(OLD, address="x" * 46) == ["address: 46 characters, more than a string's 45"]
    assert wrong_with_location(LATER, address="x" * 255) == []
    assert wrong_with_location(OPEN, address="x" * 256) == ["address: 256 characters, more than a string's 255"]


def test_only_2_3_0_takes_words_that_are_not_listed_and_only_where_it_says_so() -> None:
    assert wrong_with_evse(OPEN, parking_restrictions=["X_OWN"]) == []
    assert wrong_with_evse(LATER, parking_restrictions=["X_OWN"]) != []
    assert wrong_with_evse(OPEN, parking=[{"parking_id": "1", "evse_position": "ABOVE"}]) != []
    assert wrong_with_evse(OPEN, parking_restrictions=[""]) != []


def test_unknown_fields_can_be_tolerated_at_any_depth() -> None:
    evse = published_evse("2.2.1", x_own=1, directions=[{"language": "de", "text": "a", "x_own": {}}])
    assert faults(LATER.objects.evse, evse) == [
        "directions[0].x_own: DisplayText has no such field",
        "x_own: EVSE has no such field",
    ]
    assert faults(LATER.objects.evse, evse, unknown_tolerated=True) == []


def test_a_patch_may_leave_fields_out_but_not_of_what_it_holds() -> None:
    patch = {"status": "BLOCKED", "last_updated": "2026-11-21T08:30:00Z"}
    assert faults(LATER.objects.evse, patch, partial=True) == []
    assert faults(LATER.objects.evse, {**patch, "status": None}, partial=True) == ["status: null, but required"]
    assert "connectors[0].id: missing" in faults(LATER.objects.evse, {"connectors": [{}]}, partial=True)


def test_a_path_begins_where_it_is_told_to() -> None:
    assert faults(LATER.objects.evse, [], "data.evses[3]") == ["data.evses[3]: a list instead of an object"]
    assert faults(LATER.objects.evse, {}, "data.evses[3]")[0] == "data.evses[3].uid: missing"
    assert faults(LATER.objects.evse, None) == ["EVSE: null instead of an object"]


@pytest.mark.parametrize(
    ("different", "fault"),
    [
        ({"opening_times": {"twentyfourseven": False}}, "opening_times.regular_hours: none, though"),
        (
            {"opening_times": {"twentyfourseven": False, "regular_hours": [
                {"weekday": 1, "period_begin": "20:00", "period_end": "08:00"}]}},
            "opening_times.regular_hours[0].period_end: not later",
        ),
        (
            {"opening_times": {"twentyfourseven": False, "regular_hours": [
                {"weekday": 8, "period_begin": "08:00", "period_end": "24:00"}]}},
            "opening_times.regular_hours[0].weekday: outside 1 to 7",
        ),
        ({"publish_allowed_to": [{"group_id": "1"}]}, "publish_allowed_to: only where it is not published"),
        ({"publish": False, "publish_allowed_to": [{"uid": "1"}]}, "publish_allowed_to[0].type: missing, though uid"),
        ({"publish": False, "publish_allowed_to": [{}]}, "publish_allowed_to[0].uid: missing, and so"),
        ({"images": [{"url": "https://a/ü", "category": "OTHER", "type": "png"}]}, "images[0].url: a URL holds"),
        ({"images": [{"url": "u", "category": "OTHER", "type": "png", "width": 100_000}]}, "images[0].width: outside"),
        ({"energy_mix": {"is_green_energy": 1}}, "energy_mix.is_green_energy: a number instead of a boolean"),
    ],
)  # fmt: skip
def test_what_fields_demand_of_each_other_is_asked_too(different: dict[str, Any], fault: str) -> None:
    assert wrong_with_location(**different)[0].startswith(fault)


def test_every_string_but_one_has_a_length() -> None:
    def lengthless(rules: ObjectRules, path: str) -> list[str]:
        found = []
        for name, field in rules.fields.items():
            match field:
                case Field(type=ObjectRules() as inner):
                    found += lengthless(inner, f"{path}.{name}")
                case Field(type=Text(longest=None)):
                    found.append(f"{path}.{name}")
        return found

    assert [lengthless(one.objects.location, version) for version, one in RELEASES.items()] == [
        [],
        [],
        ["2.3.0.parking_places.apds_reference"],
    ]
