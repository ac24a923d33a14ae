"""What an app is shown for each temporary status and each actual status, as tables."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from app.domain.presentation import Gate
from app.domain.status import ActualStatus, Kind
from app.domain.total import total

Status = TypeVar("Status", Kind, ActualStatus)


class AppStatus(StrEnum):
    """What an app can tell a driver. Apps store these words, so they never change."""

    AVAILABLE = "AVAILABLE"
    CHARGING = "CHARGING"
    OCCUPIED = "OCCUPIED"  #: somebody has it, or something is in the way
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    UNKNOWN = "UNKNOWN"
    REMOVED = "REMOVED"  #: not to be shown any more


KIND: Final = total(
    Kind,
    {
        Kind.COMMISSIONING: AppStatus.OUT_OF_SERVICE,
        Kind.MAINTENANCE: AppStatus.OUT_OF_SERVICE,
        Kind.BLOCKED: AppStatus.OCCUPIED,
        Kind.RESERVED: AppStatus.OCCUPIED,
    },
)

ACTUAL: Final = total(
    ActualStatus,
    {
        ActualStatus.AVAILABLE: AppStatus.AVAILABLE,
        ActualStatus.CHARGING: AppStatus.CHARGING,
        ActualStatus.BLOCKED: AppStatus.OCCUPIED,
        ActualStatus.RESERVED: AppStatus.OCCUPIED,
        ActualStatus.INOPERATIVE: AppStatus.OUT_OF_SERVICE,
        ActualStatus.OUTOFORDER: AppStatus.OUT_OF_SERVICE,
        ActualStatus.PLANNED: AppStatus.OUT_OF_SERVICE,
        ActualStatus.UNKNOWN: AppStatus.UNKNOWN,
    },
)

#: What the gate shows by default; whoever was told of the EVSE before is told `REMOVED` in either case.
GATE: Final = total(Gate, {Gate.WITHHELD: None, Gate.REMOVED: AppStatus.REMOVED})


def markdown() -> str:
    """The two tables as they stand in this folder's README."""
    return "\n".join([*_rows("temporary status", KIND), "", *_rows("actual status", ACTUAL)])


def _rows(title: str, table: Mapping[Status, AppStatus]) -> list[str]:
    return [f"| {title} | app |", "|---|---|", *(f"| {row.value} | {shown} |" for row, shown in table.items())]
