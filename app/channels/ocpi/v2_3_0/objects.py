"""The objects of OCPI 2.3.0's locations: those of 2.2.1, with the fields that are new and the enumerations now open.

Spec: OCPI 2.3.0 mod_locations, object description and data types.
"""

from typing import Final

from app.channels.ocpi.fields import Boolean, Field, Number, ObjectRules, Objects, Text, Type
from app.channels.ocpi.v2_2_1 import objects as v2_2_1
from app.channels.ocpi.v2_2_1.objects import ci_string, string
from app.channels.ocpi.v2_3_0 import words


def changed(rules: ObjectRules, /, types: dict[str, Type], new: dict[str, Field] | None = None) -> ObjectRules:
    """The class as 2.2.1 has it, but for some fields' types and some fields more."""
    fields = {
        name: Field(types.get(name, field.type), field.cardinality, also=field.also, instead=field.instead)
        for name, field in rules.fields.items()
    }
    return ObjectRules(rules.name, {**fields, **(new or {})}, demands=rules.demands, indivisible=rules.indivisible)


IMAGE: Final = changed(v2_2_1.IMAGE, {"category": words.IMAGE_CATEGORY})
BUSINESS_DETAILS: Final = changed(v2_2_1.BUSINESS_DETAILS, {"logo": IMAGE})
ENVIRONMENTAL_IMPACT: Final = changed(v2_2_1.ENVIRONMENTAL_IMPACT, {"category": words.ENVIRONMENTAL_IMPACT_CATEGORY})
ENERGY_MIX: Final = changed(v2_2_1.ENERGY_MIX, {"environ_impact": ENVIRONMENTAL_IMPACT})
PUBLISH_TOKEN_TYPE: Final = changed(v2_2_1.PUBLISH_TOKEN_TYPE, {"type": words.TOKEN_TYPE})

PARKING: Final = ObjectRules(
    "Parking",
    {
        "id": Field(ci_string(36), "1"),
        "physical_reference": Field(string(12), "?"),
        "vehicle_types": Field(words.VEHICLE_TYPE, "+"),
        "max_vehicle_weight": Field(Number(), "?"),
        "max_vehicle_height": Field(Number(), "?"),
        "max_vehicle_length": Field(Number(), "?"),
        "max_vehicle_width": Field(Number(), "?"),
        "parking_space_length": Field(Number(), "?"),
        "parking_space_width": Field(Number(), "?"),
        "dangerous_goods_allowed": Field(Boolean(), "?"),
        "direction": Field(words.PARKING_DIRECTION, "?"),
        "drive_through": Field(Boolean(), "?"),
        "restricted_to_type": Field(Boolean(), "1"),
        "reservation_required": Field(Boolean(), "1"),
        "time_limit": Field(Number(), "?"),
        "roofed": Field(Boolean(), "?"),
        "images": Field(IMAGE, "*"),
        "lighting": Field(Boolean(), "?"),
        "refrigeration_outlet": Field(Boolean(), "?"),
        "standards": Field(ci_string(36), "*"),
        "apds_reference": Field(Text("CiString", None, ascii=True), "?"),
    },
)

EVSE_PARKING: Final = ObjectRules(
    "EVSEParking",
    {"parking_id": Field(ci_string(36), "1"), "evse_position": Field(words.EVSE_POSITION, "?")},
)

CONNECTOR: Final = changed(
    v2_2_1.CONNECTOR,
    {"standard": words.CONNECTOR_TYPE},
    {"capabilities": Field(words.CONNECTOR_CAPABILITY, "*")},
)

EVSE: Final = changed(
    v2_2_1.EVSE,
    {
        "capabilities": words.CAPABILITY,
        "connectors": CONNECTOR,
        "parking_restrictions": words.PARKING_RESTRICTION,
        "images": IMAGE,
    },
    {"parking": Field(EVSE_PARKING, "*"), "accepted_service_providers": Field(string(50), "*")},
)

LOCATION: Final = changed(
    v2_2_1.LOCATION,
    {
        "publish_allowed_to": PUBLISH_TOKEN_TYPE,
        "parking_type": words.PARKING_TYPE,
        "evses": EVSE,
        "operator": BUSINESS_DETAILS,
        "suboperator": BUSINESS_DETAILS,
        "owner": BUSINESS_DETAILS,
        "facilities": words.FACILITY,
        "images": IMAGE,
        "energy_mix": ENERGY_MIX,
    },
    {"parking_places": Field(PARKING, "*"), "help_phone": Field(ci_string(25), "?")},
)

OBJECTS: Final = Objects(location=LOCATION, evse=EVSE, connector=CONNECTOR)
