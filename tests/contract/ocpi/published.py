"""What a backend publishes in each version: written for these tests, and right in that version."""

import copy
from typing import Any, Final

_CONNECTOR: Final[dict[str, Any]] = {
    "id": "1",
    "standard": "IEC_62196_T2_COMBO",
    "format": "CABLE",
    "power_type": "DC",
    "terms_and_conditions": "https://cpo.example/terms",
    "last_updated": "2026-10-01T10:00:00Z",
}
_EVSE: Final[dict[str, Any]] = {
    "uid": "1001-1",
    "evse_id": "DE*XPO*E1001*1",
    "status": "AVAILABLE",
    "capabilities": ["RFID_READER", "REMOTE_START_STOP_CAPABLE"],
    "floor_level": "-1",
    "physical_reference": "A1",
    "directions": [{"language": "de", "text": "Gleich hinter der Einfahrt"}],
    "parking_restrictions": ["EV_ONLY"],
    "last_updated": "2026-10-01T10:00:00Z",
}
_LOCATION: Final[dict[str, Any]] = {
    "id": "L1",
    "name": "Larkenau",
    "address": "Hafenweg 3",
    "city": "Larkenau",
    "postal_code": "12345",
    "country": "DEU",
    "coordinates": {"latitude": "51.047599", "longitude": "3.729944"},
    "operator": {"name": "Example Power", "website": "https://cpo.example"},
    "facilities": ["CAFE", "WIFI"],
    "time_zone": "Europe/Berlin",
    "opening_times": {
        "twentyfourseven": False,
        "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
        "exceptional_closings": [{"period_begin": "2026-12-24T12:00:00Z", "period_end": "2026-12-26T22:00:00Z"}],
    },
    "last_updated": "2026-10-01T10:00:00Z",
}
_OLD_CONNECTOR: Final = {**_CONNECTOR, "voltage": 400, "amperage": 250, "tariff_id": "T1"}
_NEW_CONNECTOR: Final = {
    **_CONNECTOR,
    "max_voltage": 400,
    "max_amperage": 250,
    "max_electric_power": 100_000,
    "tariff_ids": ["T1"],
}

EVSES: Final[dict[str, dict[str, Any]]] = {
    "2.1.1": {**_EVSE, "connectors": [_OLD_CONNECTOR]},
    "2.2.1": {**_EVSE, "capabilities": [*_EVSE["capabilities"], "PED_TERMINAL"], "connectors": [_NEW_CONNECTOR]},
    "2.3.0": {
        **_EVSE,
        "capabilities": [*_EVSE["capabilities"], "X_OWN_CAPABILITY"],
        "connectors": [
            {**_NEW_CONNECTOR, "capabilities": ["ISO_15118_20_PLUG_AND_CHARGE"]},
            {**_NEW_CONNECTOR, "id": "2", "standard": "MCS"},
        ],
        "parking": [{"parking_id": "P1", "evse_position": "LEFT"}],
        "accepted_service_providers": ["Example Mobility"],
    },
}
_NEW_LOCATION: Final = {
    **_LOCATION,
    "country_code": "DE",
    "party_id": "XPO",
    "publish": True,
    "state": "Lower Example",
    "parking_type": "ON_DRIVEWAY",
    "energy_mix": {"is_green_energy": True, "environ_impact": [{"category": "CARBON_DIOXIDE", "amount": 1.5}]},
}
LOCATIONS: Final[dict[str, dict[str, Any]]] = {
    "2.1.1": {
        **_LOCATION,
        "type": "PARKING_LOT",
        "energy_mix": {"is_green_energy": True, "environ_impact": [{"source": "CARBON_DIOXIDE", "amount": 1.5}]},
    },
    "2.2.1": _NEW_LOCATION,
    "2.3.0": {
        **_NEW_LOCATION,
        "help_phone": "+49 555 0100",
        "parking_places": [
            {"id": "P1", "vehicle_types": ["VAN"], "restricted_to_type": False, "reservation_required": True}
        ],
    },
}


def published_evse(version: str, **different: Any) -> dict[str, Any]:
    return {**copy.deepcopy(EVSES[version]), **different}


def published_location(version: str, **different: Any) -> dict[str, Any]:
    return {**copy.deepcopy(LOCATIONS[version]), **different}
