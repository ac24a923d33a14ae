"""One stream of events: what its client missed, then what happens, until either side has enough."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog
from litestar.response.base import ASGIResponse

from app.api.broadcasting import Broadcast
from app.api.event_shapes import opening_frame, ping_frame, position_of, reset_frame, snapshot_frame
from app.api.listener import Listener
from app.domain.following import Position
from app.serving_abort import ABORT
from app.store import changes
from app.store.failures import DatabaseUnavailable

MEDIA_TYPE: Final = "text/event-stream"
_RETRY: Final = (1000, 5000)  #: milliseconds: those who lose their stream at once do not come back at once
_GONE: Final = 1.0  #: seconds until a connection that was cut off is known to be gone
_WHY: Final = "what came after this cursor cannot be told any more: read the fleet anew"

log = structlog.get_logger(__name__)


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream begins and ends: after a cursor, as it was written; with what is there; after so many seconds."""

    cursor: str | None = None
    snapshot: bool = False
    close_after: float | None = None


class EventStream(ASGIResponse):
    """Litestar's own has no way to end a client that does not read, and a task more for each stream."""

    _should_set_content_length = False

    def __init__(self, broadcast: Broadcast, listener: Listener, begin: Begin) -> None:
        super().__init__(
            media_type=MEDIA_TYPE, headers={"cache-control": "no-cache", "x-accel-buffering": "no"}, status_code=200
        )
        self._broadcast = broadcast
        self._listener = listener
        self._begin = begin

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve it to its end. Whatever ends it, nothing of it is left."""
        leaving = asyncio.create_task(_left(receive, self._listener))
        self._broadcast.join(self._listener)
        try:
            await self._serve(send)
        except _DoesNotRead:
            self._broadcast.dropped += not leaving.done()
            await _cut_off(scope, leaving)
        finally:
            self._broadcast.leave(self._listener)
            leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leaving

    async def _serve(self, send: Any) -> None:
        await self.start_response(send)
        try:
            async with contextlib.aclosing(self._frames()) as frames:
                async for frame in frames:
                    if frame:
                        await self._send(send, frame, more=True)
        except DatabaseUnavailable as why:
            log.info("a stream of events is ended, and its client comes back", why=str(why))
        await self._send(send, b"", more=False)

    async def _send(self, send: Any, body: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout(self._broadcast.patience) as limit:
                self._listener.sending = limit
                await send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError:
            raise _DoesNotRead from None
        finally:
            self._listener.sending = None

    async def _frames(self) -> AsyncGenerator[bytes]:
        listener, broadcast, clock = self._listener, self._broadcast, asyncio.get_running_loop().time
        close_after = self._begin.close_after
        closes_at = None if close_after is None else clock() + close_after
        yield opening_frame(random.randint(*_RETRY))  # noqa: S311 - nobody gains by guessing it
        async with contextlib.aclosing(self._before()) as before:
            async for frame in before:
                yield frame
        yield ping_frame(listener.position or broadcast.position)  # a cursor to go on from, before anything happens
        quiet_since = clock()
        while not listener.ended:
            if listener.behind:
                async with contextlib.aclosing(self._caught_up()) as missed:
                    async for frame in missed:
                        yield frame
            elif (data := listener.take()) is not None:
                yield data
            else:
                pings_at = quiet_since + broadcast.ping_every
                until = pings_at if closes_at is None else min(pings_at, closes_at)
                if await listener.wait(max(until - clock(), 0)):
                    continue
                listener.position = broadcast.position
                yield broadcast.ping()
                if closes_at is not None and clock() >= closes_at:
                    return
            quiet_since = clock()

    async def _before(self) -> AsyncGenerator[bytes]:
        """What was missed since the cursor, or what is there now. Meanwhile what happens waits, or leaves it behind."""
        here, snapshot = self._broadcast.position, self._begin.snapshot
        if self._begin.cursor is not None:
            missed = await self._missed(position_of(self._begin.cursor))
            if missed is None:
                # With a snapshot to come the cursor stays bad, in case the client is cut off before its end.
                yield reset_frame(_WHY, None if snapshot else here)
            else:
                snapshot = False
                async with contextlib.aclosing(self._told(missed)) as frames:
                    async for frame in frames:
                        yield frame
        if snapshot:
            async with contextlib.aclosing(self._everything(here)) as frames:
                async for frame in frames:
                    yield frame
        self._listener.position = here

    async def _caught_up(self) -> AsyncGenerator[bytes]:
        """What a listener missed that did not keep up, at its own pace, and only what is the case by then."""
        listener, told = self._listener, dict[int, int]()
        while listener.behind and not listener.ended:
            since, here = listener.position, self._broadcast.position
            listener.start_over()
            missed = await self._missed(since)
            if missed is None:
                yield reset_frame(_WHY, here)
            else:
                async with contextlib.aclosing(self._told(missed, told)) as frames:
                    async for frame in frames:
                        yield frame
            listener.position = here

    async def _missed(self, since: Position | None) -> Mapping[int, int] | None:
        """The EVSEs that changed after `since`, with their versions; `None` where nobody can tell any more."""
        if since is None:
            return None
        async with self._broadcast.reading() as connection:
            last = await changes.last_change(connection)
            if not since.is_good(self._broadcast.clock.now(), self._broadcast.kept, last):
                return None
            return await changes.changed_after(connection, since)

    async def _told(self, missed: Mapping[int, int], told: dict[int, int] | None = None) -> AsyncGenerator[bytes]:
        """What is the case with these EVSEs, unless that version is among what was `told`; it is afterwards."""
        listener, wanted = self._listener, self._listener.wanted
        chosen = [
            evse
            for evse, version in missed.items()
            if (not told or version > told.get(evse, -1)) and (not wanted.evses or evse in wanted.evses)
        ]
        for begin in range(0, len(chosen), changes.MARKS):
            if listener.ended:
                return
            async with self._broadcast.reading() as connection:
                marks = await changes.marks_among(connection, wanted, chosen[begin : begin + changes.MARKS])
                frames = await self._broadcast.frames.of(connection, wanted, marks, listener.principal)
            if told is not None:
                told.update((evse, version) for evse, version, *_ in marks)
            for data in _pieces(frames):
                yield data

    async def _everything(self, here: Position) -> AsyncGenerator[bytes]:
        count, after, wanted = 0, 0, self._listener.wanted
        while not self._listener.ended:
            async with self._broadcast.reading() as connection:
                marks = await changes.marks_of(connection, wanted, after)
                frames = await self._broadcast.frames.of(connection, wanted, marks, self._listener.principal)
            count += len(frames)
            for data in _pieces(frames):
                yield data
            if len(marks) < changes.MARKS:
                yield snapshot_frame(count, here)
                return
            after = marks[-1][0]


def _pieces(frames: Sequence[bytes]) -> Iterator[bytes]:
    """What is sent at once, which also a slow client can take before it counts as gone."""
    for begin in range(0, len(frames), changes.PAGE):
        yield b"".join(frames[begin : begin + changes.PAGE])


class _DoesNotRead(Exception):
    """The client has not taken what it was sent for too long."""


async def _left(receive: Any, listener: Listener) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()


async def _cut_off(scope: Any, leaving: "asyncio.Task[None]") -> None:
    """Close the connection, and do not wait for what is still on its way: nobody takes it."""
    abort: Callable[[], None] | None = (scope.get("extensions") or {}).get(ABORT)
    if abort is not None:
        abort()
        await asyncio.wait([leaving], timeout=_GONE)
