"""HTTP calls at the least cost there is, so that what is measured is the server and not its client.

Each connection has one call under way at a time. All calls are counted, and every answer's status.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

import msgspec

from benchmarks.measuring import part

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_STALE: Final = 2.0  #: seconds without a call; servers close a connection after a few, perhaps as the next call is made
_CHUNKED: Final = b"transfer-encoding: chunked"


class Load(msgspec.Struct):
    """What came of it. Times are in seconds."""

    took: float = 0.0
    latencies: list[float] = msgspec.field(default_factory=list)
    statuses: Counter[int] = msgspec.field(default_factory=Counter)
    late: int = 0  #: calls that could not be made when it was their time, for want of a free connection
    answers: list[bytes] | None = None  #: the bodies, where they are asked for

    @property
    def rate(self) -> float:
        """Calls a second that succeeded."""
        return self.succeeded / self.took if self.took else 0.0

    @property
    def succeeded(self) -> int:
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)

    def latency(self, share: float) -> float:
        return part(self.latencies, share)

    def demand_success(self) -> "Load":
        """Of answers that were refusals no speed is told.

        Raises:
            ValueError: what was answered instead.
        """
        if self.succeeded != sum(self.statuses.values()) or not self.statuses:
            raise ValueError(f"the server answered {dict(self.statuses)}")
        return self


def call(method: str, path: str, key: str = "", body: Any = None, **headers: str) -> bytes:
    """The bytes of one call."""
    content = b"" if body is None else json.dumps(body).encode()
    given = {"host": "benchmark", **headers}
    if key:
        given["authorization"] = f"Bearer {key}"
    if body is not None:
        given |= {"content-type": "application/json", "content-length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content


class _Connection(asyncio.Protocol):
    """One connection: sends a call, and says when its answer is whole."""

    def __init__(self, answered: "Callable[[_Connection, int, bytes], None]") -> None:
        self._answered = answered
        self._received = bytearray()
        self._needed = -1
        self._chunked = False
        self._transport: asyncio.Transport | None = None
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, what: bytes) -> None:
        assert self._transport is not None
        self.began = perf_counter()
        self._transport.write(what)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if self._needed < 0 and not self._chunked:
            end = received.find(_END)
            if end < 0:
                return
            head = bytes(received[:end]).lower()
            self._chunked = _CHUNKED in head
            at = head.find(_LENGTH)
            length = 0 if at < 0 else int(head[at + len(_LENGTH) :].split(b"\r", 1)[0])
            self._needed = end + len(_END) + length
        if received.endswith(b"0\r\n\r\n") if self._chunked else len(received) >= self._needed:
            status = int(received[9:12])
            answer = bytes(received)
            received.clear()
            self._needed, self._chunked = -1, False
            self._answered(self, status, answer)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._answered(self, 0, b"")

    def close(self) -> None:
        self._answered = lambda *_: None
        if self._transport is not None:
            self._transport.abort()


class Caller:
    """Some connections to one server, opened anew after a while without a call."""

    def __init__(self, url: str, connections: int) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._size = connections
        self._connections: list[_Connection] = []
        self._called = perf_counter()
        self._heard: Callable[[_Connection, int, bytes], None] = lambda *_: None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for one in self._connections:
            one.close()
        self._connections.clear()

    def _connection(self) -> "_Connection":
        # Whoever listens changes from one measurement to the next.
        return _Connection(lambda connection, status, answer: self._heard(connection, status, answer))  # noqa: PLW0108

    async def _connect(self) -> None:
        self._heard = lambda *_: None
        loop = asyncio.get_running_loop()
        if perf_counter() - self._called > _STALE:
            self._close()
        self._connections = [one for one in self._connections if one.is_open]
        while len(self._connections) < self._size:
            _, made = await loop.create_connection(self._connection, *self._address)
            self._connections.append(made)

    async def flat_out(self, calls: Iterable[bytes], seconds: float = 1e9, *, keep: bool = False) -> Load:
        """Call as fast as answers come, for so long or until there are no more calls."""
        await self._connect()
        load = Load(answers=[] if keep else None)
        more: Iterator[bytes] = iter(calls)
        done = asyncio.get_running_loop().create_future()
        under_way = 0
        began = perf_counter()
        until = began + seconds

        def heard(connection: _Connection, status: int, answer: bytes) -> None:
            nonlocal under_way
            now = perf_counter()
            under_way -= 1
            _note(load, now - connection.began, status, answer)
            following = next(more, None) if now < until and status else None
            if following is not None:
                under_way += 1
                connection.send(following)
            elif not under_way and not done.done():
                done.set_result(None)

        self._heard = heard
        for connection in self._connections:
            if (first := next(more, None)) is not None:
                under_way += 1
                connection.send(first)
        if under_way:
            await done
        self._called = perf_counter()
        load.took = self._called - began
        return load

    async def steadily(self, calls: Iterable[bytes], per_second: float, seconds: float) -> Load:
        """Make `per_second` calls a second, answered or not; the time of each counts from when it was due."""
        await self._connect()
        load = Load()
        more = iter(calls)
        free = deque(self._connections)
        waiting: deque[tuple[float, bytes]] = deque()
        idle = asyncio.Event()

        def heard(connection: _Connection, status: int, answer: bytes) -> None:
            _note(load, perf_counter() - connection.began, status, answer)
            if waiting and status:
                due, following = waiting.popleft()
                connection.send(following)
                connection.began = due
            else:
                free.append(connection)
                if len(free) == len(self._connections):
                    idle.set()

        self._heard = heard
        began = perf_counter()
        for number in range(int(per_second * seconds)):
            due = began + number / per_second
            if (wait := due - perf_counter()) > 0:
                await asyncio.sleep(wait)
            if (following := next(more, None)) is None:
                break
            idle.clear()
            if free:
                connection = free.popleft()
                connection.send(following)
                connection.began = due
            else:
                load.late += 1
                waiting.append((due, following))
        if load.late or len(free) < len(self._connections):
            await idle.wait()
        self._called = perf_counter()
        load.took = self._called - began
        return load


def _note(load: Load, latency: float, status: int, answer: bytes) -> None:
    load.latencies.append(latency)
    load.statuses[status] += 1
    if load.answers is not None:
        load.answers.append(answer.partition(_END)[2])


async def once(url: str, what: bytes) -> tuple[int, bytes]:
    """Make one call, and return the status and the body of its answer."""
    async with Caller(url, 1) as caller:
        load = await caller.flat_out([what], keep=True)
    assert load.answers is not None
    return next(iter(load.statuses)), load.answers[0]
