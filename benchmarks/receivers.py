"""Partners' receivers at the least cost there is: a Hubject, OCPI 2.2.1 eMSPs and drivers' apps, in one process.

Each answers as the real one does that takes what it is told, after a delay, and writes down when each request had come
in whole. What was said in them is read only when somebody asks, and not while it is measured.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from time import time
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from benchmarks.load import call, once

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


def _json(status: bytes, body: bytes, *headers: bytes) -> bytes:
    head = [b"HTTP/1.1 " + status, b"Content-Type: application/json", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + _END + body


#: By the first segment of the path: what is answered.
ANSWERS: Final = {
    # Spec: Standard Webhooks 1.0.0 §Webhook delivery: any 2xx
    "app": b"HTTP/1.1 204 No Content" + _END,
    # Spec: OCPI 2.2.1 transport_and_format, response format
    "ocpi": _json(b"200 OK", b'{"status_code":1000,"status_message":"Success","timestamp":"2026-11-21T21:00:00.000Z"}'),
    # Spec: OICP 2.3 CPO §eRoamingAcknowledgement
    "hubject": _json(
        b"200 OK",
        b'{"Result":true,"StatusCode":{"Code":"000","Description":"Success","AdditionalInfo":null},'
        b'"SessionID":null,"CPOPartnerSessionID":null,"EMPPartnerSessionID":null}',
        b"Process-ID: 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    ),
}


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """One EVSE in one request: when the request was there (seconds since 1970), for whom, and what it said."""

    at: float
    receiver: str  #: the first two segments of the path
    evse: int  #: its key in the fleet of the benchmarks
    said: str


class _Request(msgspec.Struct, array_like=True, gc=False):
    """A request as it came in."""

    at: float
    path: str
    body: bytes


class _Receivers:
    """What all connections share."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.requests: list[_Request] = []

    def command(self, path: str) -> bytes:
        """Do what the benchmark asks for."""
        match path.split("/")[1:]:
            case ["ready"]:
                return _json(b"200 OK", b"null")
            case ["delay", milliseconds]:
                self.delay = float(milliseconds) / 1000
                return _json(b"200 OK", b"null")
            case ["count"]:
                return _json(b"200 OK", msgspec.json.encode(len(self.requests)))
            case ["heard"]:
                taken, self.requests = self.requests, []
                return _json(b"200 OK", msgspec.json.encode([heard for one in taken for heard in _read(one)]))
        return _json(b"404 Not Found", b"null")


class _Connection(asyncio.Protocol):
    """One connection: a request at a time, answered after the delay."""

    def __init__(self, receivers: _Receivers) -> None:
        self._receivers = receivers
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._later: Callable[..., Any] = asyncio.get_running_loop().call_later

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        end = received.find(_END)
        if end < 0:
            return
        head = received[:end].lower()
        at = head.find(_LENGTH)
        length = 0 if at < 0 else int(head[at + len(_LENGTH) :].split(b"\r", 1)[0])
        if len(received) < end + len(_END) + length:
            return
        self._received = b""
        path = received.split(b" ", 2)[1].decode()
        transport = self._transport
        assert transport is not None
        answer = ANSWERS.get(path.split("/", 2)[1])
        if answer is None:
            transport.write(self._receivers.command(path))
            return
        self._receivers.requests.append(_Request(time(), path, received[end + len(_END) :]))
        if self._receivers.delay:
            self._later(self._receivers.delay, transport.write, answer)
        else:
            transport.write(answer)


def _read(request: _Request) -> list[Heard]:
    """Tell what was said about which EVSEs."""
    kind, name, *rest = request.path.split("/")[1:]
    body = msgspec.json.decode(request.body)
    if kind == "app":
        said = [(body["data"]["evseId"], body["data"]["status"])]
    elif kind == "ocpi":
        said = [(rest[-1], body["status"])]
    else:
        records = body["OperatorEvseStatus"]["EvseStatusRecord"]
        said = [(one["EvseID"], one["EvseStatus"]) for one in records]
    # An EVSE of the benchmarks has its key in the last seven characters of its ids.
    return [Heard(request.at, f"{kind}/{name}", int(evse[-7:]), status) for evse, status in said]


async def delay(url: str, milliseconds: float) -> None:
    """Have the receivers at `url` answer after so long."""
    await once(url, call("POST", f"/delay/{milliseconds}"))


async def count(url: str) -> int:
    """How many requests came in since `heard` was asked last."""
    return msgspec.json.decode((await once(url, call("GET", "/count")))[1], type=int)


async def heard(url: str) -> list[Heard]:
    """Take what came in, in its order."""
    return msgspec.json.decode((await once(url, call("GET", "/heard")))[1], type=list[Heard])


async def until(holds: Callable[[], Awaitable[bool]], within: float) -> None:
    """Wait until `holds`, asking a few times a second.

    Raises:
        TimeoutError: it did not within so many seconds.
    """
    give_up = time() + within
    while not await holds():
        if time() > give_up:
            raise TimeoutError(f"not everybody was told after {within:.0f} s")
        await asyncio.sleep(0.2)


def place(url: str) -> str:
    """Where the receivers at `url` listen, without a scheme."""
    return urlsplit(url).netloc


async def _serve(port: int) -> None:
    receivers = _Receivers(0.0)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(receivers), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
