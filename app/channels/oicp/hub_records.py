"""The status records that the simulated Hubject keeps, and which pushes they allow."""

from collections.abc import Collection, Mapping

import msgspec
from msgspec import UNSET

from app.channels.oicp.hub_behaviour import Behaviour
from app.channels.oicp.hub_rules import Refusal, acknowledged
from app.channels.oicp.wire import ActionType, EvseStatus, EvseStatusRecord, OperatorEvseStatus, PushEvseStatus
from app.domain.evse_id import Form, operator_key, parse_evse_id


class Records:
    """`shown` is the status of each EVSE that has a record, by EVSE ID as it was pushed."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        self._owner: dict[str, str] = {}
        self._called: dict[str, OperatorEvseStatus] = {}

    def apply(self, push: PushEvseStatus) -> None:
        """Do what the push says. A `fullLoad` replaces all that the operator had, whatever form its id has.

        Spec: OICP 2.3 EMP §eRoamingPushAuthenticationData, which the status push refers to for its actions
        """
        told = push.operator_evse_status
        operator = operator_key(told.operator_id)
        self._called[operator] = told
        match push.action_type:
            case ActionType.DELETE:
                for record in told.evse_status_record:
                    self.shown.pop(record.evse_id, None)
                return
            case ActionType.FULL_LOAD:
                for evse_id in [one for one, owner in self._owner.items() if owner == operator]:
                    self.shown.pop(evse_id, None)
        for record in told.evse_status_record:
            self.shown[record.evse_id] = record.evse_status.value
            self._owner[record.evse_id] = operator

    def by_operator(self, status: EvseStatus | None = None) -> dict[str, OperatorEvseStatus]:
        """What an EMP would pull now, by the key of the operator that pushed it; sub-operators' among its own."""
        records: dict[str, list[EvseStatusRecord]] = {}
        for evse_id, word in sorted(self.shown.items()):
            if status is None or word == status:
                operator = self._owner.get(evse_id) or parse_evse_id(evse_id).operator
                record = EvseStatusRecord(evse_id=evse_id, evse_status=EvseStatus(word))
                records.setdefault(operator, []).append(record)
        return {operator: self._block(operator, own) for operator, own in records.items()}

    def by_id(self, evse_ids: Collection[str]) -> tuple[EvseStatusRecord, ...]:
        """Return the records of these EVSEs, in that order, and Hubject's own word where there is none."""
        absent = EvseStatus.EVSE_NOT_FOUND.value
        return tuple(
            EvseStatusRecord(evse_id=one, evse_status=EvseStatus(self.shown.get(one, absent))) for one in evse_ids
        )

    def _block(self, operator: str, records: list[EvseStatusRecord]) -> OperatorEvseStatus:
        called = self._called.get(operator)
        return OperatorEvseStatus(
            operator_id=called.operator_id if called else operator,
            operator_name=called.operator_name if called else UNSET,
            evse_status_record=tuple(records),
        )


class Impossible(Refusal):
    """A push that the records, or their absence, do not allow; `evse_ids` are those it is impossible for."""

    def __init__(self, evse_ids: Collection[str], code: str, description: str, info: str | None) -> None:
        super().__init__(None, 200, acknowledged(code, description, info))
        self.evse_ids = evse_ids


def check_possible(
    push: PushEvseStatus, shown: Mapping[str, str], known: Collection[str] | None, behaviour: Behaviour
) -> None:
    """Check that the EVSEs exist, and that their records do, or do not, as the action needs it.

    `known` are the EVSEs with EvseData, `None` meaning any.

    Raises:
        Impossible: it cannot be done for some of them. Nothing of it is the client's fault.
    """
    ids = [record.evse_id for record in push.operator_evse_status.evse_status_record]
    unknown = [] if known is None else [one for one in ids if one not in known]
    match push.action_type:
        case ActionType.INSERT:
            impossible = [one for one in ids if one in shown]
        case ActionType.UPDATE | ActionType.DELETE if behaviour.strict_update:
            impossible = [one for one in ids if one not in shown]
        case _:
            impossible = []
    refused = {*unknown, *impossible}
    if unknown:
        info = _names_of_missing(unknown, behaviour)
        raise Impossible(refused, "603", "One or more EVSE data record not found!", info)
    if impossible:
        exists = "already exists" if push.action_type is ActionType.INSERT else "does not exist"
        info = f"EVSE status record {exists}: {','.join(impossible)}"[: behaviour.longest_info]
        description = "Data error" if behaviour.impossible_code == "022" else "Data transaction error"
        raise Impossible(refused, behaviour.impossible_code, description, info)


def without(push: PushEvseStatus, evse_ids: Collection[str]) -> PushEvseStatus:
    """Leave out the records of these EVSEs."""
    told = push.operator_evse_status
    rest = tuple(record for record in told.evse_status_record if record.evse_id not in evse_ids)
    return msgspec.structs.replace(push, operator_evse_status=msgspec.structs.replace(told, evse_status_record=rest))


def _names_of_missing(evse_ids: list[str], behaviour: Behaviour) -> str | None:
    match behaviour.names_missing:
        case "none":
            return None
        case "without separators":
            names = [_without_separators(one) for one in evse_ids]
        case "as sent":
            names = evse_ids
    return f"EVSE data records missing for EvseIDs: {','.join(names)}"[: behaviour.longest_info]


def _without_separators(evse_id: str) -> str:
    """Take the separators out where they may be left out, which is not so in the DIN form."""
    return evse_id.replace("*", "") if parse_evse_id(evse_id).form is Form.ISO else evse_id
