"""The words for what a charger does, what is said about it for a while, and whether partners get it at all."""

from enum import StrEnum
from typing import Final

from app.domain.errors import MalformedValue
from app.domain.total import total


class DeploymentState(StrEnum):
    """The gate in front of everything that partners get."""

    STOCK = "STOCK"  #: not in the field yet: nothing is shared
    PRODUCTION = "PRODUCTION"  #: in the field: the presented status is shared
    DEPRECATED = "DEPRECATED"  #: gone for good: partners are told that it is removed


class Kind(StrEnum):
    """The kinds of temporary status, strongest first: when several are active, the first listed here is shown."""

    COMMISSIONING = "COMMISSIONING"
    MAINTENANCE = "MAINTENANCE"
    BLOCKED = "BLOCKED"
    RESERVED = "RESERVED"

    @classmethod
    def _missing_(cls, value: object) -> "Kind | None":
        """Some clients write `Maintenance`: case does not matter on the way in, and is upper on the way out."""
        return cls.__members__.get(value.upper()) if isinstance(value, str) and value.isascii() else None


class AppliesWhen(StrEnum):
    """Whether a temporary status hides whatever the charger does, or only an idle charger."""

    ALWAYS = "always"
    IDLE = "idle"  #: shown only while the actual status is available or unknown


class ActualStatus(StrEnum):
    """What the charger is really doing, in OCPI's words.

    OCPI's `REMOVED` is missing on purpose: it is no actual status, it deprecates the EVSE.

    Spec: OCPI 2.2.1 mod_locations, Status enum.
    """

    AVAILABLE = "AVAILABLE"
    CHARGING = "CHARGING"
    BLOCKED = "BLOCKED"
    RESERVED = "RESERVED"
    INOPERATIVE = "INOPERATIVE"
    OUTOFORDER = "OUTOFORDER"
    PLANNED = "PLANNED"
    UNKNOWN = "UNKNOWN"


IDLE: Final = frozenset({ActualStatus.AVAILABLE, ActualStatus.UNKNOWN})

#: Says "this EVSE is gone" where an actual status is expected. Spec: OCPI 2.2.1 mod_locations, Status enum.
OCPI_REMOVED: Final = "REMOVED"


class OcppStatus(StrEnum):
    """What a charger says of a connector over OCPP. Case tells these words from OCPI's.

    Spec: OCPP 1.6 ChargePointStatus; OCPP 2.0.1 ConnectorStatusEnumType (`Occupied` and four that 1.6 has too).
    """

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    OCCUPIED = "Occupied"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


OCPP_MEANING: Final = total(
    OcppStatus,
    {
        OcppStatus.AVAILABLE: ActualStatus.AVAILABLE,
        OcppStatus.PREPARING: ActualStatus.CHARGING,
        OcppStatus.CHARGING: ActualStatus.CHARGING,
        OcppStatus.SUSPENDED_EV: ActualStatus.CHARGING,
        OcppStatus.SUSPENDED_EVSE: ActualStatus.CHARGING,
        OcppStatus.FINISHING: ActualStatus.CHARGING,
        # OCPP 2.0.1 says Occupied both for "charging" and for "a car without a transaction"; a setting picks.
        OcppStatus.OCCUPIED: ActualStatus.BLOCKED,
        OcppStatus.RESERVED: ActualStatus.RESERVED,
        OcppStatus.UNAVAILABLE: ActualStatus.INOPERATIVE,
        OcppStatus.FAULTED: ActualStatus.OUTOFORDER,
    },
)


def understood(reported: str, *, occupied_means: ActualStatus = ActualStatus.BLOCKED) -> ActualStatus:
    """Read a status as a charger or a backend reports it: OCPP 1.6, OCPP 2.0.1 or OCPI words.

    Raises:
        MalformedValue: it is a word of none of them.
    """
    if (ocpi := _OCPI_WORDS.get(reported)) is not None:
        return ocpi
    if (ocpp := _OCPP_WORDS.get(reported)) is not None:
        return occupied_means if ocpp is OcppStatus.OCCUPIED else OCPP_MEANING[ocpp]
    raise MalformedValue(
        f"not a status of OCPP 1.6, OCPP 2.0.1 or OCPI; one of {', '.join([*_OCPI_WORDS, *_OCPP_WORDS])}",
        field="status",
    )


_OCPI_WORDS: Final = {member.value: member for member in ActualStatus}
_OCPP_WORDS: Final = {member.value: member for member in OcppStatus}
