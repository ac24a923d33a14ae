"""The nine words that OCPI has for the status of an EVSE."""

from enum import StrEnum


class Status(StrEnum):
    """The status of an EVSE in OCPI: the same closed list in 2.1.1, 2.2.1 and 2.3.0.

    Spec: OCPI 2.2.1 mod_locations, Status enum.
    """

    AVAILABLE = "AVAILABLE"
    BLOCKED = "BLOCKED"
    CHARGING = "CHARGING"
    INOPERATIVE = "INOPERATIVE"
    OUTOFORDER = "OUTOFORDER"
    PLANNED = "PLANNED"
    REMOVED = "REMOVED"
    RESERVED = "RESERVED"
    UNKNOWN = "UNKNOWN"
