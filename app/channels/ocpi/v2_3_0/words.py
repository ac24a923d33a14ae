"""The enumerations of OCPI 2.3.0's locations that are new or open; the others are those of 2.2.1.

An open one may hold words of any party's own. Spec: OCPI 2.3.0 mod_locations, data types; types, OpenEnum type.
"""

from typing import Final

from app.channels.ocpi.fields import Words, words
from app.channels.ocpi.v2_2_1 import words as v2_2_1


def opened(closed: Words, more: str = "") -> Words:
    """The enumeration that 2.2.1 had closed, with the words that it has got since."""
    return Words(closed.name, closed.words | frozenset(more.split()), open=True)


CAPABILITY: Final = opened(v2_2_1.CAPABILITY)
CONNECTOR_CAPABILITY: Final = words(
    "ConnectorCapability", "ISO_15118_2_PLUG_AND_CHARGE ISO_15118_20_PLUG_AND_CHARGE", open=True
)
CONNECTOR_TYPE: Final = opened(v2_2_1.CONNECTOR_TYPE, "MCS SAE_J3400")
ENVIRONMENTAL_IMPACT_CATEGORY: Final = opened(v2_2_1.ENVIRONMENTAL_IMPACT_CATEGORY)
EVSE_POSITION: Final = words("EVSEPosition", "LEFT RIGHT CENTER")
FACILITY: Final = opened(v2_2_1.FACILITY)
IMAGE_CATEGORY: Final = opened(v2_2_1.IMAGE_CATEGORY)
PARKING_DIRECTION: Final = words("ParkingDirection", "PARALLEL PERPENDICULAR ANGLE")
PARKING_RESTRICTION: Final = opened(v2_2_1.PARKING_RESTRICTION, "EMPLOYEES TAXIS TENANTS")
PARKING_TYPE: Final = opened(v2_2_1.PARKING_TYPE)
VEHICLE_TYPE: Final = words(
    "VehicleType",
    """
    MOTORCYCLE PERSONAL_VEHICLE PERSONAL_VEHICLE_WITH_TRAILER VAN SEMI_TRACTOR RIGID TRUCK_WITH_TRAILER BUS DISABLED
    """,
    open=True,
)
#: Spec: OCPI 2.3.0 mod_tokens, TokenType enum.
TOKEN_TYPE: Final = opened(v2_2_1.TOKEN_TYPE, "EMAID")
