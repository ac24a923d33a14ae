"""What the simulated eMSP answers: OCPI's envelope, what stands in its place, and answers that never arrive."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.response.base import ASGIResponse

from app.channels.ocpi.emsp_behaviour import Trouble
from app.channels.ocpi.release import Party
from app.domain.instant import rfc3339

#: A page of a proxy, or of whatever else listens there.
PAGE: Final = b"<html><body>It works!</body></html>"
#: What servers say that take a schedule for one object. No envelope.
UNPROCESSABLE: Final = b'{"detail":[{"loc":["body","status_schedule"],"msg":"value is not a valid dict"}]}'
_REPEATED: Final = ("X-Request-ID", "X-Correlation-ID")
_JSON: Final = "application/json"


class Reply(msgspec.Struct, frozen=True):
    """What is answered in an envelope: HTTP status, OCPI status code, a message, and data where there are any."""

    http: int
    ocpi: int
    message: str
    headers: Mapping[str, str] = {}
    data: Any = None


SUCCESS: Final = Reply(200, 1000, "Success")
UNKNOWN_LOCATION: Final = Reply(404, 2003, "Unknown Location")
NO_UID: Final = Reply(200, 2001, "Field uid is required")
NO_SCHEDULES: Final = Reply(200, 2001, "status_schedule is not supported")

_IN_ENVELOPE: Final[Mapping[Trouble, Reply]] = {
    "401": Reply(401, 2000, "Invalid token"),
    "429": Reply(429, 2000, "Too many requests"),
    "500": Reply(500, 3000, "Out of order"),
    "503": Reply(503, 3000, "Down for maintenance"),
    "2000": Reply(200, 2000, "Generic client error"),
    "2001": Reply(200, 2001, "Invalid parameter"),
    "2003": UNKNOWN_LOCATION,
    "3000": Reply(200, 3000, "Generic server error"),
}


def instead(trouble: Trouble | None, retry_after: int | None) -> Reply | Response[Any] | None:
    """Return what is answered in place of doing what is asked; `None` where it is done, now or later."""
    if trouble is None:
        return None
    if (reply := _IN_ENVELOPE.get(trouble)) is not None:
        if trouble in {"429", "503"} and retry_after is not None:
            return msgspec.structs.replace(reply, headers={"Retry-After": str(retry_after)})
        return reply
    match trouble:
        case "502":
            return Response(PAGE, status_code=502, media_type="text/html")
        case "garbage":
            return Response(PAGE, media_type="text/html")
        case "bad-json":
            return Response(b'{"status_code":1000,"status_mess', media_type=_JSON)
        case _:
            return None


def enveloped(reply: Reply, request: Request[Any, Any, Any], party: Party | None, *, at: datetime) -> Response[Any]:
    """Write it down as answered at `at` (UTC) to `request`, whose ids it repeats; by `party`, where versions say so.

    Spec: OCPI 2.2.1 transport_and_format, response format, message routing.
    """
    headers = {name: value for name in _REPEATED if (value := request.headers.get(name)) is not None}
    for part in ("country-code", "party-id"):
        if (asking := request.headers.get(f"OCPI-from-{part}")) is not None:
            headers[f"OCPI-to-{part}"] = asking
    if party is not None:
        headers |= {"OCPI-from-country-code": party.country, "OCPI-from-party-id": party.party}
    envelope: dict[str, Any] = {"status_code": reply.ocpi, "status_message": reply.message, "timestamp": rfc3339(at)}
    if reply.data is not None:
        envelope["data"] = reply.data
    return Response(envelope, status_code=reply.http, headers={**headers, **reply.headers})


def unprocessable() -> Response[Any]:
    return Response(UNPROCESSABLE, status_code=422, media_type=_JSON)


class Cut(Response[bytes]):
    """An answer that is promised and never comes: the server closes the connection after it."""

    def __init__(self) -> None:
        super().__init__(b"", media_type=_JSON)

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return _BrokenOff(body=b"")


class _BrokenOff(ASGIResponse):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - ASGI's signature
        headers = [(b"content-type", b"application/json"), (b"content-length", b"500")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # Short of what was announced and with no more to come, the server can only hang up.
        await send({"type": "http.response.body", "body": b'{"status_code"', "more_body": True})


async def while_connected(request: Request[Any, Any, Any], seconds: float) -> None:
    """Wait for `seconds`, or until the sender hangs up: what it sends next is not at the same time as this."""
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            await _gone(request)
    except TimeoutError:
        return


async def wait_for(event: asyncio.Event, request: Request[Any, Any, Any]) -> None:
    """Wait for it, but no longer than the sender does."""
    waiting = {asyncio.create_task(event.wait()), asyncio.create_task(_gone(request))}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _gone(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
