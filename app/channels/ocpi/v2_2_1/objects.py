"""The objects of OCPI 2.2.1's locations: every field of every class.

Lengths of `address` and `state` are those of the bugfix editions; the first edition had 45 and 20.
Spec: OCPI 2.2.1 mod_locations, object description and data types; types.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.channels.ocpi.fields import (
    LONGEST_URL,
    Boolean,
    Demand,
    Field,
    Moment,
    Number,
    ObjectRules,
    Objects,
    Text,
    Whole,
)
from app.channels.ocpi.v2_2_1 import words

#: What the specification has for a required string that is not known. Spec: OCPI 2.2.1 transport_and_format.
NOT_AVAILABLE: Final = "#NA"
TIME_OF_DAY: Final = Text("string", 5, form=r"([01][0-9]|2[0-3]):[0-5][0-9]")


def ci_string(longest: int) -> Text:
    return Text("CiString", longest, ascii=True)


def string(longest: int) -> Text:
    return Text("string", longest)


def prose(longest: int) -> Text:
    """A string that is written for people to read."""
    return Text("string", longest, prose=True)


URL: Final = Text("URL", LONGEST_URL, ascii=True)

GEO_LOCATION: Final = ObjectRules(
    "GeoLocation",
    {
        "latitude": Field(Text("string", 10, form=r"-?[0-9]{1,2}\.[0-9]{5,7}"), "1"),
        "longitude": Field(Text("string", 11, form=r"-?[0-9]{1,3}\.[0-9]{5,7}"), "1"),
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
        "category": Field(words.IMAGE_CATEGORY, "1"),
        "type": Field(ci_string(4), "1"),
        "width": Field(Whole(0, 99_999), "?"),
        "height": Field(Whole(0, 99_999), "?"),
    },
)

BUSINESS_DETAILS: Final = ObjectRules(
    "BusinessDetails",
    {"name": Field(prose(100), "1"), "website": Field(URL, "?"), "logo": Field(IMAGE, "?")},
)

ENERGY_SOURCE: Final = ObjectRules(
    "EnergySource",
    {"source": Field(words.ENERGY_SOURCE_CATEGORY, "1"), "percentage": Field(Number(0, 100), "1")},
)

ENVIRONMENTAL_IMPACT: Final = ObjectRules(
    "EnvironmentalImpact",
    {
        "category": Field(words.ENVIRONMENTAL_IMPACT_CATEGORY, "1", also="source"),
        "amount": Field(Number(), "1"),
    },
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

EXCEPTIONAL_PERIOD: Final = ObjectRules(
    "ExceptionalPeriod", {"period_begin": Field(Moment(), "1"), "period_end": Field(Moment(), "1")}
)

HOURS: Final = ObjectRules(
    "Hours",
    {
        "twentyfourseven": Field(Boolean(), "1"),
        "regular_hours": Field(REGULAR_HOURS, "*"),
        "exceptional_openings": Field(EXCEPTIONAL_PERIOD, "*"),
        "exceptional_closings": Field(EXCEPTIONAL_PERIOD, "*"),
    },
    demands=(
        Demand(
            "regular_hours",
            "none, though it is not twentyfourseven",
            lambda hours: bool(hours["twentyfourseven"] or hours.get("regular_hours")),
        ),
    ),
    indivisible=True,
)


def _names_a_token(token: Mapping[str, Any]) -> bool:
    return any(token.get(name) is not None for name in ("uid", "visual_number", "group_id"))


def goes_with(field: str, other: str) -> Demand:
    """`field` must be there where `other` is."""
    return Demand(
        field,
        f"missing, though {other} is there",
        lambda token: token.get(other) is None or token.get(field) is not None,
    )


#: Only a token that matches all the fields may see the Location: with one field less, others might.
PUBLISH_TOKEN_TYPE: Final = ObjectRules(
    "PublishTokenType",
    {
        "uid": Field(ci_string(36), "?"),
        "type": Field(words.TOKEN_TYPE, "?"),
        "visual_number": Field(string(64), "?"),
        "issuer": Field(string(64), "?"),
        "group_id": Field(ci_string(36), "?"),
    },
    demands=(
        Demand("uid", "missing, and so are visual_number and group_id", _names_a_token),
        goes_with("type", "uid"),
        goes_with("issuer", "visual_number"),
    ),
    indivisible=True,
)

STATUS_SCHEDULE: Final = ObjectRules(
    "StatusSchedule",
    {
        "period_begin": Field(Moment(), "1"),
        "period_end": Field(Moment(), "?"),
        "status": Field(words.STATUS, "1"),
    },
    indivisible=True,
)

CONNECTOR: Final = ObjectRules(
    "Connector",
    {
        "id": Field(ci_string(36), "1"),
        "standard": Field(words.CONNECTOR_TYPE, "1"),
        "format": Field(words.CONNECTOR_FORMAT, "1"),
        "power_type": Field(words.POWER_TYPE, "1"),
        "max_voltage": Field(Whole(), "1", also="voltage"),
        "max_amperage": Field(Whole(), "1", also="amperage"),
        "max_electric_power": Field(Whole(), "?"),
        "tariff_ids": Field(ci_string(36), "*", also="tariff_id"),
        "terms_and_conditions": Field(URL, "?"),
        "last_updated": Field(Moment(), "1"),
    },
)

EVSE: Final = ObjectRules(
    "EVSE",
    {
        "uid": Field(ci_string(36), "1"),
        "evse_id": Field(ci_string(48), "?"),
        "status": Field(words.STATUS, "1"),
        "status_schedule": Field(STATUS_SCHEDULE, "*"),
        "capabilities": Field(words.CAPABILITY, "*"),
        "connectors": Field(CONNECTOR, "+"),
        "floor_level": Field(string(4), "?"),
        "coordinates": Field(GEO_LOCATION, "?"),
        "physical_reference": Field(string(16), "?"),
        "directions": Field(DISPLAY_TEXT, "*"),
        "parking_restrictions": Field(words.PARKING_RESTRICTION, "*"),
        "images": Field(IMAGE, "*"),
        "last_updated": Field(Moment(), "1"),
    },
)

LOCATION: Final = ObjectRules(
    "Location",
    {
        "country_code": Field(ci_string(2), "1"),
        "party_id": Field(ci_string(3), "1"),
        "id": Field(ci_string(36), "1"),
        "publish": Field(Boolean(), "1"),
        "publish_allowed_to": Field(PUBLISH_TOKEN_TYPE, "*"),
        "name": Field(prose(255), "?"),
        "address": Field(prose(255), "1", instead=NOT_AVAILABLE),
        "city": Field(prose(45), "1", instead=NOT_AVAILABLE),
        "postal_code": Field(string(10), "?"),
        "state": Field(prose(45), "?"),
        "country": Field(string(3), "1", instead=NOT_AVAILABLE),
        "coordinates": Field(GEO_LOCATION, "1"),
        "related_locations": Field(ADDITIONAL_GEO_LOCATION, "*"),
        "parking_type": Field(words.PARKING_TYPE, "?", also="type"),
        "evses": Field(EVSE, "*"),
        "directions": Field(DISPLAY_TEXT, "*"),
        "operator": Field(BUSINESS_DETAILS, "?"),
        "suboperator": Field(BUSINESS_DETAILS, "?"),
        "owner": Field(BUSINESS_DETAILS, "?"),
        "facilities": Field(words.FACILITY, "*"),
        "time_zone": Field(string(255), "1", instead=NOT_AVAILABLE),
        "opening_times": Field(HOURS, "?"),
        "charging_when_closed": Field(Boolean(), "?"),
        "images": Field(IMAGE, "*"),
        "energy_mix": Field(ENERGY_MIX, "?"),
        "last_updated": Field(Moment(), "1"),
    },
    demands=(
        Demand(
            "publish_allowed_to",
            "only where it is not published",
            lambda location: not (location["publish"] and location.get("publish_allowed_to")),
        ),
    ),
)

OBJECTS: Final = Objects(location=LOCATION, evse=EVSE, connector=CONNECTOR)
