"""The objects of OCPI 2.1.1's locations: every field of every class.

Strings hold printable ASCII only, ids may have 39 characters, and coordinates have six decimals, no more and no less.
Spec: OCPI 2.1.1 mod_locations, object description and data types; types.
"""

from typing import Final

from app.channels.ocpi.fields import Boolean, Demand, Field, Moment, Number, ObjectRules, Objects, Text, Whole
from app.channels.ocpi.v2_1_1 import words
from app.channels.ocpi.v2_2_1.objects import (
    ENERGY_SOURCE,
    EXCEPTIONAL_PERIOD,
    NOT_AVAILABLE,
    STATUS_SCHEDULE,
    URL,
)
from app.channels.ocpi.v2_2_1.words import (
    CONNECTOR_FORMAT,
    ENVIRONMENTAL_IMPACT_CATEGORY,
    IMAGE_CATEGORY,
    PARKING_RESTRICTION,
    STATUS,
)

TIME_OF_DAY: Final = Text("string", 5, ascii=True, form="[0-2][0-9]:[0-5][0-9]")


def string(longest: int) -> Text:
    return Text("string", longest, ascii=True)


def prose(longest: int) -> Text:
    """A string that is written for people to read."""
    return Text("string", longest, ascii=True, prose=True)


GEO_LOCATION: Final = ObjectRules(
    "GeoLocation",
    {
        "latitude": Field(Text("string", 10, ascii=True, form=r"-?[0-9]{1,2}\.[0-9]{6}"), "1"),
        "longitude": Field(Text("string", 11, ascii=True, form=r"-?[0-9]{1,3}\.[0-9]{6}"), "1"),
    },
)

DISPLAY_TEXT: Final = ObjectRules("DisplayText", {"language": Field(string(2), "1"), "text": Field(prose(512), "1")})

ADDITIONAL_GEO_LOCATION: Final = ObjectRules(
    "AdditionalGeoLocation", {**GEO_LOCATION.fields, "name": Field(DISPLAY_TEXT, "?")}
)

IMAGE: Final = ObjectRules(
    "Image",
    {
        "url": Field(URL, "1"),
        "thumbnail": Field(URL, "?"),
        "category": Field(IMAGE_CATEGORY, "1"),
        "type": Field(string(4), "1"),
        "width": Field(Whole(0, 99_999), "?"),
        "height": Field(Whole(0, 99_999), "?"),
    },
)

BUSINESS_DETAILS: Final = ObjectRules(
    "BusinessDetails",
    {"name": Field(prose(100), "1"), "website": Field(URL, "?"), "logo": Field(IMAGE, "?")},
)

ENVIRONMENTAL_IMPACT: Final = ObjectRules(
    "EnvironmentalImpact",
    {"source": Field(ENVIRONMENTAL_IMPACT_CATEGORY, "1", also="category"), "amount": Field(Number(), "1")},
)

ENERGY_MIX: Final = ObjectRules(
    "EnergyMix",
    {
        "is_green_energy": Field(Boolean(), "1"),
        "energy_sources": Field(ENERGY_SOURCE, "*"),
        "environ_impact": Field(ENVIRONMENTAL_IMPACT, "*"),
        "supplier_name": Field(prose(64), "?"),
        "energy_product_name": Field(prose(64), "?"),
    },
    indivisible=True,
)

REGULAR_HOURS: Final = ObjectRules(
    "RegularHours",
    {
        "weekday": Field(Whole(1, 7), "1"),
        "period_begin": Field(TIME_OF_DAY, "1"),
        "period_end": Field(TIME_OF_DAY, "1"),
    },
    demands=(
        Demand("period_end", "not later than period_begin", lambda hours: hours["period_begin"] < hours["period_end"]),
    ),
)

#: One of two is to be chosen, `regular_hours` or `twentyfourseven`; the specification's own example has both.
HOURS: Final = ObjectRules(
    "Hours",
    {
        "regular_hours": Field(REGULAR_HOURS, "*"),
        "twentyfourseven": Field(Boolean(), "?"),
        "exceptional_openings": Field(EXCEPTIONAL_PERIOD, "*"),
        "exceptional_closings": Field(EXCEPTIONAL_PERIOD, "*"),
    },
    demands=(
        Demand(
            "regular_hours",
            "none, though it is not twentyfourseven",
            lambda hours: bool(hours.get("twentyfourseven") or hours.get("regular_hours")),
        ),
    ),
    indivisible=True,
)

CONNECTOR: Final = ObjectRules(
    "Connector",
    {
        "id": Field(string(36), "1"),
        "standard": Field(words.CONNECTOR_TYPE, "1"),
        "format": Field(CONNECTOR_FORMAT, "1"),
        "power_type": Field(words.POWER_TYPE, "1"),
        "voltage": Field(Whole(), "1", also="max_voltage"),
        "amperage": Field(Whole(), "1", also="max_amperage"),
        "tariff_id": Field(string(36), "?", also="tariff_ids"),
        "terms_and_conditions": Field(URL, "?"),
        "last_updated": Field(Moment(), "1"),
    },
)

EVSE: Final = ObjectRules(
    "EVSE",
    {
        "uid": Field(string(39), "1"),
        "evse_id": Field(string(48), "?"),
        "status": Field(STATUS, "1"),
        "status_schedule": Field(STATUS_SCHEDULE, "*"),
        "capabilities": Field(words.CAPABILITY, "*"),
        "connectors": Field(CONNECTOR, "+"),
        "floor_level": Field(string(4), "?"),
        "coordinates": Field(GEO_LOCATION, "?"),
        "physical_reference": Field(string(16), "?"),
        "directions": Field(DISPLAY_TEXT, "*"),
        "parking_restrictions": Field(PARKING_RESTRICTION, "*"),
        "images": Field(IMAGE, "*"),
        "last_updated": Field(Moment(), "1"),
    },
)

LOCATION: Final = ObjectRules(
    "Location",
    {
        "id": Field(string(39), "1"),
        "type": Field(words.LOCATION_TYPE, "1", also="parking_type", instead="UNKNOWN"),
        "name": Field(prose(255), "?"),
        "address": Field(prose(45), "1", instead=NOT_AVAILABLE),
        "city": Field(prose(45), "1", instead=NOT_AVAILABLE),
        "postal_code": Field(string(10), "1", instead=NOT_AVAILABLE),
        "country": Field(string(3), "1", instead=NOT_AVAILABLE),
        "coordinates": Field(GEO_LOCATION, "1"),
        "related_locations": Field(ADDITIONAL_GEO_LOCATION, "*"),
        "evses": Field(EVSE, "*"),
        "directions": Field(DISPLAY_TEXT, "*"),
        "operator": Field(BUSINESS_DETAILS, "?"),
        "suboperator": Field(BUSINESS_DETAILS, "?"),
        "owner": Field(BUSINESS_DETAILS, "?"),
        "facilities": Field(words.FACILITY, "*"),
        "time_zone": Field(string(255), "?"),
        "opening_times": Field(HOURS, "?"),
        "charging_when_closed": Field(Boolean(), "?"),
        "images": Field(IMAGE, "*"),
        "energy_mix": Field(ENERGY_MIX, "?"),
        "last_updated": Field(Moment(), "1"),
    },
)

OBJECTS: Final = Objects(location=LOCATION, evse=EVSE, connector=CONNECTOR)
