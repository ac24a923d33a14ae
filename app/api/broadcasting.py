"""One look at the record for all who listen: what of it is news goes to those whom it concerns."""

import asyncio
import contextlib
import resource
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import structlog
from litestar.exceptions import HTTPException
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.event_shapes import Telling, ping_frame
from app.api.frames import Frames
from app.api.listener import Listener
from app.channels.channel import Channel
from app.clock import Clock
from app.domain.following import OVERLAP, Follower, Position
from app.domain.principal import Principal
from app.settings import Settings
from app.store import changes, keys
from app.store.changes import Standing, Wanted
from app.store.database import Database

_POLL: Final = 1.0  #: seconds between looks where nothing is heard of a change: other replicas make some too
_PACE: Final = 0.2  #: seconds between two looks, at least; the first after a quiet moment never waits
_STALE: Final = 5.0  #: seconds without a look, after which the first who listens begins with a thorough one
_KEYS_EVERY: Final = 2.0  #: seconds between looks at the keys of those who listen
_READING: Final = 3  #: listeners that read the record at once; requests need connections too
_COME_BACK: Final = {"Retry-After": "5"}

#: Those who listen to the same with the same rights hear the same.
Audience: TypeAlias = tuple[Wanted, Principal]

log = structlog.get_logger(__name__)


class Broadcast:
    """Follows what is presented and offers it to each listener that it concerns.

    Where nobody listens it does nothing. `listeners` and `dropped` are for whoever watches the service.
    """

    def __init__(self, database: Database, clock: Clock, channels: Mapping[str, Channel], settings: Settings) -> None:
        self.channels = channels
        self.clock = clock
        self.frames = Frames(channels, clock)
        self.kept = settings.changes_kept
        self.dropped = 0  #: listeners that were cut off as they did not read
        self.patience = 20.0  #: seconds that a listener may take for what it is sent
        self.ping_every = 15.0  #: seconds without anything to tell
        self._database = database
        self._most = min(settings.event_streams, _sockets() // 2)
        self._most_of_key = settings.event_streams_per_key
        self._audiences: dict[Audience, set[Listener]] = {}
        self._broad: set[Audience] = set()
        self._narrow: dict[int, set[Audience]] = defaultdict(set)  # by the EVSEs that they follow
        self._of_key: Counter[str] = Counter()
        self._follower: Follower | None = None
        self._priming = asyncio.Lock()
        self._reading = asyncio.Semaphore(_READING)
        self._wanted = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._keys_at = 0.0
        self._trouble = False
        self._ping: tuple[Position, bytes] | None = None

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._of_key.total()

    @property
    def position(self) -> Position:
        """Up to where everybody has been offered everything; there is one once somebody may listen."""
        if self._follower is None:
            raise RuntimeError("nobody was let in yet")
        return self._follower.position

    def ping(self) -> bytes:
        """The event that says so."""
        if self._ping is None or self._ping[0] is not self.position:
            self._ping = (self.position, ping_frame(self.position))
        return self._ping[1]

    def wake(self) -> None:
        """Ask for a look now: something was committed here."""
        if self._audiences:
            self._wanted.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="broadcast")

    async def stop(self) -> None:
        """End every stream and stop. Not by cancelling, which the database's driver does not take well."""
        self.end()
        if self._task is not None:
            await self._task

    def end(self) -> None:
        """End every stream, and let nobody listen any more."""
        self._closing.set()
        self._wanted.set()
        for listener in [one for them in self._audiences.values() for one in them]:
            listener.end()

    async def ready(self, principal: Principal) -> None:
        """Let `principal` listen, if one more may. What is committed after this will be offered to it.

        Raises:
            HTTPException: 429, as many listen with its key as may; 503, as many as may in all, or the service stops.
        """
        self._not_too_many(principal)
        async with self._priming:
            now = self.clock.now()
            looked = None if self._follower is None else (now - self._follower.position.at).total_seconds()
            if looked is None or not (self._audiences or 0 <= looked < _STALE):
                async with self._database.read() as connection:
                    found, _ = await changes.changed_since(connection, now - OVERLAP)
                    last = await changes.last_change(connection)
                self._follower = Follower(now, found, last or 0)
        self._not_too_many(principal)  # once more: others that waited here as well have joined meanwhile

    def _not_too_many(self, principal: Principal) -> None:
        if self._task is None or self._closing.is_set():
            raise HTTPException(status_code=503, detail="the service is stopping", headers=_COME_BACK)
        if self._of_key[principal.id] >= self._most_of_key:
            detail = f"{self._most_of_key} streams are open with this key; one process serves no more"
            raise HTTPException(status_code=429, detail=detail, headers=_COME_BACK)
        if self.listeners >= self._most:
            detail = f"{self._most} streams are open; one process serves no more"
            raise HTTPException(status_code=503, detail=detail, headers=_COME_BACK)

    def join(self, listener: Listener) -> None:
        audience = (listener.wanted, listener.principal)
        if audience not in self._audiences:
            self._audiences[audience] = set()
            if not listener.wanted.evses:
                self._broad.add(audience)
            for evse in listener.wanted.evses:
                self._narrow[evse].add(audience)
        self._audiences[audience].add(listener)
        self._of_key[listener.principal.id] += 1
        self._wanted.set()
        if self._closing.is_set():
            listener.end()

    def leave(self, listener: Listener) -> None:
        audience = (listener.wanted, listener.principal)
        self._audiences[audience].remove(listener)
        self._of_key[listener.principal.id] -= 1
        if not self._of_key[listener.principal.id]:
            del self._of_key[listener.principal.id]
        if not self._audiences[audience]:
            del self._audiences[audience]
            self._broad.discard(audience)
            for evse in listener.wanted.evses:
                self._narrow[evse].discard(audience)
                if not self._narrow[evse]:
                    del self._narrow[evse]

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A connection for a listener that reads the record by itself, of whom there are but a few at a time."""
        async with self._reading, self._database.read() as connection:
            yield connection

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing.is_set():
            if not self._audiences:
                await self._wanted.wait()
            self._wanted.clear()
            began = loop.time()
            try:
                await self._look()
                await self._look_at_keys()
                self._trouble = False
            except Exception:
                if not self._trouble:  # once, and not each second while the database is away
                    log.exception("those who follow events cannot be told anything, which is tried again")
                self._trouble = True
            # In a storm it leaves as much time to others as it takes itself.
            took = loop.time() - began
            await _heard(self._closing, max(_PACE - took, min(took, _POLL)))
            if not self._closing.is_set():
                await _heard(self._wanted, _POLL)

    async def _look(self) -> None:
        follower = self._follower
        if follower is None or not self._audiences:
            return
        look = follower.look(self.clock.now())
        async with self._database.read() as connection:
            found, last = await changes.changed_since(connection, look.since)
        news = []
        for evse in follower.news(found):
            if self._broad or evse in self._narrow:
                news.append(evse)
            else:
                follower.told(evse, found[evse])
        for begin in range(0, len(news), changes.PAGE):
            async with self._database.read() as connection:
                page = await changes.standing(connection, news[begin : begin + changes.PAGE])
            self._tell([one for one in page if follower.told(one.evse.id, one.version)], follower.position)
            await asyncio.sleep(0)
        follower.done(look, found, last)

    def _tell(self, page: Sequence[Standing], position: Position) -> None:
        # Its cursor is where the look began: the rest of what the look found may not reach a listener any more.
        said: dict[Audience, list[bytes]] = defaultdict(list)
        for one in page:
            telling = Telling(one, self.channels, position)
            for audience in (*self._broad, *self._narrow.get(one.evse.id, ())):
                wanted, principal = audience
                if wanted.covers(one.evse):
                    said[audience].append(telling.frame(principal))
        for audience, frames in said.items():
            data = b"".join(frames)
            for listener in self._audiences[audience]:
                listener.offer(position, data)

    async def _look_at_keys(self) -> None:
        """End the streams of keys that are good no more, or good for something else."""
        now = asyncio.get_running_loop().time()
        if now - self._keys_at < _KEYS_EVERY:
            return
        # Whoever joins while the keys are read has just been looked at.
        holders = [one for (_, who), them in self._audiences.items() if who.holds_key for one in them]
        if holders:
            async with self._database.read() as connection:
                found = await keys.find_many(connection, {one.principal.id for one in holders})
            at = self.clock.now()
            for one in holders:
                key = found.get(one.principal.id)
                if key is None or key.principal != one.principal or not key.knows(one.digest or "", at):
                    one.end()
        self._keys_at = now


def _sockets() -> int:
    """How many sockets this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft


async def _heard(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
