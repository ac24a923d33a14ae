"""Which OCPI 2.1.1 status each presented status is told as, unless a partner has a table of its own."""

from typing import Final

from app.channels.ocpi.status import Status
from app.domain.status import ActualStatus, Kind
from app.domain.total import total

#: Spec: OCPI 2.1.1 mod_locations, Status enum. The list is closed: the kind itself and its reason cannot be told.
KIND: Final = total(
    Kind,
    {
        Kind.COMMISSIONING: Status.PLANNED,
        # 2.1.1 lets it mean "deleted" as well, which some partners take it for: give those a `mapping` with OUTOFORDER.
        Kind.MAINTENANCE: Status.INOPERATIVE,
        Kind.BLOCKED: Status.BLOCKED,
        Kind.RESERVED: Status.RESERVED,
    },
)

#: Actual statuses are kept in OCPI's words, so each is told as itself.
ACTUAL: Final = total(
    ActualStatus,
    {
        ActualStatus.AVAILABLE: Status.AVAILABLE,
        ActualStatus.CHARGING: Status.CHARGING,
        ActualStatus.BLOCKED: Status.BLOCKED,
        ActualStatus.RESERVED: Status.RESERVED,
        ActualStatus.INOPERATIVE: Status.INOPERATIVE,
        ActualStatus.OUTOFORDER: Status.OUTOFORDER,
        ActualStatus.PLANNED: Status.PLANNED,
        ActualStatus.UNKNOWN: Status.UNKNOWN,
    },
)
