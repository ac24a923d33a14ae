"""A simulated Hubject on a socket: as strict as the specification, and it remembers everything that was wrong.

`hub_rules.py` judges a request by itself; this file judges the sequence, keeps the records, and misbehaves on demand.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias
from uuid import uuid4

import msgspec
from litestar import Litestar, asgi
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from app.channels.oicp import hub_rules
from app.channels.oicp.hub_rules import Refusal, Request, acknowledged, fault
from app.channels.oicp.wire import ActionType, PushEvseStatus
from app.clock import Clock
from app.domain.evse_id import operator_key

#: `cut` applies the push and breaks off in the middle of the answer; `slow` applies it and answers after `slow_by`;
#: the others do not apply it.
Trouble: TypeAlias = Literal["500", "429", "garbage", "017", "cut", "slow"]


class Received(NamedTuple):
    """One record of a well-formed push, applied or not. `at` (UTC) is when the request had arrived."""

    at: datetime
    evse_id: str
    action: str
    status: str


class Answer(msgspec.Struct, frozen=True):
    """What the hub answers; `cut` leaves out the second half of the body."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=utf-8"
    cut: bool = False


class Hub:
    """Hubject as one or several operators see it.

    `shown` is what EMPs could read, by EVSE ID; `received` everything that was pushed, in order; `wrong` what was done
    against the specification, in words. `delay` and `slow_by` are seconds. `known` are the EVSEs with EvseData;
    `operators` those with an account, each with its sub-operators; `None` leaves either unjudged. `strict_update`
    refuses an `update` or `delete` of an EVSE without a record, as documented, where the real one was seen to insert.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        delay: float = 0.0,
        known: set[str] | None = None,
        strict_update: bool = False,
        operators: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.delay = delay
        self.known = known
        self.strict_update = strict_update
        self.operators = operators
        self.fault: Trouble | None = None
        self.slow_by = 30.0
        self.shown: dict[str, str] = {}
        self.received: list[Received] = []
        self.wrong: list[str] = []
        self._clock = clock
        self._owner: dict[str, str] = {}
        self._under_way: set[str] = set()
        self.app = Litestar(
            [asgi("/", is_mount=True, copy_scope=False)(self._serve)], openapi_config=None, logging_config=None
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            content_type=headers.get("content-type", ""),
            body=await _body(receive),
        )
        try:
            answer = await self._answer(request, receive)
        except Refusal as refusal:
            if refusal.wrong is not None:
                self.wrong.append(refusal.wrong)
            answer = Answer(refusal.status, msgspec.json.encode(refusal.body))
        await _send(answer, send)

    async def _answer(self, request: Request, receive: Receive) -> Answer:
        arrived = self._clock.now()
        operator = hub_rules.addressed_operator(request)
        async with self._in_sequence(operator):
            push = hub_rules.read_push(request)
            self.received += [
                Received(arrived, record.evse_id, push.action_type.value, record.evse_status.value)
                for record in push.operator_evse_status.evse_status_record
            ]
            hub_rules.check_partner(push, operator, self.operators)
            hub_rules.check_records(push)
            await _pause(self.delay, receive)
            trouble = self.fault
            if (instead := _instead(trouble)) is not None:
                return instead
            hub_rules.check_possible(push, self.shown, self.known, strict_update=self.strict_update)
            self._apply(push, operator)
            if trouble == "slow":
                await _pause(self.slow_by, receive)
            return Answer(200, msgspec.json.encode(acknowledged()), cut=trouble == "cut")

    @asynccontextmanager
    async def _in_sequence(self, operator: str) -> AsyncGenerator[None]:
        """Hold the operator's turn until it is answered, or gave up waiting.

        Spec: OICP 2.3 CPO §Data push operations
        """
        turn = operator_key(operator)
        if turn in self._under_way:
            body = acknowledged("009", "Data transaction error", "The push of data is already in progress.")
            raise Refusal(f"a push of {operator} while another one is under way", 200, body)
        self._under_way.add(turn)
        try:
            yield
        finally:
            self._under_way.discard(turn)

    def _apply(self, push: PushEvseStatus, operator: str) -> None:
        records = push.operator_evse_status.evse_status_record
        match push.action_type:
            case ActionType.DELETE:
                for record in records:
                    self.shown.pop(record.evse_id, None)
                return
            case ActionType.FULL_LOAD:
                for evse_id in [one for one, owner in self._owner.items() if owner == operator]:
                    self.shown.pop(evse_id, None)
        for record in records:
            self.shown[record.evse_id] = record.evse_status.value
            self._owner[record.evse_id] = operator


def _instead(trouble: Trouble | None) -> Answer | None:
    """Return what is answered in place of performing the push."""
    match trouble:
        case "500":
            return Answer(500, msgspec.json.encode(fault("001", "Unexpected error checking partners: null")))
        case "017":
            return Answer(401, msgspec.json.encode(fault("017", "Unauthorized Access")))
        case "429":
            return Answer(429, b"<html><body>429 Too Many Requests</body></html>", "text/html")
        case "garbage":
            return Answer(200, b"<html><body>Back soon</body></html>", "text/html")
        case "cut" | "slow" | None:
            return None


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while (event := await receive())["type"] == "http.request":
        body += event["body"]
        if not event["more_body"]:
            break
    return bytes(body)


async def _pause(seconds: float, receive: Receive) -> None:
    """Wait, but no longer than the client does."""
    if seconds <= 0:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _send(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if answer.content_type.startswith("application/json"):
        headers.append((b"process-id", str(uuid4()).encode()))
    body = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    # Short of what was announced and with no more to come, the server can only hang up.
    await send({"type": "http.response.body", "body": body, "more_body": answer.cut})
