"""What the simulated Hubject holds against a request: pure, so that each rule can be seen to bite."""

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import unquote

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
    status_records_path,
)
from app.domain.evse_id import operator_key, parse_evse_id

_PATH: Final = re.compile(status_records_path("([^/]+)"))
_PLACE: Final = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)
_JSON: Final = re.compile(r"application/json(\s*;\s*charset=\"?utf-8\"?)?", re.IGNORECASE)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it came off the wire; `path` still percent-encoded."""

    method: str
    path: str
    content_type: str
    body: bytes


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


def addressed_operator(request: Request) -> str:
    """Return the operator id in the path, decoded.

    Spec: OICP 2.3 CPO §eRoamingPushEvseStatus_V2.1

    Raises:
        Refusal: the address, the method or the content type is not that of a status push.
    """
    place = _PATH.fullmatch(request.path)
    if place is None:
        text = f"OICP service not found for URI: {request.path}"
        raise Refusal(f"no such path: {request.path}", 404, fault("001", text))
    if request.method != "POST":
        raise Refusal(f"{request.method} where POST is due", 405, SchemaFault(message="Method not allowed"))
    if not _JSON.fullmatch(request.content_type.strip()):
        raise Refusal(f"content type {request.content_type!r}", 415, SchemaFault(message="Unsupported media type"))
    operator = unquote(place[1])
    if not OPERATOR_ID.fullmatch(operator):
        raise _misfit("operatorID", f"not an OperatorID: {operator}")
    return operator


def read_push(request: Request) -> PushEvseStatus:
    """Read the body, as strictly as the schema can be read.

    Spec: OICP 2.3 CPO §OperatorEvseStatusType; §EvseStatusRecordType; §EvseIDType

    Raises:
        Refusal: something in it is missing, unknown, too long or not of its type.
    """
    try:
        push = msgspec.json.decode(request.body, type=PushEvseStatus)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        text, place = _message_and_place(str(error))
        raise _misfit(place, text) from None
    told = push.operator_evse_status
    if not OPERATOR_ID.fullmatch(told.operator_id):
        raise _misfit("operatorEvseStatus.operatorID", f"not an OperatorID: {told.operator_id}")
    if isinstance(told.operator_name, str) and len(told.operator_name) > LONGEST_OPERATOR_NAME:
        raise _misfit("operatorEvseStatus.operatorName", "longer than 100 characters")
    for number, record in enumerate(told.evse_status_record):
        if not EVSE_ID.fullmatch(record.evse_id):
            place = f"operatorEvseStatus.evseStatusRecord[{number}].evseID"
            raise _misfit(place, f"not an EvseID: {record.evse_id}")
    return push


def check_partner(push: PushEvseStatus, operator: str, operators: Mapping[str, Collection[str]] | None) -> None:
    """Check that the push is of the operator that the path names, and about EVSEs that it may speak for.

    `operators` are those that have an account, each with its sub-operators; `None` lets everybody in.

    Spec: OICP 2.3 CPO §Security; §Hub Provider and Hub Operator

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
    if operators is None:
        return
    accounts = {operator_key(hub): {operator_key(one) for one in (hub, *subs)} for hub, subs in operators.items()}
    own = accounts.get(operator_key(operator))
    if own is None:
        raise Refusal(f"no operator {operator} is registered", 404, fault("300", "Partner not found"))
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
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise Refusal(f"twice in one request: {', '.join(twice)}", 200, acknowledged("018", "Duplicate EVSE IDs"))
    if not records and push.action_type is not ActionType.FULL_LOAD:
        raise Refusal(f"{push.action_type} of nothing", 200, acknowledged("022", "Data error", "no EvseStatusRecord"))
    if absent := [one.evse_id for one in records if one.evse_status is EvseStatus.EVSE_NOT_FOUND]:
        raise Refusal(f"EvseNotFound pushed: {', '.join(absent)}", 200, acknowledged("022", "Data error"))


def check_possible(
    push: PushEvseStatus, shown: Collection[str], known: Collection[str] | None, *, strict_update: bool
) -> None:
    """Check that the EVSEs exist, and that their records do, or do not, as the action needs it. All or nothing.

    `known` are the EVSEs with EvseData, `None` meaning any. With `strict_update` an `update` or `delete` needs a
    record, as documented; without, it goes through regardless, as seen in production.

    Raises:
        Refusal: it is not possible. Nothing of it is the client's fault.
    """
    ids = [record.evse_id for record in push.operator_evse_status.evse_status_record]
    if known is not None and (unknown := [one for one in ids if one not in known]):
        info = f"EVSE data records missing for EvseIDs: {','.join(unknown)}"
        raise Refusal(None, 200, acknowledged("603", "One or more EVSE data record not found!", info))
    match push.action_type:
        case ActionType.INSERT:
            impossible = [one for one in ids if one in shown]
        case ActionType.UPDATE | ActionType.DELETE if strict_update:
            impossible = [one for one in ids if one not in shown]
        case _:
            impossible = []
    if impossible:
        exists = "already exists" if push.action_type is ActionType.INSERT else "does not exist"
        info = f"EVSE status record {exists}: {','.join(impossible)}"
        raise Refusal(None, 200, acknowledged("009", "Data transaction error", info))


def _status(code: str, description: str | None, info: str | None) -> StatusCode:
    return StatusCode(code=code, description=description, additional_info=info)


def _misfit(place: str, message: str) -> Refusal:
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
