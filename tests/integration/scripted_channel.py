"""A channel that answers by script and writes down what it was asked to say, when, and beside what else."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec
from cryptography.fernet import Fernet
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.channel import Accepted, Channel, Connection, Lane, Means, Message
from app.channels.outcomes import Delivered, Outcome
from app.clock import Clock
from app.domain.delivery import Aspect, Notice
from app.domain.partner import Audience, Partner
from app.domain.presentation import What
from app.schedule.decisions import Limits
from app.schedule.dispatch import Dispatcher
from app.schedule.reconcile import Reconciler
from app.store import partners
from app.store.database import Database
from app.store.secrets import Secrets
from app.store.writer import Writer

SECRETS: Final = Secrets(Fernet.generate_key().decode("ascii"))
LIMITS: Final = Limits(
    lease=timedelta(seconds=35),
    settle=timedelta(seconds=90),
    back_off_first=timedelta(seconds=1),
    back_off_longest=timedelta(minutes=5),
    retry_slowly=timedelta(hours=6),
)
TIMEOUT: Final = 10.0
Script: TypeAlias = "Callable[[Said], Outcome | Awaitable[Outcome]]"


class Said(msgspec.Struct, frozen=True):
    """One request: to whom, under which generation of its configuration, about which EVSE, what."""

    partner: str
    generation: int
    evse: int
    status: str
    version: int
    aspect: Aspect = Aspect.STATUS


class ScriptedChannel:
    """`answer` decides what comes of each request; it may be awaited, and so hang for as long as a test likes."""

    def __init__(self, lane: Lane | None = None) -> None:
        self.lane = lane or Lane(in_flight=4)
        self.knows_evse_ids_only = True
        self.others_write_too = False
        self.announces = False
        self.needs_locations = False
        self.answer: Script = lambda _said: Delivered("ok")
        self.translating: Callable[[Notice], None] = lambda _notice: None
        self.connecting: Callable[[Partner], None] = lambda _partner: None
        self.said: list[Said] = []
        self.delivered: list[Said] = []
        self.shown: dict[tuple[str, int], str] = {}
        self.schedules: dict[tuple[str, int], str] = {}
        self.at_once: Counter[str] = Counter()  #: the most requests under way at one time, by partner
        self.at_once_per_evse = 0
        self.connected: list[tuple[str, int]] = []
        self.closed: list[tuple[str, int]] = []
        self._under_way: Counter[tuple[str, int]] = Counter()

    @property
    def name(self) -> str:
        return "scripted"

    def shows(self, what: What) -> str | None:
        return what.value

    def accept(self, raw: Mapping[str, Any]) -> Accepted:
        return Accepted(configuration=dict(raw), secrets={}, audience=Audience(), tells_fleet=True)

    def daily(self, partner: Partner) -> None:  # noqa: ARG002 - each EVSE is told on its own
        return None

    def concerns(self, partner: Partner, at: datetime) -> list[str]:  # noqa: ARG002 - nothing can run out here
        return []

    def connect(self, partner: Partner, means: Means) -> Connection:  # noqa: ARG002 - every channel takes them
        self.connecting(partner)
        self.connected.append((partner.name, partner.generation))
        return _Connection(self, partner)

    @property
    def statuses(self) -> list[str]:
        """What partners show, in the order of partners and EVSEs, whichever was told first."""
        return [status for _, status in sorted(self.shown.items())]

    def under_way(self, partner: str) -> int:
        return sum(count for (name, _), count in self._under_way.items() if name == partner)

    async def deliver(self, said: Said) -> Outcome:
        key = (said.partner, said.evse)
        self._under_way[key] += 1
        self.said.append(said)
        self.at_once[said.partner] = max(self.at_once[said.partner], self.under_way(said.partner))
        self.at_once_per_evse = max(self.at_once_per_evse, self._under_way[key])
        try:
            await asyncio.sleep(0)
            answer = self.answer(said)
            outcome = await answer if isinstance(answer, Awaitable) else answer
        finally:
            self._under_way[key] -= 1
        if isinstance(outcome, Delivered):
            self.delivered.append(said)
            (self.shown if said.aspect is Aspect.STATUS else self.schedules)[key] = said.status
        return outcome


class _Connection:
    def __init__(self, channel: ScriptedChannel, partner: Partner) -> None:
        self._channel = channel
        self._partner = partner

    def translate(self, notice: Notice) -> Message:
        self._channel.translating(notice)
        status = notice.presentation.what.value
        if notice.aspect is Aspect.SCHEDULE:
            told = notice.announced if self._partner.gets_schedule else ()
            status = " ".join(f"{one.kind}@{one.begin:%H:%M:%S}" for one in told) or "nothing"
        said = Said(self._partner.name, self._partner.generation, notice.evse.id, status, notice.version, notice.aspect)
        return Message(status, status, said)

    async def deliver(self, message: Message) -> Outcome:
        return await self._channel.deliver(message.content)

    async def close(self) -> None:
        self._channel.closed.append((self._partner.name, self._partner.generation))


class Rig:
    """Everything between a change and a partner, with a clock that a test moves."""

    def __init__(
        self, database: Database, clock: Clock, writer: Writer, channel: Channel, *, limits: Limits = LIMITS
    ) -> None:
        self.database = database
        self.clock = clock
        self.writer = writer
        self._mortal = _Mortal(database)
        self.dispatcher = Dispatcher(
            self._mortal, clock, SECRETS, {channel.name: channel}, limits=limits, timeout=TIMEOUT
        )
        self.reconciler = Reconciler(database, clock, promised=self.dispatcher.promised)

    async def catch_up(self) -> None:
        """Compute what is due, and have the lanes look whatever the time."""
        await self.reconciler.pass_once()
        self.dispatcher.promised()

    async def partner(self, name: str = "app", **different: Any) -> Partner:
        """Add a partner, and wait until it has a lane."""
        added = await add_partner(self.database, self.clock, name, **different)
        self.dispatcher.partners_changed()
        await self.until(lambda: added.id in self.dispatcher._lanes)
        await self.catch_up()
        return added

    async def change(self, name: str = "app", *, told: bool = True, **different: Any) -> Partner:
        """Change a partner as its API does; `told` tells the dispatcher, as a command beside the service cannot."""
        async with self.database.write() as connection:
            changed = await partners.change(
                connection,
                SECRETS,
                name,
                lambda old: msgspec.structs.replace(old, **different),
                self.clock.now(),
                "test",
            )
        if told:
            self.dispatcher.partners_changed()
        return changed

    async def until(self, holds: Callable[[], bool | Awaitable[bool]], *, within: float = 30.0) -> None:
        """Wait until something holds, having the lanes look all the while."""
        async with asyncio.timeout(within):
            while True:
                answer = holds()
                if await answer if isinstance(answer, Awaitable) else answer:
                    return
                self.dispatcher.promised()
                await asyncio.sleep(0.005)

    async def quiet(self) -> None:
        """Wait for long enough that whatever could be sent has been."""
        for _ in range(8):
            self.dispatcher.promised()
            await asyncio.sleep(0.02)

    async def die(self) -> None:
        """Stop as a killed process does: what is under way comes to no end, and nothing more is stored."""
        await self._mortal.die()
        lanes = list(self.dispatcher._lanes.values())
        doomed = [task for lane in lanes for task in (lane._task, *lane._requests.under_way) if task is not None]
        doomed += self.dispatcher._stopping
        if self.dispatcher._task is not None:
            doomed.append(self.dispatcher._task)
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        self.dispatcher._lanes.clear()
        self.dispatcher._stopping.clear()


class _Mortal(Database):
    """A database as one process sees it: when that dies, its transactions under way do or do not make it."""

    def __init__(self, real: Database) -> None:
        self._real = real
        self._dead = False
        self._open = 0
        self.embedded = real.embedded

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        async with self._alive(), self._real.write() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        async with self._alive(), self._real.read() as connection:
            yield connection

    async def die(self) -> None:
        self._dead = True
        while self._open:  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.001)

    @asynccontextmanager
    async def _alive(self) -> AsyncGenerator[None]:
        if self._dead:
            raise ConnectionError("the process is dead")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


async def add_partner(database: Database, clock: Clock, name: str, **different: Any) -> Partner:
    usual: dict[str, Any] = {"channel": "scripted", "configuration": {}, "tells_fleet": True}
    at = clock.now()
    new = Partner(id=0, name=name, created_by="test", created_at=at, updated_at=at, **usual | different)
    async with database.write() as connection:
        return await partners.add(connection, SECRETS, new, "test")
