"""When and from where each key was last used: noted in memory as calls come in, and written every few seconds."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import RowMapping, bindparam, select, update

from app.clock import Clock
from app.store.database import Database
from app.store.tables import metadata

EVERY: Final = 10.0  #: seconds between writes, and how far behind what is stored may be

_key = metadata.tables["api_key"]
_note = (
    update(_key)
    .where(_key.c.id == bindparam("key"))
    .values({name: bindparam(name) for name in ("last_used_at", "last_used_from", "previous_used_at")})
)

log = structlog.get_logger(__name__)


class Use(msgspec.Struct):
    """The last use of one key, and when each of its secrets was last used, by digest. Times are UTC."""

    at: datetime
    address: str | None
    secrets: dict[str, datetime]


class KeyUses:
    """Keeps no call waiting: a call only leaves a note, and who writes it passes over keys that others have locked."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._uses: dict[str, Use] = {}
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, key_id: str, digest: str, address: str | None) -> None:
        """Note that a key was used now, by the secret with this digest."""
        at = self._clock.now()
        use = self._uses.get(key_id)
        if use is None:
            self._uses[key_id] = Use(at, address, {digest: at})
        else:
            use.at, use.address = at, address
            use.secrets[digest] = at

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="key uses")

    async def stop(self) -> None:
        """Write what was noted once more, and stop."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def write(self) -> None:
        """Write what was noted; what cannot be written now stays noted."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        written: set[str] = set()
        try:
            async with self._database.write() as connection:
                # Never waits for a key: whoever commits with it, or changes it, comes first. It has its turn later.
                query = select(_key).where(_key.c.id.in_(list(uses))).order_by(_key.c.id)
                rows = (await connection.execute(query.with_for_update(skip_locked=True))).mappings().all()
                if rows:
                    await connection.execute(_note, [_values(row, uses[row["id"]], self._clock.now()) for row in rows])
            written = {row["id"] for row in rows}
        finally:
            self._put_back({key_id: use for key_id, use in uses.items() if key_id not in written})

    def _put_back(self, uses: Mapping[str, Use]) -> None:
        for key_id, use in uses.items():
            later = self._uses.setdefault(key_id, use)
            if later is not use:
                later.secrets = use.secrets | later.secrets

    async def _run(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), EVERY)
            await self._try()
        await self._try()  # what came while it was written

    async def _try(self) -> None:
        try:
            await self.write()
        except Exception as error:  # noqa: BLE001 - the database is away: others say so louder
            log.warning("when keys were last used could not be written, and is tried again", error=str(error))


def _values(row: RowMapping, use: Use, now: datetime) -> dict[str, Any]:
    """What to write of a use: another replica may know of a later one, unless its clock was wrong."""
    known: datetime | None = row["last_used_at"]
    later = known is not None and use.at < known <= now
    previous = use.secrets.get(row["previous_digest"] or "")
    used: datetime | None = row["previous_used_at"]
    if previous is None or (used is not None and previous < used <= now):
        previous = used
    return {
        "key": row["id"],
        "last_used_at": known if later else use.at,
        "last_used_from": row["last_used_from"] if later else use.address,
        "previous_used_at": previous,
    }
