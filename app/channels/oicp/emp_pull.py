"""What an EMP would pull from the simulated Hubject now. Nothing that is asked wrongly is held against the CPO."""

import re
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import unquote

from app.channels.oicp.emp_wire import (
    MOST_EVSE_IDS,
    PROVIDER_ID,
    EvseStatusAnswer,
    EvseStatusByIdAnswer,
    EvseStatuses,
    EvseStatusRecords,
    PullEvseStatus,
    PullEvseStatusById,
    PullEvseStatusByOperatorId,
)
from app.channels.oicp.hub_answers import Answer, said
from app.channels.oicp.hub_certificate import Client, check_provider, provider_key
from app.channels.oicp.hub_records import Records
from app.channels.oicp.hub_request import Request, addressed_partner, check_head
from app.channels.oicp.hub_rules import OPERATOR_REFUSALS, Refusal, misfit, read_as
from app.channels.oicp.wire import EVSE_ID, OPERATOR_ID, EvseStatus, OperatorEvseStatus, StatusCode
from app.domain.evse_id import operator_key

PULL: Final = "/api/oicp/evsepull/"  #: where all that EMPs ask begins

_PATH: Final = re.compile(PULL + r"v21/providers/([^/]+)/status-records(?:-by-(?:operator-)?id)?")
_DONE: Final = StatusCode(code="000", description="Success")

_Asked = TypeVar("_Asked", PullEvseStatus, PullEvseStatusByOperatorId, PullEvseStatusById)


def pulled(request: Request, client: Client, records: Records) -> Answer:
    """Answer one of the three questions.

    Spec: OICP 2.3 EMP §eRoamingPullEvseStatus_V2.1

    Raises:
        Refusal: it is none of them, or not asked by the EMP that it names.
    """
    provider = unquote(addressed_partner(request, _PATH))
    check_head(request)
    if not PROVIDER_ID.fullmatch(provider):
        raise misfit("providerID", f"not a ProviderID: {provider}")
    check_provider(client, provider)
    match request.path.rpartition("/")[2]:
        case "status-records":
            asked = _read(request, PullEvseStatus, provider)
            wanted = asked.evse_status if isinstance(asked.evse_status, EvseStatus) else None
            return _blocks(records.by_operator(wanted), lambda _: True)
        case "status-records-by-operator-id":
            operators = {
                operator_key(one) for one in _operator_ids(_read(request, PullEvseStatusByOperatorId, provider))
            }
            return _blocks(records.by_operator(), operators.__contains__)
        case _:
            evse_ids = _evse_ids(_read(request, PullEvseStatusById, provider))
            return said(EvseStatusByIdAnswer(EvseStatusRecords(records.by_id(evse_ids)), _DONE))


def _blocks(by_operator: dict[str, OperatorEvseStatus], asked_for: Callable[[str], bool]) -> Answer:
    blocks = tuple(block for operator, block in sorted(by_operator.items()) if asked_for(operator))
    return said(EvseStatusAnswer(EvseStatuses(blocks), _DONE))


def _read(request: Request, as_type: type[_Asked], provider: str) -> _Asked:
    asked = read_as(request.body, as_type)
    if provider_key(asked.provider_id) != provider_key(provider):
        wrong = f"ProviderID {asked.provider_id} in the body, {provider} in the path"
        raise Refusal(wrong, *OPERATOR_REFUSALS["017"])
    return asked


def _operator_ids(asked: PullEvseStatusByOperatorId) -> tuple[str, ...]:
    for number, one in enumerate(asked.operator_id):
        if not OPERATOR_ID.fullmatch(one):
            raise misfit(f"operatorID[{number}]", f"not an OperatorID: {one}")
    return asked.operator_id


def _evse_ids(asked: PullEvseStatusById) -> tuple[str, ...]:
    if not 1 <= len(asked.evse_id) <= MOST_EVSE_IDS:
        raise misfit("evseID", f"1 to {MOST_EVSE_IDS} can be asked for, not {len(asked.evse_id)}")
    for number, one in enumerate(asked.evse_id):
        if not EVSE_ID.fullmatch(one):
            raise misfit(f"evseID[{number}]", f"not an EvseID: {one}")
    return asked.evse_id
