"""Replicas that are killed, frozen and started again at random, and when there was one that could do the work."""

import asyncio
import random
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import msgspec

from tests.e2e.serving_process import ServingProcess

#: Seconds that a replica is frozen at the most. One that was held up between its last look at its lease and the
#: socket may say something old that much later, and the partner may apply it `plans.LATEST` after that: together
#: that must be over before the state is confirmed, a lease and a settle later. Longer is not promised.
LONGEST_FREEZE: Final = 0.8


class Spell(msgspec.Struct):
    """A time in which a replica worked, or was frozen, in seconds of `time.monotonic`; `None` until it is over."""

    began: float
    ended: float | None = None

    def touches(self, begin: float, end: float) -> bool:
        return self.began <= end and (self.ended is None or self.ended >= begin)


class Chaos:
    """Kills and freezes replicas, each of which is soon back."""

    def __init__(self, replicas: Sequence[ServingProcess], dice: random.Random) -> None:
        self.kills = 0
        self.freezes = 0
        self._replicas = replicas
        self._dice = dice
        self._works: dict[ServingProcess, list[Spell]] = {one: [] for one in replicas}
        self._frozen: list[Spell] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def start_all(self) -> None:
        await asyncio.gather(*(self._start(one) for one in self._replicas))

    async def run(self, *, kills: int, freezes: int) -> None:
        """Do that many of each, in any order. Afterwards all work again."""
        acts = [self._kill] * kills + [self._freeze] * freezes
        self._dice.shuffle(acts)
        for act in acts:
            await asyncio.sleep(self._dice.uniform(0.1, 1.0))
            while not (up := [one for one in self._replicas if self._is_up(one)]):  # noqa: ASYNC110 - a start takes longer
                await asyncio.sleep(0.05)
            # Beside each other: while one is frozen, another one may die.
            self._begin(act(self._dice.choice(up)))
        while self._under_way:
            await asyncio.gather(*self._under_way)

    async def kill_all(self) -> None:
        """In the end, or where a test has failed."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await asyncio.gather(*(one.kill() for one in self._replicas))

    def working_since(self) -> float | None:
        """Since when there was a replica that worked at any moment, `None` where there is none now."""
        spells = sorted((spell for spells in self._works.values() for spell in spells), key=lambda one: one.began)
        since: float | None = None
        until: float | None = 0.0
        for spell in spells:
            if until is not None and spell.began > until:
                since = None
            if since is None:
                since, until = spell.began, spell.ended
            elif until is not None:
                until = None if spell.ended is None else max(until, spell.ended)
        return since if until is None else None

    def froze(self, begin: float, end: float) -> bool:
        """Tell whether any replica was frozen at some moment from `begin` to `end`."""
        return any(spell.touches(begin, end) for spell in self._frozen)

    async def _kill(self, one: ServingProcess) -> None:
        self._rests(one)
        self.kills += 1
        await one.kill()
        await asyncio.sleep(self._dice.choice([0.0, self._dice.uniform(0, 1)]))
        await self._start(one)

    async def _freeze(self, one: ServingProcess) -> None:
        self._rests(one)
        self.freezes += 1
        spell = Spell(time.monotonic())
        self._frozen.append(spell)
        one.freeze()
        await asyncio.sleep(self._dice.uniform(0.05, LONGEST_FREEZE))
        overslept = time.monotonic() - spell.began > LONGEST_FREEZE * 1.2
        if overslept or self._dice.random() < 0.2:
            await one.kill()
            spell.ended = time.monotonic()
            await self._kill(one)
            return
        one.thaw()
        spell.ended = time.monotonic()
        self._works[one].append(Spell(spell.ended))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _start(self, one: ServingProcess) -> None:
        await one.start()
        self._works[one].append(Spell(time.monotonic()))

    def _is_up(self, one: ServingProcess) -> bool:
        return bool(self._works[one]) and self._works[one][-1].ended is None

    def _rests(self, one: ServingProcess) -> None:
        if self._is_up(one):
            self._works[one][-1].ended = time.monotonic()
