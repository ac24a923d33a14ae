"""Changes that the simulated eMSP applies later than it was told, over whatever has come since."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from app.channels.ocpi.emsp_body import Change


class Late(NamedTuple):
    """A change that is still to be applied, when `timer` rings; `applied` tells who waits for it."""

    change: Change
    timer: asyncio.TimerHandle
    applied: asyncio.Event


class LateChanges:
    """Those that are outstanding, in the order in which they came. `apply` is how each is applied in the end."""

    def __init__(self, apply: Callable[[Change], None]) -> None:
        self._apply = apply
        self._outstanding: list[Late] = []

    def __len__(self) -> int:
        return len(self._outstanding)

    def put_off(self, change: Change, seconds: float) -> Late:
        timer = asyncio.get_running_loop().call_later(seconds, self._ring, change)
        late = Late(change, timer, asyncio.Event())
        self._outstanding.append(late)
        return late

    def apply_all(self) -> None:
        """Apply them now."""
        for late in list(self._outstanding):
            self._ring(late.change)

    async def none_left(self) -> None:
        """Wait until each was applied when its time came."""
        while self._outstanding:
            await self._outstanding[0].applied.wait()

    def _ring(self, change: Change) -> None:
        late = next(one for one in self._outstanding if one.change is change)
        self._outstanding.remove(late)
        late.timer.cancel()
        self._apply(change)
        late.applied.set()
