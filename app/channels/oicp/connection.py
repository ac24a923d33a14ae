"""Presented statuses in Hubject's words, pushed one at a time, in bundles, or all at once."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from app.channels.channel import Message
from app.channels.oicp import bundle, codes
from app.channels.oicp.answers import Judgement, judge
from app.channels.oicp.settings import OicpSettings
from app.channels.oicp.wire import (
    EVSE_ID,
    ActionType,
    EvseStatus,
    EvseStatusRecord,
    OperatorEvseStatus,
    PushEvseStatus,
)
from app.channels.outcomes import Apart, Delivered, Outcome, Rejected, Replaced
from app.channels.transport import Answer, Transport
from app.clock import Clock
from app.domain.daily import Daily
from app.domain.delivery import Notice

HEADERS: Final = {"Content-Type": "application/json"}


class OicpConnection:
    """One operator at Hubject. At most one `deliver` may be under way; the channel's lane sees to it.

    Spec: OICP 2.3 CPO §eRoamingPushEvseStatus_V2.1; §Data push operations
    """

    def __init__(self, settings: OicpSettings, transport: Transport, clock: Clock) -> None:
        self._settings = settings
        self._url = settings.url
        self._table = settings.table
        self._transport = transport
        self._clock = clock
        self._interval = 60 / settings.requests_per_minute
        self._next_at = 0.0  #: on the monotonic clock, before which the rate lets no request go

    def translate(self, notice: Notice) -> Message:
        """Say the presentation as an `update` of the EVSE's status record, or as its `delete` behind the gate.

        The EVSE ID goes out in capitals, which every published form of the schema accepts. An EVSE that has none, or
        one that OICP cannot express, becomes a message that `deliver` rejects without sending it.
        """
        word = self._table.word(notice.presentation.what)
        action = ActionType.DELETE if word is None else ActionType.UPDATE
        said = str(action if word is None else word)
        evse_id = (notice.evse.evse_id or "").upper()
        if not EVSE_ID.fullmatch(evse_id):
            return Message(
                said, f"{action} {word or '-'} unsaid", Rejected(_unsayable(notice.evse.evse_id), asked=False)
            )
        # The schema wants a status even for a record that is to go.
        record = EvseStatusRecord(evse_id=evse_id, evse_status=word or EvseStatus.OUT_OF_SERVICE)
        return Message(said, f"{action} {word or '-'} {evse_id}", self._push(action, record))

    async def deliver(self, message: Message) -> Outcome:
        """Push the one record; an `update` that found no record to update is followed by one `insert`.

        Sends two requests at the most, the second after the first was answered: twice the timeout in all.
        """
        push = message.content
        if isinstance(push, Rejected):
            return push
        first = await self._send(push)
        if not isinstance(first.outcome, Rejected):
            return first.outcome
        match push.action_type:
            case ActionType.UPDATE if first.code in codes.NO_RECORD_TO_UPDATE:
                insert = msgspec.structs.replace(push, action_type=ActionType.INSERT)
                return _after_update(first.outcome, (await self._send(insert)).outcome)
            case ActionType.DELETE if first.code in codes.NO_RECORD_TO_DELETE:
                return Delivered(f"nothing to delete: {first.outcome.reason}", first.outcome.reference)
        return first.outcome

    @property
    def largest_bundle(self) -> int:
        return self._settings.largest_bundle

    async def deliver_together(self, messages: Sequence[Message]) -> list[Outcome]:
        """Push the records in one request; an `update` that found none to update is followed by one `insert`.

        A refusal is split: the EVSEs that it names are judged as if alone, the others are `Apart`.
        """
        pushes = [None if isinstance(one.content, Rejected) else one.content for one in messages]
        outcomes: list[Outcome] = [
            one.content if isinstance(one.content, Rejected) else Apart("not in the same push") for one in messages
        ]
        places = bundle.together(pushes)
        going = [push for place in places if (push := pushes[place]) is not None]
        if not going:
            return outcomes
        records = tuple(record for push in going for record in push.operator_evse_status.evse_status_record)
        push = self._push(going[0].action_type, *records)
        for place, outcome in zip(places, await self._push_together(push, records), strict=True):
            outcomes[place] = outcome
        return outcomes

    @property
    def daily(self) -> Daily | None:
        return self._settings.daily

    async def replace_all(self, messages: Sequence[Message]) -> Replaced:
        """Push all records as one `fullLoad`. None of the messages may be a `delete`: what is gone is left out."""
        records = tuple(record for one in messages for record in one.content.operator_evse_status.evse_status_record)
        judgement = await self._send(self._push(ActionType.FULL_LOAD, *records))
        if not isinstance(judgement.outcome, Rejected):
            return Replaced(judgement.outcome)
        return Replaced(judgement.outcome, frozenset(bundle.named(records, judgement.about)))

    async def close(self) -> None:
        await self._transport.close()

    async def _push_together(self, push: PushEvseStatus, records: Sequence[EvseStatusRecord]) -> list[Outcome]:
        judgement = await self._send(push)
        if push.action_type is ActionType.UPDATE and judgement.code in codes.NO_RECORD_TO_UPDATE:
            return await self._insert_together(records, bundle.named(records, judgement.about))
        if not isinstance(judgement.outcome, Rejected):
            return [judgement.outcome for _ in records]
        about = bundle.named(records, judgement.about)
        judged: Outcome = judgement.outcome
        if push.action_type is ActionType.DELETE and judgement.code in codes.NO_RECORD_TO_DELETE:
            judged = Delivered(f"nothing to delete: {judgement.outcome.reason}", judgement.outcome.reference)
        return [judged if place in about else _apart(judgement.outcome) for place in range(len(records))]

    async def _insert_together(self, records: Sequence[EvseStatusRecord], missing: Collection[int]) -> list[Outcome]:
        """Insert those that an `update` found missing; all of them, where Hubject did not say which."""
        going = [one for place, one in enumerate(records) if place in missing or not missing]
        outcome = (await self._send(self._push(ActionType.INSERT, *going))).outcome
        if isinstance(outcome, Rejected):
            return [_apart(outcome) for _ in records]  # perhaps some of them do have a record
        others = Apart("not performed, as it was pushed with others that had no record", outcome.reference)
        return [outcome if one in going else others for one in records]

    def _push(self, action: ActionType, *records: EvseStatusRecord) -> PushEvseStatus:
        return PushEvseStatus(
            action_type=action,
            operator_evse_status=OperatorEvseStatus(
                operator_id=self._settings.operator_id,
                operator_name=self._settings.operator_name or msgspec.UNSET,
                evse_status_record=records,
            ),
        )

    async def _send(self, push: PushEvseStatus) -> Judgement:
        if (wait := self._next_at - self._clock.monotonic()) > 0:
            await asyncio.sleep(min(wait, self._interval))
        self._next_at = self._clock.monotonic() + self._interval
        sent = await self._transport.send("POST", self._url, headers=HEADERS, body=msgspec.json.encode(push))
        if not isinstance(sent, Answer):
            return Judgement(sent)
        return judge(sent, self._clock.now())


def _apart(rejected: Rejected) -> Apart:
    return Apart(f"not performed, as it was pushed with others: {rejected.reason}", rejected.reference)


def _unsayable(evse_id: str | None) -> str:
    if evse_id is None:
        return "Hubject knows EVSEs only by their EVSE ID, and this one has none: register it with one"
    return f"{evse_id!r} is no EVSE ID that Hubject can take, such as DE*ABC*E1234*1: correct it"


def _after_update(update: Rejected, insert: Outcome) -> Outcome:
    """Return the insert's outcome, with the update's refusal told too, as neither explains itself alone."""
    match insert:
        case Delivered():
            return Delivered(f"inserted, as there was nothing to update: {insert.detail}", insert.reference)
        case Rejected():
            reason = f"insert: {insert.reason}; update before it: {update.reason}"
            return msgspec.structs.replace(insert, reason=reason)
    return insert
