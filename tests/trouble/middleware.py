"""Trouble between us and a partner, in front of any ASGI application: lost, late, half, refused, never answered."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from tests.trouble.doorway import HANG_UP
from tests.trouble.in_flight import InFlight
from tests.trouble.plans import LATEST, End, Plans
from tests.trouble.pulse import Pulse

_TURNS: Final = 10  #: of the event loop, within which a connection that was closed is known to be
_Said: TypeAlias = tuple[int, dict[bytes, bytes], bytes]
_FAILURE: Final[_Said] = (500, {}, b"out of order")
_COME_BACK: Final[_Said] = (429, {b"retry-after": b"1"}, b"later")
_GARBAGE: Final[_Said] = (200, {b"content-encoding": b"gzip", b"content-type": b"application/json"}, b"not gzip at all")


class Troubled:
    """An application whose answers are not to be relied on, nor when it does what it was asked.

    `lane_of` tells, from the scope and the body, in which lane a request is: what must not be under way at once.
    """

    def __init__(
        self,
        app: ASGIApp,
        lane_of: Callable[[Scope, bytes], Hashable],
        *,
        plans: Plans,
        in_flight: InFlight,
        pulse: Pulse,
    ) -> None:
        self.plans = plans
        self._app = app
        self._lane_of = lane_of
        self._in_flight = in_flight
        self._pulse = pulse
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent_after = self._pulse.sent_after()
        if (body := await _body(receive)) is None:
            return
        # Whoever asks anew has hung up before, and that is to be known before the two are counted.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        under_way = self._in_flight.begin(self._lane_of(scope, body))
        hung_up = asyncio.ensure_future(_hung_up(receive))
        hung_up.add_done_callback(lambda _: self._in_flight.end(under_way))
        plan = self.plans.next()
        await asyncio.sleep(plan.after)
        in_time = time.monotonic() - sent_after <= LATEST
        answer = await self._applied(scope, body) if plan.applied and in_time else []
        self._in_flight.end(under_way)
        if not hung_up.done():
            await _finish(plan.end if in_time else End.NOTHING, answer, scope, send)
        if plan.end is End.HALF:
            hung_up.cancel()  # the server hangs up when this returns, and not before
        with contextlib.suppress(asyncio.CancelledError):
            await hung_up

    async def _applied(self, scope: Scope, body: bytes) -> list[Message]:
        """Have the application do it, whether or not its caller is still there, and keep its answer."""
        events: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]
        answer: list[Message] = []

        async def receive() -> Any:
            return events.pop(0) if events else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            answer.append(message)

        async with self._one_at_a_time:
            await self._app({**scope}, receive, send)  # type: ignore[arg-type]  # a copy of a scope is a scope
        return answer


async def _finish(end: End, answer: list[Message], scope: Scope, send: Send) -> None:
    match end:
        case End.ANSWER:
            for message in answer:
                await send(message)
            return
        case End.FAILURE:
            await _send(send, *_FAILURE)
            return
        case End.COME_BACK:
            await _send(send, *_COME_BACK)
            return
        case End.GARBAGE:
            await _send(send, *_GARBAGE)
            return
        case End.HALF:
            start: Any = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]}
            await send(start)
            await send({"type": "http.response.body", "body": b'{"Result":', "more_body": True})
            return  # with less than was announced, the server can only hang up
        case End.NOTHING:
            hang_up: Callable[[], None] = scope[HANG_UP]  # type: ignore[typeddict-item]  # see doorway.py
            hang_up()


async def _send(send: Send, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
    start: Any = {
        "type": "http.response.start",
        "status": status,
        "headers": [*headers.items(), (b"content-length", str(len(body)).encode())],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _body(receive: Receive) -> bytes | None:
    """The whole of it; `None` where the caller died before it had sent all, which is as good as nothing."""
    body = bytearray()
    while (event := await receive())["type"] == "http.request":
        body += event["body"]
        if not event["more_body"]:
            return bytes(body)
    return None


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
