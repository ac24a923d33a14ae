"""A driver's app that receives webhooks and judges every one of them. For the demo and the tests."""

import asyncio
import contextlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from litestar import Litestar, Request, post
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send
from standardwebhooks import Webhook

from app.clock import Clock

TOLERANCE: Final = timedelta(minutes=5)  #: between the timestamp of an attempt and now, either way
PATIENCE: Final = 60.0  #: seconds that a slow answer is held back, unless the sender hangs up before

#: How the receiver may misbehave. `cut` and `slow` take the webhook and then lose or withhold the answer; `garbage`
#: answers with what cannot be read; the numbers are HTTP statuses.
Fault: TypeAlias = Literal["500", "429", "410", "garbage", "cut", "slow"]

_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
_Time: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


# Written down once more, and not taken from wire.py: a judge who asks the accused finds nothing.
class _Data(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    evse_id: _Text
    status: Literal["AVAILABLE", "CHARGING", "OCCUPIED", "OUT_OF_SERVICE", "UNKNOWN", "REMOVED"]
    temporary_status: Literal["COMMISSIONING", "MAINTENANCE", "BLOCKED", "RESERVED"] | None
    until: _Time | None
    version: Annotated[int, msgspec.Meta(ge=1)]
    last_updated: _Time


class _Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    specversion: Literal["1.0"]
    id: _Text
    source: _Text
    type: Literal["evse.status.presented"]
    subject: _Text
    time: _Time
    datacontenttype: Literal["application/json"]
    data: _Data


class AppReceiver:
    """A receiver at `POST /webhook` of `app`.

    `shown` is what its drivers see, by EVSE ID. `received` lists the webhooks it took: when (UTC), EVSE ID, status,
    version. `wrong` lists, in words, whatever a sender must not do; a good sender leaves it empty.
    """

    def __init__(self, clock: Clock, secret: str, delay: float = 0.0) -> None:
        """`delay` is in seconds, from taking a webhook to answering it."""
        self.fault: Fault | None = None
        self.shown: dict[str, str] = {}
        self.received: list[tuple[datetime, str, str, int]] = []
        self.wrong: list[str] = []
        self._clock = clock
        self._webhook = Webhook(secret)
        self._delay = delay
        self._latest: dict[str, _Data] = {}
        self._in_flight: set[str] = set()

        @post("/webhook")
        async def webhook(request: Request[Any, Any, Any]) -> ASGIApp:
            return await self._receive(request)

        self.app = Litestar([webhook], openapi_config=None, logging_config=None)

    async def _receive(self, request: Request[Any, Any, Any]) -> ASGIApp:
        at = self._clock.now()
        body = await request.body()
        if problem := self._forged(request, body, at):
            return self._refuse(401, problem)
        try:
            event = msgspec.json.decode(body, type=_Event)
        except msgspec.DecodeError as error:
            return self._refuse(400, f"no CloudEvent of ours: {error}")
        if problem := _inconsistent(request, event):
            return self._refuse(400, problem)
        evse_id = event.data.evse_id
        if evse_id in self._in_flight:
            return self._refuse(409, f"{evse_id}: two requests at once")
        self._in_flight.add(evse_id)
        try:
            return await self._answer(request, event.data, at)
        finally:
            self._in_flight.discard(evse_id)

    async def _answer(self, request: Request[Any, Any, Any], data: _Data, at: datetime) -> ASGIApp:
        fault = self.fault
        if fault in {"500", "410"}:
            return ASGIResponse(status_code=int(fault))
        if fault == "429":
            return ASGIResponse(status_code=429, headers={"retry-after": "1"})
        if fault == "garbage":
            return ASGIResponse(status_code=200, body=b"not gzip", headers={"content-encoding": "gzip"})
        self._take(data, at)
        await _hold(request, PATIENCE if fault == "slow" else self._delay)
        return _cut if fault == "cut" else ASGIResponse(status_code=204)

    def _take(self, data: _Data, at: datetime) -> None:
        self.received.append((at, data.evse_id, data.status, data.version))
        latest = self._latest.get(data.evse_id)
        if latest is not None and data.last_updated < latest.last_updated:
            self.wrong.append(f"{data.evse_id}: {data.last_updated} after {latest.last_updated}")
            return
        # An EVSE that was removed for good may be registered anew, and is then counted anew.
        if latest is not None and data.version < latest.version and latest.status != "REMOVED":
            self.wrong.append(f"{data.evse_id}: version {data.version} after {latest.version}")
            return
        self._latest[data.evse_id] = data
        self.shown[data.evse_id] = data.status

    def _forged(self, request: Request[Any, Any, Any], body: bytes, at: datetime) -> str | None:
        """Say what is wrong with the signature.

        `Webhook.verify` would do this, but by the system's time; here the clock may be another one.
        """
        headers = request.headers
        message, signatures = headers.get("webhook-id", ""), headers.get("webhook-signature", "")
        if not message or "." in message:
            return f"not a webhook-id: {message!r}"
        try:
            signed_at = datetime.fromtimestamp(int(headers.get("webhook-timestamp", "")), UTC)
        except (ValueError, OverflowError, OSError):
            return "webhook-timestamp is not a number of seconds"
        if abs(signed_at - at) > TOLERANCE:
            return f"webhook-timestamp {signed_at} is too far from {at}"
        expected = self._webhook.sign(message, signed_at, body.decode("utf-8", "replace")).encode()
        if not any(hmac.compare_digest(expected, one.encode()) for one in signatures.split(" ")):
            return "no signature fits the secret and the body"
        return None

    def _refuse(self, status: int, problem: str) -> ASGIApp:
        self.wrong.append(problem)
        return ASGIResponse(status_code=status, body=problem.encode(), media_type="text/plain")


def _inconsistent(request: Request[Any, Any, Any], event: _Event) -> str | None:
    """Say what does not fit together, though each part of it is well-formed."""
    if request.headers.get("content-type") != "application/cloudevents+json":
        return f"not the media type of a CloudEvent: {request.headers.get('content-type')}"
    if event.id != request.headers["webhook-id"]:
        return f"webhook-id is not the event's id {event.id}"
    if event.subject != event.data.evse_id or event.time != event.data.last_updated:
        return f"subject and time are not those of the data of {event.data.evse_id}"
    if event.data.status == "REMOVED" and (event.data.temporary_status or event.data.until):
        return f"{event.data.evse_id}: removed, and yet something is said about it"
    return None


async def _hold(request: Request[Any, Any, Any], seconds: float) -> None:
    """Wait, but not longer than the sender does: a request it has given up is no longer in flight."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await request.receive()  # the body has been read, so that only the end of the connection can come


async def _cut(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an ASGI application takes these
    """Begin an answer and never finish it, upon which the server closes the connection."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
