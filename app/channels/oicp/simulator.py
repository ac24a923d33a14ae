"""A simulated Hubject on a socket: as strict as the specification, and it remembers everything that was wrong.

`hub_request.py`, `hub_certificate.py` and `hub_rules.py` judge a request by itself, `hub_traffic.py` their sequence;
`hub_records.py` is what it keeps, `emp_pull.py` what EMPs read of it. This file puts it together, and misbehaves.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from litestar import Litestar, asgi
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from app.channels.faults import Faults
from app.channels.oicp import hub_answers, hub_records, hub_rules
from app.channels.oicp.emp_pull import PULL, pulled
from app.channels.oicp.hub_answers import Answer, pause, said, wait_for
from app.channels.oicp.hub_behaviour import Behaviour, Trouble
from app.channels.oicp.hub_certificate import Client, check_client, client_of
from app.channels.oicp.hub_records import Impossible, Records
from app.channels.oicp.hub_request import Request, addressed_operator, request_of
from app.channels.oicp.hub_rules import Refusal, acknowledged
from app.channels.oicp.hub_traffic import Traffic
from app.channels.oicp.wire import PushEvseStatus
from app.clock import Clock

__all__ = ["Behaviour", "Hub", "Pushed", "Received", "Trouble"]


class Received(NamedTuple):
    """One record of a well-formed push, applied or not. `at` (UTC) is when the request had arrived."""

    at: datetime
    evse_id: str
    action: str
    status: str


class Pushed(NamedTuple):
    """One well-formed push, applied or not, and how many records it had."""

    at: datetime
    operator: str
    action: str
    records: int


class _Late(NamedTuple):
    """A push that is still to be applied, when `timer` rings; `applied` tells the client that waits for it."""

    push: PushEvseStatus
    timer: asyncio.TimerHandle
    applied: asyncio.Event


class Hub:
    """Hubject as one or several operators see it; over TLS, it knows them by their certificates.

    `shown` is what EMPs could read, by EVSE ID; `received` and `pushed` everything that was pushed, in order; `wrong`
    what was done against the specification, in words. `delay`, `slow_by` and `late_by` are seconds. `known` are the
    EVSEs with EvseData; `operators` those with an account, each with its sub-operators; `None` leaves either unjudged.
    `fault` is the trouble that every push gets, `faults` scripts and draws it. All may be changed while it runs.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        delay: float = 0.0,
        known: set[str] | None = None,
        strict_update: bool = False,
        operators: Mapping[str, Collection[str]] | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.delay = delay
        self.known = known
        self.operators = operators
        self.behaviour = behaviour or Behaviour()
        if strict_update:
            self.strict_update = True
        self.faults = Faults[Trouble]()
        self.slow_by = 30.0
        self.late_by = 5.0
        self.received: list[Received] = []
        self.pushed: list[Pushed] = []
        self.wrong: list[str] = []
        self._clock = clock
        self._records = Records()
        self._traffic = Traffic()
        self._late: list[_Late] = []
        self.app = Litestar(
            [asgi("/", is_mount=True, copy_scope=False)(self._serve)], openapi_config=None, logging_config=None
        )

    @property
    def shown(self) -> dict[str, str]:
        return self._records.shown

    @property
    def fault(self) -> Trouble | None:
        return self.faults.always

    @fault.setter
    def fault(self, trouble: Trouble | None) -> None:
        self.faults.always = trouble

    @property
    def strict_update(self) -> bool:
        """Whether an `update` or `delete` without a record is refused, with 009 unless `behaviour` says otherwise."""
        return self.behaviour.strict_update

    @strict_update.setter
    def strict_update(self, strict: bool) -> None:
        if strict != self.behaviour.strict_update:
            self.behaviour = msgspec.structs.replace(self.behaviour, without_record="009" if strict else "upsert")

    @property
    def pending(self) -> int:
        """The number of pushes that are still to be applied."""
        return len(self._late)

    def apply_pending(self) -> None:
        """Apply them now, in the order in which they came."""
        for late in list(self._late):
            self._apply_late(late.push)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        client = client_of(scope)
        request = await request_of(scope, receive)
        try:
            answer = self._at_the_door(client)
            if answer is None:
                if request.path.startswith(PULL):
                    answer = pulled(request, client, self._records)
                else:
                    answer = await self._push(request, client, receive)
        except Refusal as refusal:
            if refusal.wrong is not None and not request.path.startswith(PULL):
                self.wrong.append(refusal.wrong)
            answer = said(refusal.body, refusal.status)
        await hub_answers.send_answer(answer, send)

    def _at_the_door(self, client: Client) -> Answer | None:
        """Turn away, as the proxy in front does, who comes without TLS or without a certificate."""
        if not client.by_tls:
            if self.behaviour.plain_http:
                return None
            self.wrong.append("a call without TLS")
            return hub_answers.page(400, "Bad Request", hub_answers.PLAIN_HTTP)
        if client.partner_ids is None and self.behaviour.without_certificate == "page":
            self.wrong.append("a call without a client certificate")
            return hub_answers.page(400, "Bad Request", hub_answers.NO_CERTIFICATE)
        return None

    async def _push(self, request: Request, client: Client, receive: Receive) -> Answer:
        arrived = self._clock.now()
        operator = addressed_operator(request)
        check_client(client, operator)
        if wrong := self._traffic.too_many(operator, arrived, self.behaviour.per_minute):
            self.wrong.append(wrong)
            return hub_answers.too_many(self.behaviour.retry_after)
        with self._traffic.turn_of(operator) as wrong:
            if wrong is not None:
                self.wrong.append(wrong)
                if self.behaviour.parallel == "refused":
                    return said(acknowledged("009", "Data transaction error", hub_answers.BUSY))
            push = hub_rules.read_push(request.body)
            self._remember(push, arrived)
            hub_rules.check_partner(push, operator, self.operators, self.behaviour.refused)
            hub_rules.check_records(push)
            await pause(self.delay, receive)
            return await self._performed(push, self.faults.next(), receive)

    async def _performed(self, push: PushEvseStatus, trouble: Trouble | None, receive: Receive) -> Answer:
        if (instead := hub_answers.instead(trouble, self.behaviour.retry_after)) is not None:
            return instead
        if trouble in {"late", "late-504", "late-silent"}:
            late = self._put_off(push)
            if trouble == "late-silent":
                await wait_for(late.applied, receive)
            return hub_answers.performed(trouble)
        self._apply(push)
        if trouble == "slow":
            await pause(self.slow_by, receive)
        return hub_answers.performed(trouble)

    def _apply(self, push: PushEvseStatus) -> None:
        """Apply a push to the records as they are now.

        Raises:
            Impossible: it was not applied, or not all of it.
        """
        try:
            hub_records.check_possible(push, self.shown, self.known, self.behaviour)
        except Impossible as impossible:
            if not self.behaviour.all_or_nothing:
                self._records.apply(hub_records.without(push, impossible.evse_ids))
            raise
        self._records.apply(push)

    def _put_off(self, push: PushEvseStatus) -> _Late:
        timer = asyncio.get_running_loop().call_later(self.late_by, self._apply_late, push)
        late = _Late(push, timer, asyncio.Event())
        self._late.append(late)
        return late

    def _apply_late(self, push: PushEvseStatus) -> None:
        late = next(one for one in self._late if one.push is push)
        self._late.remove(late)
        late.timer.cancel()
        with contextlib.suppress(Impossible):  # nobody is left to be told
            self._apply(push)
        late.applied.set()

    def _remember(self, push: PushEvseStatus, at: datetime) -> None:
        told, action = push.operator_evse_status, push.action_type.value
        self.pushed.append(Pushed(at, told.operator_id, action, len(told.evse_status_record)))
        self.received += [Received(at, one.evse_id, action, one.evse_status.value) for one in told.evse_status_record]
