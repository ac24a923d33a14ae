"""The API keys behind a group of commands: whether each is still good as it writes, and what it has in effect."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.api_key import ApiKey
from app.domain.errors import KeyNotGood
from app.domain.interval import Interval
from app.domain.principal import Principal
from app.domain.rights import peak
from app.domain.temporary_status import TemporaryStatus
from app.store.keys import key_from
from app.store.tables import metadata

_key = metadata.tables["api_key"]
_temporary = metadata.tables["temporary_status"]

#: From when until when something is wanted; an end of `None` is open.
Asked: TypeAlias = tuple[datetime, datetime | None]


class BatchedKeys:
    """The keys that ask, locked until the commit: who revokes one waits, and then finds all that it did."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._live: dict[str, dict[int, Interval]] = {}
        self._peaks: dict[tuple[str, Interval], int] = {}

    async def load(self, connection: AsyncConnection, principals: Iterable[Principal]) -> None:
        holders = {one.id: one for one in principals if one.holds_key}
        # Whoever may only have so many is counted by one replica at a time. Others only must not be revoked meanwhile.
        counted = {one.id for one in holders.values() if one.is_braked or one.rights.most_active is not None}
        for ids, shared in ((counted, False), (holders.keys() - counted, True)):
            if ids:
                query = select(_key).where(_key.c.id.in_(ids)).order_by(_key.c.id).with_for_update(read=shared)
                for row in (await connection.execute(query)).mappings():
                    self._keys[row["id"]] = key_from(row)

    async def load_live(self, connection: AsyncConnection, asked: Mapping[str, Sequence[Asked]]) -> None:
        """Load, of each key that may only have so many, the windows that share time with what it asks for.

        Of a key that stays below its limit even if they all met at one instant, nobody needs to know them.
        """
        for owner, wanted in asked.items():
            key = self._keys.get(owner)
            if key is None or key.rights.most_active is None:
                continue
            begin, end = _spanned(wanted)
            row = _temporary.c
            which = [row.created_by == owner, row.ended_at.is_(None), or_(row.valid_to.is_(None), row.valid_to > begin)]
            if end is not None:
                which.append(row.valid_from < end)
            count = (await connection.execute(select(func.count()).where(*which))).scalar_one()
            if count + len(wanted) <= key.rights.most_active:
                continue
            found = await connection.execute(select(row.id, row.valid_from, row.valid_to).where(*which))
            self._live[owner] = {id_: Interval(valid_from, valid_to) for id_, valid_from, valid_to in found}

    def current(self, by: Principal, at: datetime) -> Principal:
        """Return who asks, with what the key is good for at this moment.

        Raises:
            KeyNotGood: it was revoked, or ran out, since the call began.
        """
        if not by.holds_key:
            return by
        key = self._keys.get(by.id)
        if key is None or not key.is_good(at):
            raise KeyNotGood("this key is not good")
        return key.principal

    def beside(self, owner: str, interval: Interval, *, but: int | None = None) -> int:
        """How many of a key's windows are in effect at once within `interval`, at most; `but` is not counted.

        None where the key is so far below its limit that they were not loaded. Worked out once for all that is wanted
        for one and the same time, which is most of what is wanted together.
        """
        live = self._live.get(owner, {})
        if but in live:
            return peak((one for id_, one in live.items() if id_ != but), interval)
        if (owner, interval) not in self._peaks:
            self._peaks[owner, interval] = peak(live.values(), interval)
        return self._peaks[owner, interval]

    def put(self, one: TemporaryStatus) -> None:
        """Count it from now on as it is."""
        live = self._live.get(one.created_by)
        if live is None:
            return
        is_new = one.ended_at is None and one.id not in live
        if one.ended_at is None:
            live[one.id] = one.interval
        else:
            live.pop(one.id, None)
        for owner, interval in [known for known in self._peaks if known[0] == one.created_by]:
            if is_new and interval == one.interval:
                self._peaks[owner, interval] += 1  # it is in effect whenever the others are
            else:
                del self._peaks[owner, interval]


def _spanned(wanted: Sequence[Asked]) -> Asked:
    """From the first beginning to the last end."""
    ends = [end for _, end in wanted if end is not None]
    return min(begin for begin, _ in wanted), max(ends) if len(ends) == len(wanted) else None
