"""What of an import partners can never be told is said when it comes in, and not found out by drivers."""

from typing import Any

import msgspec
import pytest

from app.channels.ocpi.locations import read_locations
from app.channels.ocpi.release import Party
from app.channels.ocpi.sayable import remarks

CONNECTOR = {
    "id": "1",
    "standard": "CHADEMO",
    "format": "CABLE",
    "power_type": "DC",
    "max_voltage": 400,
    "max_amperage": 125,
}
LOCATION = {
    "country_code": "DE",
    "party_id": "XPO",
    "id": "L1",
    "publish": True,
    "address": "Ring 1",
    "city": "Larkenau",
    "country": "DEU",
    "coordinates": {"latitude": "54.051230", "longitude": "7.010450"},
    "time_zone": "Europe/Berlin",
    "last_updated": "2026-03-02T09:00:00Z",
}


def said_of(version: str = "2.2.1", evses: int = 1, connector: Any = CONNECTOR, **different: Any) -> list[str]:
    connectors = [connector] if connector else []
    location = {
        **LOCATION,
        "evses": [
            {
                "uid": f"{number}",
                "evse_id": f"DE*XPO*E{number}",
                "status": "AVAILABLE",
                "connectors": connectors,
                "last_updated": "2026-03-02T09:00:00Z",
            }
            for number in range(evses)
        ],
        **different,
    }
    read = read_locations(msgspec.json.encode([location]), version, Party("DE", "XPO"))
    return [f"{one.where}: {one.what}" for one in remarks(read)]


def test_what_can_be_told_as_it_is_gets_no_remark() -> None:
    assert said_of() == []
    assert said_of(x_vendor_note="kept") == [], "fields that nobody knows are passed on"


def test_an_evse_that_nobody_could_pull_is_named_with_the_reason() -> None:
    hidden = "location L1, EVSE 0: partners hear of its status only, and find it nowhere when they pull: "
    assert said_of(connector=None) == [f"{hidden}connectors: an empty list, but at least one is required"]
    without = {name: value for name, value in CONNECTOR.items() if name != "max_amperage"}
    assert said_of(connector=without) == [f"{hidden}connectors[].max_amperage: missing"]


def test_a_location_that_nobody_could_pull_is_named_with_the_reason() -> None:
    (said,) = said_of(coordinates=None)
    assert said.startswith("location L1: no partner can be told of it, nor of its EVSEs as a whole: coordinates: ")


def test_what_is_mended_or_left_out_is_named_too() -> None:
    assert said_of(postal_code=12345) == [
        "location L1: told to partners mended or without it: postal_code: a number instead of a string"
    ]


def test_what_many_have_in_common_is_said_once() -> None:
    (said,) = said_of(evses=40, connector={**CONNECTOR, "max_electric_power": "50000"})
    assert said.startswith("40 EVSEs, such as location L1, EVSE 0: told to partners mended or without it")


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_a_document_of_another_version_than_was_said_is_noticed(version: str) -> None:
    """As when 2.1.1 is imported without saying so."""
    old = {**CONNECTOR, "voltage": 400, "amperage": 125}
    del old["max_voltage"], old["max_amperage"]
    assert said_of("2.1.1", connector=old, type="ON_STREET", postal_code="00101") == []
    assert any("max_" in one or "mended" in one for one in said_of(version, connector=old, type="ON_STREET"))
