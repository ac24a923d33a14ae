"""The line of what waits to be written: in groups as they came, and what is about thousands in turn with them."""

import asyncio
import contextlib
from collections import deque
from typing import Final, Generic, TypeVar

GROUP: Final = 256  #: commands committed together at most
#: Rows that a group is about, more or less: one that is about so many takes no further command. So PostgreSQL's 32,767
#: values in a statement are never reached.
HEAVY: Final = 1000
#: A command that is about so many rows goes alone.
ALONE: Final = 250
WAITING: Final = 20_000  #: commands that may wait; beyond that callers are told to come back

One = TypeVar("One")


class Full(Exception):
    """Too many wait already."""


class Line(Generic[One]):
    """Whoever asks for little waits for one call for thousands at most, however many of them there are."""

    def __init__(self) -> None:
        self._light: deque[tuple[One, int]] = deque()
        self._heavy: deque[One] = deque()
        self._turn_of_heavy = False
        self._some = asyncio.Event()
        self._enough: tuple[int, asyncio.Event] | None = None
        self._none = asyncio.Event()
        self._none.set()
        self._unfinished = 0

    def __len__(self) -> int:
        return len(self._light) + len(self._heavy)

    def put(self, one: One, weight: int) -> None:
        """Come last. `weight` is how many rows it is about, more or less.

        Raises:
            Full: there is no room.
        """
        if len(self) >= WAITING:
            raise Full
        if weight >= ALONE:
            self._heavy.append(one)
        else:
            self._light.append((one, weight))
        self._unfinished += 1
        self._none.clear()
        self._some.set()
        if self._enough is not None and len(self) >= self._enough[0]:
            self._enough[1].set()

    async def take(self, expected: int = 1, patience: float = 0.0) -> list[One]:
        """Wait for some, and take those whose turn it is.

        Where `expected` may come together, such as those who were answered together, wait for all of them, though no
        longer than `patience` seconds: what is committed with others costs little.
        """
        while not len(self):
            self._some.clear()
            await self._some.wait()
        if len(self) < expected and patience > 0:
            enough = asyncio.Event()
            self._enough = expected, enough
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await enough.wait()
            self._enough = None
        if self._heavy and (self._turn_of_heavy or not self._light):
            self._turn_of_heavy = False
            return [self._heavy.popleft()]
        self._turn_of_heavy = True
        group: list[One] = []
        about = 0
        while self._light and len(group) < GROUP and about < HEAVY:
            one, weight = self._light.popleft()
            group.append(one)
            about += weight
        return group

    def finished(self, count: int) -> None:
        """Say that so many of those that were taken are answered."""
        self._unfinished -= count
        if not self._unfinished:
            self._none.set()

    async def empty(self) -> None:
        """Wait until all that came has been answered."""
        await self._none.wait()
