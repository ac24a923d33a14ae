"""How well this process gets to run: what is judged by the time must know when the machine was too busy to tell."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

_BEAT: Final = 0.01  #: seconds
_REMEMBERED: Final = 2048


class Pulse:
    """Beats while the event loop runs freely. Times are seconds of `time.monotonic`."""

    def __init__(self) -> None:
        self._beats: deque[float] = deque([time.monotonic()], maxlen=_REMEMBERED)

    @asynccontextmanager
    async def beating(self) -> AsyncGenerator[None]:
        beating = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating

    def sent_after(self) -> float:
        """A time before which a request that arrives just now cannot have been sent: it would have been read then."""
        return self._beats[max(-3, -len(self._beats))]

    def longest_pause(self, since: float) -> float:
        """The longest this process did not get to run, in seconds."""
        beats = [beat for beat in self._beats if beat >= since]
        return max((later - earlier for earlier, later in pairwise(beats)), default=0.0)

    async def _beat(self) -> None:
        while True:
            self._beats.append(time.monotonic())
            await asyncio.sleep(_BEAT)
