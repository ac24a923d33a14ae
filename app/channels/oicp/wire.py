"""The messages of OICP 2.3 that a status push is made of, field for field. Spec names; only their casing is Python's.

Requests refuse what the specification does not know, because the simulated Hubject reads them with these types.
Answers are read leniently: Hubject writes `null` where its own description allows none.
"""

import re
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType, field

# To be used with `fullmatch`: `$` alone would let a trailing newline pass. All ASCII, all linear.
# Spec: OICP 2.3 CPO §OperatorIDType, §EvseIDType, §CodeType
OPERATOR_ID: Final = re.compile(r"[A-Za-z]{2}\*?[A-Za-z0-9]{3}|\+?[0-9]{1,3}\*[0-9]{3}")
EVSE_ID: Final = re.compile(r"[A-Z]{2}\*?[A-Z0-9]{3}\*?E[A-Z0-9*]{1,30}|\+?[0-9]{1,3}\*[0-9]{3}\*[0-9*]{1,32}")
CODE: Final = re.compile(r"[0-9]{3}")

LONGEST_OPERATOR_NAME: Final = 100  #: characters. Spec: OICP 2.3 CPO §OperatorEvseStatusType


class ActionType(StrEnum):
    """What is to happen to the records. Spec: OICP 2.3 CPO §ActionType."""

    FULL_LOAD = "fullLoad"  #: replaces every record that the operator has
    UPDATE = "update"
    INSERT = "insert"
    DELETE = "delete"


class EvseStatus(StrEnum):
    """All that Hubject can say about an EVSE. Spec: OICP 2.3 CPO §EvseStatusType."""

    AVAILABLE = "Available"
    RESERVED = "Reserved"
    OCCUPIED = "Occupied"
    OUT_OF_SERVICE = "OutOfService"
    EVSE_NOT_FOUND = "EvseNotFound"  #: Hubject's own answer to an EMP that asks for an unknown EVSE; never pushed
    UNKNOWN = "Unknown"


#: What a CPO may say. The schema would let `EvseNotFound` pass, but no text says what it would do.
PUSHABLE: Final = tuple(status for status in EvseStatus if status is not EvseStatus.EVSE_NOT_FOUND)


class EvseStatusRecord(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True):
    """One EVSE and its status: no time, no version, no reason. Spec: OICP 2.3 CPO §EvseStatusRecordType."""

    evse_id: str = field(name="EvseID")
    evse_status: EvseStatus


class OperatorEvseStatus(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True):
    """The records of one operator; of its sub-operators too, whose ids stand only in the EVSE IDs.

    Spec: OICP 2.3 CPO §OperatorEvseStatusType; §Hub Provider and Hub Operator
    """

    operator_id: str = field(name="OperatorID")
    operator_name: str | UnsetType = UNSET
    evse_status_record: tuple[EvseStatusRecord, ...]


class PushEvseStatus(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True):
    """The request. Spec: OICP 2.3 CPO §eRoamingPushEvseStatus_V2.1."""

    action_type: ActionType
    operator_evse_status: OperatorEvseStatus


class StatusCode(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Spec: OICP 2.3 CPO §StatusCodeType. `code` is three digits, of a list that is open in practice."""

    code: str
    description: str | None = None
    additional_info: str | None = None


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The answer to a push. `result` says whether it was performed. Spec: OICP 2.3 CPO §eRoamingAcknowledgement."""

    result: bool
    status_code: StatusCode
    session_id: str | None = field(name="SessionID", default=None)
    cpo_partner_session_id: str | None = field(name="CPOPartnerSessionID", default=None)
    emp_partner_session_id: str | None = field(name="EMPPartnerSessionID", default=None)


class Fault(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The answer to a call that never became a push: a stranger, a wrong address. With HTTP 4xx or 5xx."""

    status_code: StatusCode


class Verdict(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The members that decide, read from an acknowledgement or a fault alike."""

    result: bool | None = None
    status_code: StatusCode | None = None


class ValidationError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing in the body that does not fit the schema."""

    field_reference: str | None = None
    error_message: str | None = None


class SchemaFault(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a body that does not fit the schema, with HTTP 400. In no OICP text; Hubject sends it."""

    message: str | None = None
    validation_errors: list[ValidationError] | None = None


def status_records_path(operator_id: str) -> str:
    """Return the path that statuses are pushed to, for an operator id that is already percent-encoded.

    Spec: OICP 2.3 CPO §eRoamingPushEvseStatus_V2.1
    """
    return f"/api/oicp/evsepush/v21/operators/{operator_id}/status-records"
