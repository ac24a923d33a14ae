"""The messages by which an EMP reads statuses from Hubject, field for field, as the simulated one speaks them."""

import re
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType, field

from app.channels.oicp.wire import EvseStatus, EvseStatusRecord, OperatorEvseStatus, StatusCode

#: To be used with `fullmatch`. Spec: OICP 2.3 EMP §ProviderIDType
PROVIDER_ID: Final = re.compile(r"[A-Za-z]{2}[*-]?[A-Za-z0-9]{3}")

MOST_EVSE_IDS: Final = 100  #: in one question. Spec: OICP 2.3 EMP §eRoamingPullEVSEStatusByID


class PullEvseStatus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks for everything. There is a `SearchCenter` too, refused here: the simulated Hubject knows no places.

    Spec: OICP 2.3 EMP §eRoamingPullEVSEStatus
    """

    provider_id: str = field(name="ProviderID")
    evse_status: EvseStatus | UnsetType = field(name="EVSEStatus", default=UNSET)


class PullEvseStatusByOperatorId(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks for all that some operators pushed. Spec: OICP 2.3 EMP §eRoamingPullEVSEStatusByOperatorID."""

    provider_id: str = field(name="ProviderID")
    operator_id: tuple[str, ...] = field(name="OperatorID")


class PullEvseStatusById(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks for some EVSEs. Spec: OICP 2.3 EMP §eRoamingPullEVSEStatusByID."""

    provider_id: str = field(name="ProviderID")
    evse_id: tuple[str, ...] = field(name="EvseID")


class EvseStatuses(msgspec.Struct, frozen=True, rename="pascal"):
    """One block for each operator."""

    operator_evse_status: tuple[OperatorEvseStatus, ...]


class EvseStatusAnswer(msgspec.Struct, frozen=True, rename="pascal"):
    """Answers the first two. Spec: OICP 2.3 EMP §eRoamingEVSEStatus."""

    evse_statuses: EvseStatuses
    status_code: StatusCode


class EvseStatusRecords(msgspec.Struct, frozen=True, rename="pascal"):
    """One record for each EVSE that was asked for."""

    evse_status_record: tuple[EvseStatusRecord, ...]


class EvseStatusByIdAnswer(msgspec.Struct, frozen=True):
    """Answers the third. Its table in the specification is wrong; this is how the examples have it."""

    evse_status_records: EvseStatusRecords = field(name="EVSEStatusRecords")
    status_code: StatusCode = field(name="StatusCode")
