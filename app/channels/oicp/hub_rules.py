"""What the simulated Hubject holds against a request: pure, so that each rule can be seen to bite."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from app.channels.oicp.wire import (
    EVSE_ID,
    LONGEST_OPERATOR_NAME,
    OPERATOR_ID,
    Acknowledgement,
    ActionType,
    EvseStatus,
    Fault,
    PushEvseStatus,
    SchemaFault,
    StatusCode,
    ValidationError,
)
from app.domain.evse_id import operator_key, parse_evse_id

_PLACE: Final = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)

_Message = TypeVar("_Message")


class Refusal(Exception):
    """A request that Hubject refuses: the HTTP status and the body that say so.

    `wrong` is what the client did against the specification; `None` where it could not have known.
    """

    def __init__(self, wrong: str | None, status: int, body: msgspec.Struct) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.status = status
        self.body = body


def acknowledged(code: str = "000", description: str | None = None, info: str | None = None) -> Acknowledgement:
    """Make the body that goes with HTTP 200; every code but 000 says no."""
    return Acknowledgement(result=code == "000", status_code=_status(code, description, info))


def fault(code: str, description: str) -> Fault:
    """Make the body that goes with HTTP 4xx and 5xx."""
    return Fault(status_code=_status(code, description, None))


def _status(code: str, description: str | None, info: str | None) -> StatusCode:
    return StatusCode(code=code, description=description, additional_info=info)


#: What goes with each code that refuses an operator as a whole: the HTTP status and the body.
OPERATOR_REFUSALS: Final[Mapping[str, tuple[int, Fault]]] = MappingProxyType(
    {
        "017": (401, fault("017", "Unauthorized Access")),
        "210": (403, fault("210", "No active subscription found")),
        "300": (404, fault("300", "Partner not found")),
    }
)


def read_push(body: bytes) -> PushEvseStatus:
    """Read the body, as strictly as the schema can be read.

    Spec: OICP 2.3 CPO §OperatorEvseStatusType; §EvseStatusRecordType; §EvseIDType

    Raises:
        Refusal: something in it is missing, unknown, too long or not of its type.
    """
    push = read_as(body, PushEvseStatus)
    told = push.operator_evse_status
    if not OPERATOR_ID.fullmatch(told.operator_id):
        raise misfit("operatorEvseStatus.operatorID", f"not an OperatorID: {told.operator_id}")
    if isinstance(told.operator_name, str) and len(told.operator_name) > LONGEST_OPERATOR_NAME:
        raise misfit("operatorEvseStatus.operatorName", "longer than 100 characters")
    for number, record in enumerate(told.evse_status_record):
        if not EVSE_ID.fullmatch(record.evse_id):
            place = f"operatorEvseStatus.evseStatusRecord[{number}].evseID"
            raise misfit(place, f"not an EvseID: {record.evse_id}")
    return push


def read_as(body: bytes, as_type: type[_Message]) -> _Message:
    """Read a body as this type.

    Raises:
        Refusal: it is not of it.
    """
    try:
        return msgspec.json.decode(body, type=as_type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        text, place = _message_and_place(str(error))
        raise misfit(place, text) from None


def check_partner(
    push: PushEvseStatus,
    operator: str,
    operators: Mapping[str, Collection[str]] | None,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Check that the push is of the operator that the path names, and about EVSEs that it may speak for.

    `operators` are those that have an account, each with its sub-operators; `None` lets everybody in, except those
    that are `refused`, each with the code that says why.

    Spec: OICP 2.3 CPO §Security; §Hub Provider and Hub Operator; the order is that of the process diagram

    Raises:
        Refusal: it is not.
    """
    told = push.operator_evse_status
    if told.operator_id != operator:
        raise Refusal(
            f"OperatorID {told.operator_id} in the body, {operator} in the path",
            401,
            fault("017", "Unauthorized Access"),
        )
    accounts = {
        operator_key(hub): {operator_key(one) for one in (hub, *subs)} for hub, subs in (operators or {}).items()
    }
    own = accounts.get(operator_key(operator))
    if operators is not None and own is None:
        raise Refusal(f"no operator {operator} is registered", *OPERATOR_REFUSALS["300"])
    if (code := {operator_key(one): code for one, code in refused.items()}.get(operator_key(operator))) is not None:
        raise Refusal(None, *OPERATOR_REFUSALS[code])
    if own is None:
        return
    foreign = [one.evse_id for one in told.evse_status_record if parse_evse_id(one.evse_id).operator not in own]
    if foreign:
        raise Refusal(
            f"EVSEs of another operator than {operator}: {', '.join(foreign)}",
            200,
            acknowledged("018", "Inconsistent EvseID", ",".join(foreign)),
        )


def check_records(push: PushEvseStatus) -> None:
    """Check what the schema lets pass and no CPO may say.

    Spec: OICP 2.3 CPO §EvseStatusType: `EvseNotFound` is Hubject's word about EVSEs that it does not know.

    Raises:
        Refusal: the same EVSE twice, no EVSE at all, or `EvseNotFound`.
    """
    records = push.operator_evse_status.evse_status_record
    ids = [record.evse_id for record in records]
    if twice := sorted(one for one, times in Counter(ids).items() if times > 1):
        raise Refusal(f"twice in one request: {', '.join(twice)}", 200, acknowledged("018", "Duplicate EVSE IDs"))
    if not records and push.action_type is not ActionType.FULL_LOAD:
        raise Refusal(f"{push.action_type} of nothing", 200, acknowledged("022", "Data error", "no EvseStatusRecord"))
    if absent := [one.evse_id for one in records if one.evse_status is EvseStatus.EVSE_NOT_FOUND]:
        raise Refusal(f"EvseNotFound pushed: {', '.join(absent)}", 200, acknowledged("022", "Data error"))


def misfit(place: str, message: str) -> Refusal:
    """Refuse a body that does not fit the schema, as Hubject names places: by members, first letters small."""
    body = SchemaFault(
        message="Error parsing/validating JSON.",
        validation_errors=[ValidationError(field_reference=place, error_message=message)],
    )
    return Refusal(f"schema: {message} at {place or 'the whole'}", 400, body)


def _message_and_place(error: str) -> tuple[str, str]:
    """Split a decoder's message from the place it names, written as Hubject writes places: lower case first."""
    split = _PLACE.fullmatch(error)
    text, place = (split[1], split[2] or "") if split else (error, "")
    return text, ".".join(part[:1].lower() + part[1:] for part in place.split("."))
