"""What a key is good for when it is made and little is said: by what it is for, or by its bare role."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.principal import Role
from app.domain.rights import UNLIMITED, Rights
from app.domain.status import Kind
from app.domain.total import total

YEAR: Final = timedelta(days=365)


class Preset(StrEnum):
    """What a key is for, as whoever makes it would say."""

    SENSOR = "sensor"  #: parking sensors: `BLOCKED` as a lease, which is renewed while a bay is taken
    BOOKING = "booking"  #: a booking system: `RESERVED`, planned ahead
    TECHNICIAN = "technician"  #: people at the charger: `MAINTENANCE` and `COMMISSIONING`, for a shift
    OPERATIONS = "operations"  #: the operations centre: no limits
    COMPATIBLE = "compatible"  #: programs written for another platform's temporary statuses, which leave ends open


class Terms(msgspec.Struct, frozen=True):
    """The role and the rights of a new key, and after what time it expires; `None`: never."""

    role: Role
    rights: Rights
    lifetime: timedelta | None = YEAR


_SENSOR: Final = Rights(
    kinds=(Kind.BLOCKED,),
    longest=timedelta(hours=12),
    furthest=timedelta(hours=1),
    most_active=500,
    open_ended=False,
    rate=600,
)
_CLIENT: Final = Rights(
    longest=timedelta(hours=24), furthest=timedelta(days=90), most_active=200, open_ended=False, rate=600
)
_TECHNICIAN: Final = Rights(
    kinds=(Kind.MAINTENANCE, Kind.COMMISSIONING),
    longest=timedelta(hours=12),
    furthest=timedelta(days=90),
    most_active=10,
    open_ended=False,
    rate=120,
)

PRESETS: Final[Mapping[Preset, Terms]] = total(
    Preset,
    {
        Preset.SENSOR: Terms(Role.INGEST, _SENSOR),
        Preset.BOOKING: Terms(Role.CLIENT, msgspec.structs.replace(_CLIENT, kinds=(Kind.RESERVED,), final_cancel=True)),
        Preset.TECHNICIAN: Terms(Role.TECHNICIAN, _TECHNICIAN),
        Preset.OPERATIONS: Terms(Role.OPERATIONS, UNLIMITED),
        Preset.COMPATIBLE: Terms(Role.CLIENT, Rights(most_active=5000, rate=600)),
    },
)

#: Of a key that is made by its role alone. An admin's is the operator's own backend, which must not stop one day.
BARE: Final[Mapping[Role, Terms]] = total(
    Role,
    {
        Role.READER: Terms(Role.READER, UNLIMITED),
        Role.CLIENT: Terms(Role.CLIENT, _CLIENT),
        Role.INGEST: Terms(Role.INGEST, _SENSOR),
        Role.TECHNICIAN: Terms(Role.TECHNICIAN, _TECHNICIAN),
        Role.OPERATIONS: Terms(Role.OPERATIONS, UNLIMITED),
        Role.ADMIN: Terms(Role.ADMIN, UNLIMITED, lifetime=None),
    },
)
