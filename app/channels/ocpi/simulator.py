"""A simulated eMSP that offers a Locations receiver and judges whatever comes in, for the demo and for tests.

Stricter than real ones: what is merely advised to clients is an error here.
"""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Litestar, Request, Response, route
from litestar.datastructures import State
from litestar.response.base import ASGIResponse

from app.channels.ocpi.judging import Expected, Wrong, judged
from app.channels.ocpi.release import Party
from app.clock import Clock
from app.domain.instant import parse_instant, rfc3339

PATH: Final = "/ocpi/emsp/{}/locations"  #: with the version in it
PARTY: Final = Party("DE", "EMS")
_METHODS: Final = ("GET", "PUT", "PATCH", "POST", "DELETE")


class Received(NamedTuple):
    """A change that was accepted. `at` is the eMSP's own time (UTC), `last_updated` the sender's, as it was written."""

    at: datetime
    key: str
    status: str
    last_updated: str


class Reply(msgspec.Struct, frozen=True):
    """What is answered: HTTP status, OCPI status code, a message."""

    http: int
    ocpi: int
    message: str
    headers: dict[str, str] = {}


SUCCESS: Final = Reply(200, 1000, "Success")
UNKNOWN_LOCATION: Final = Reply(404, 2003, "Unknown Location")

#: Faults in which nothing is applied and a proper answer is given.
FAULTS: Final = {
    "401": Reply(401, 2000, "Invalid token"),
    "429": Reply(429, 2000, "Too many requests", {"Retry-After": "1"}),
    "500": Reply(500, 3000, "Out of order"),
    "2001": Reply(200, 2001, "Invalid parameter"),
    "3000": Reply(200, 3000, "Generic server error"),
}


class Emsp:
    """One eMSP. `url(base)` is the Locations receiver URL that it advertises when `app` listens at `base`.

    `shown` is what its drivers see, `received` everything it accepted, `wrong` what it had to object to; EVSEs are
    named `{location}/{uid}`. It speaks one `version` of OCPI. `known` are those it has; others are answered with 404.
    `delay` is in seconds.

    `fault` makes it misbehave until it is `None` again: `401 429 500 2001 3000` answer that, `garbage` answers HTML;
    none of these apply anything. `cut` applies and then drops the connection, `slow` applies and lets the sender
    wait for `slowness` seconds.
    """

    def __init__(
        self,
        clock: Clock,
        token: str,
        known: set[str] | None = None,
        delay: float = 0.0,
        *,
        party: Party = PARTY,
        version: str = "2.2.1",
    ) -> None:
        self.shown: dict[str, str] = {}
        self.received: list[Received] = []
        self.wrong: list[str] = []
        self.fault: str | None = None
        self.slowness = 30.0
        self.known = known
        self.delay = delay
        self.party = party
        self._clock = clock
        self._path = PATH.format(version)
        self._expected = Expected(version=version, token=token, receiver=party, path=self._path)
        self._last: dict[str, tuple[datetime, str]] = {}
        self._under_way: Counter[str] = Counter()
        self._request_ids: set[str | None] = set()
        handler = route([self._path, f"{self._path}/{{rest:path}}"], http_method=list(_METHODS), status_code=200)(
            _receive
        )
        self.app = Litestar([handler], state=State({"emsp": self}), openapi_config=None, logging_config=None)

    def url(self, base: str) -> str:
        return base + self._path

    async def receive(self, request: Request[Any, Any, Any]) -> Response[Any] | ASGIResponse:
        """Judge one request, apply it unless it is wrong or a fault forbids, and answer."""
        try:
            change = judged(
                self._expected,
                method=request.method,
                path=request.scope["raw_path"].decode("ascii", "replace"),
                query=request.scope["query_string"],
                headers=request.headers.multi_items(),
                body=await request.body(),
            )
        except Wrong as wrong:
            return self._object(request, wrong)
        if change.request_id in self._request_ids:
            return self._object(request, Wrong(f"X-Request-ID {change.request_id} was used before", 200, 2001))
        self._request_ids |= {change.request_id} - {None}
        self._under_way[change.key] += 1
        try:
            if self._under_way[change.key] > 1:
                return self._object(request, Wrong(f"{change.key}: two requests under way at once", 200, 2001))
            await _while_connected(request, self.delay)
            if (fault := FAULTS.get(self.fault or "")) is not None:
                return self._reply(request, fault)
            if self.fault == "garbage":
                return Response(b"<html><body>It works!</body></html>", media_type="text/html")
            if self.known is not None and change.key not in self.known:
                return self._reply(request, UNKNOWN_LOCATION)
            if objection := self._apply(change.key, change.status, change.last_updated):
                return self._object(request, objection)
            if self.fault == "cut":
                return Cut()
            if self.fault == "slow":
                await _while_connected(request, self.slowness)
            return self._reply(request, SUCCESS)
        finally:
            self._under_way[change.key] -= 1

    def _apply(self, key: str, status: str, last_updated: str) -> Wrong | None:
        moment = parse_instant(last_updated)
        before, shown = self._last.get(key, (None, status))
        if before is not None and moment < before:
            return Wrong(f"{key}: last_updated went back from {rfc3339(before)} to {last_updated}", 200, 2001)
        # The same state once more is how a sender makes sure; another state needs a later time.
        if moment == before and status != shown:
            return Wrong(f"{key}: {shown} and {status} have the same last_updated {last_updated}", 200, 2001)
        self._last[key] = (moment, status)
        self.shown[key] = status
        self.received.append(Received(self._clock.now(), key, status, last_updated))
        return None

    def _object(self, request: Request[Any, Any, Any], wrong: Wrong) -> Response[Any]:
        self.wrong.append(f"{request.method} {request.scope['raw_path'].decode('ascii', 'replace')}: {wrong.what}")
        return self._reply(request, Reply(wrong.http, wrong.ocpi, wrong.what))

    def _reply(self, request: Request[Any, Any, Any], reply: Reply) -> Response[Any]:
        repeated = {
            answered: value
            for answered, asked in (
                ("X-Request-ID", "X-Request-ID"),
                ("X-Correlation-ID", "X-Correlation-ID"),
                ("OCPI-to-country-code", "OCPI-from-country-code"),
                ("OCPI-to-party-id", "OCPI-from-party-id"),
            )
            if (value := request.headers.get(asked)) is not None
        }
        from_us = {}
        if self._expected.routes:
            from_us = {"OCPI-from-country-code": self.party.country, "OCPI-from-party-id": self.party.party}
        envelope = {
            "status_code": reply.ocpi,
            "status_message": reply.message,
            "timestamp": rfc3339(self._clock.now()),
        }
        return Response(envelope, status_code=reply.http, headers={**repeated, **from_us, **reply.headers})


class Cut(ASGIResponse):
    """An answer that is promised and never comes: the server closes the connection after it."""

    def __init__(self) -> None:
        super().__init__(body=b"")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - ASGI's signature
        headers = [(b"content-type", b"application/json"), (b"content-length", b"500")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"status_code"', "more_body": True})


async def _receive(request: Request[Any, Any, Any]) -> Response[Any] | ASGIResponse:
    emsp: Emsp = request.app.state.emsp
    return await emsp.receive(request)


async def _while_connected(request: Request[Any, Any, Any], seconds: float) -> None:
    """Wait for `seconds`, or until the sender hangs up: what it sends next is not at the same time as this."""
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
