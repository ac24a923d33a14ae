"""Several records in one push: which may go together, and which of them a refusal is about. Pure.

Hubject performs a push as a whole or not at all, so one EVSE that it does not know keeps out all that go with it.
"""

import re
from collections.abc import Sequence
from typing import Final

from app.channels.oicp.wire import EvseStatusRecord, PushEvseStatus
from app.domain.errors import MalformedEvseId
from app.domain.evse_id import parse_evse_id

_WORD: Final = re.compile(r"[A-Za-z0-9+*]+")
_PLACE: Final = re.compile(r"evseStatusRecord\[([0-9]{1,6})\]", re.IGNORECASE)


def together(pushes: Sequence[PushEvseStatus | None]) -> list[int]:
    """Return the places of those that can go in one push with the first: the same action, each EVSE once.

    Spec: OICP 2.3 CPO §eRoamingPushEvseStatus_V2.1; the same EVSE twice in one request is refused with 018.
    """
    action = next((push.action_type for push in pushes if push is not None), None)
    seen: set[str] = set()
    places = []
    for place, push in enumerate(pushes):
        if push is None or push.action_type is not action:
            continue
        keys = {key_of(record.evse_id) for record in push.operator_evse_status.evse_status_record}
        if seen.isdisjoint(keys):
            seen |= keys
            places.append(place)
    return places


def named(records: Sequence[EvseStatusRecord], about: str) -> set[int]:
    """Return the places of the records that a refusal is about: named by EVSE ID, or by their place in the request.

    EVSE IDs are compared without separators, as Hubject has been seen to name them so.
    """
    keys = {key_of(word) for word in _WORD.findall(about)}
    places = {int(place) for place in _PLACE.findall(about)}
    return {place for place, one in enumerate(records) if place in places or key_of(one.evse_id) in keys}


def key_of(evse_id: str) -> str:
    """Return what two forms of one EVSE ID share; the text itself where it is no EVSE ID."""
    try:
        return parse_evse_id(evse_id).key
    except MalformedEvseId:
        return evse_id
