"""What lies between a replica and the partner."""

from random import Random
from typing import TYPE_CHECKING

from app.channels.outcomes import Outcome
from tests.simulation.judge import Request
from tests.simulation.trouble import Fate, course
from tests.simulation.virtual_time import passes

if TYPE_CHECKING:
    from tests.simulation.history import History


class Network:
    def __init__(self, world: "History") -> None:
        self.outage: Fate | None = None
        self._world = world
        self._dice = Random(f"network {world.plan.seed}")

    async def deliver(self, request: Request, written_by: float) -> Outcome:
        """Connect, write the request, at `written_by` at the latest, and wait for what comes of it."""
        this = course(self._fate(), self._dice)
        to_write = request.life.to_write
        to_write.append(written_by)
        await passes(this.connected)
        to_write.remove(written_by)
        if this.known:
            self._world.judge.begins(request)
            if this.applied is not None:
                self._world.time.start(self._applied(request), after=this.applied)
            await passes(this.known)
            self._world.judge.ends(request)
        return this.outcome

    async def _applied(self, request: Request) -> None:
        self._world.tells("partner", "applies", evse=request.evse, version=request.version, words=request.words)
        self._world.receivers.apply(request.address, request.evse, request.version, request.words)

    def _fate(self) -> Fate:
        if self._world.time.now >= self._world.plan.lasts:
            return Fate.FINE
        if self.outage is not None:
            return self.outage
        throw = self._dice.random()
        for fate, chance in self._world.plan.odds.items():
            throw -= chance
            if throw < 0:
                return fate
        return Fate.FINE
