"""One who follows what is presented: what waits to be sent to it, and never more than a little."""

import asyncio
from collections import deque
from typing import Final

from app.domain.following import Position
from app.domain.principal import Principal
from app.store.changes import Wanted

MOST_WAITING: Final = 1024 * 1024  #: bytes that wait for one listener; it reads the rest from the record, at its pace
_LAST_CHANCE: Final = 0.5  #: seconds for what is being sent when the stream is ended


class Listener:
    """Gets what the broadcast offers, in order. One that does not keep up is left `behind`, which slows nobody else."""

    __slots__ = (
        "_awake",
        "_size",
        "_waiting",
        "behind",
        "digest",
        "ended",
        "position",
        "principal",
        "sending",
        "wanted",
    )

    def __init__(self, principal: Principal, wanted: Wanted, digest: str | None) -> None:
        """`digest` is that of the key it came with, `None` for one that came without."""
        self.principal = principal
        self.wanted = wanted
        self.digest = digest
        self.position: Position | None = None  #: it has been sent all up to there
        self.behind = False
        self.ended = False
        self.sending: asyncio.Timeout | None = None  #: how long the client may take for what is being sent
        self._waiting: deque[tuple[Position, bytes]] = deque()
        self._size = 0
        self._awake = asyncio.Event()

    def offer(self, position: Position, data: bytes) -> None:
        """Have it sent `data`, which goes on from `position`."""
        if self.behind:
            return
        if self._size + len(data) > MOST_WAITING and self._waiting:
            self.start_over()
            self.behind = True
        else:
            self._waiting.append((position, data))
            self._size += len(data)
        self._awake.set()

    def take(self) -> bytes | None:
        """Return what is to be sent next, if there is anything."""
        if not self._waiting:
            return None
        self.position, data = self._waiting.popleft()
        self._size -= len(data)
        return data

    def start_over(self) -> None:
        """Forget what waits: it is about to be read from the record."""
        self._waiting.clear()
        self._size = 0
        self.behind = False

    def end(self) -> None:
        """Have its stream ended, also where the client does not take what is being sent."""
        self.ended = True
        if self.sending is not None and not self.sending.expired():
            self.sending.reschedule(asyncio.get_running_loop().time() + _LAST_CHANCE)
        self._awake.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for something to do; `False` where nothing came in that time."""
        if not (self._waiting or self.behind or self.ended):
            self._awake.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._awake.wait()
            except TimeoutError:
                return False
        return True
