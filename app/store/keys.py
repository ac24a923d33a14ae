"""The API keys."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.api_key import ApiKey, no_such_key
from app.domain.errors import KeyNotGood
from app.domain.principal import TRUSTED, Principal, Role
from app.domain.rights import Rights
from app.store.database import Database
from app.store.gathered import Gathered
from app.store.prepared import Prepared
from app.store.tables import metadata

_key = metadata.tables["api_key"]
_BY_ID: Final = Prepared(lambda among: select(_key).where(among(_key.c.id)))
_audit = metadata.tables["audit"]


async def add(connection: AsyncConnection, key: ApiKey) -> None:
    await connection.execute(insert(_key).values(key_values(key)))
    await _write_audit(connection, key.created_at, key.created_by, "create", key.id)


async def find(connection: AsyncConnection, key_id: str) -> ApiKey | None:
    return (await find_many(connection, [key_id])).get(key_id)


async def find_many(connection: AsyncConnection, key_ids: Collection[str]) -> dict[str, ApiKey]:
    """Those of these keys that there are."""
    rows = (await _BY_ID.run(connection, key_ids)).mappings()
    return {row["id"]: key_from(row) for row in rows}


class KeyReader:
    """Looks keys up for requests, those that ask at the same time together.

    A key is good, or good for nothing, from the moment it is made or revoked, by whichever process.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id: Gathered[str, ApiKey] = Gathered(self._read)

    async def find(self, key_id: str) -> ApiKey | None:
        return await self._by_id.ask(key_id)

    async def _read(self, key_ids: Sequence[str]) -> Mapping[str, ApiKey]:
        async with self._database.read() as connection:
            return await find_many(connection, key_ids)


async def held(connection: AsyncConnection, by: Principal, at: datetime, about: str | None = None) -> Principal:
    """Return who asks, with what the key is good for now, and keep it from being revoked until the commit.

    Whoever sends a body slowly was let in long before it is read. `about` is the key that will be changed: both are
    locked at once and in the order in which the writer locks keys, so that nobody waits for each other.

    Raises:
        KeyNotGood: it was revoked, or ran out, since the call began.
    """
    if not by.holds_key:
        return by
    row = _key.c
    query = select(_key).where(row.id.in_({by.id, about or by.id})).order_by(row.role.in_(TRUSTED), row.id)
    found = await connection.execute(query.with_for_update(read=about is None))
    key = {one["id"]: key_from(one) for one in found.mappings()}.get(by.id)
    if key is None or not key.is_good(at):
        raise KeyNotGood("this key is not good")
    return key.principal


async def all_keys(connection: AsyncConnection) -> list[ApiKey]:
    """Every key, revoked ones too, in the order they were made."""
    rows = (await connection.execute(select(_key).order_by(_key.c.created_at, _key.c.id))).mappings()
    return [key_from(row) for row in rows]


async def change(
    connection: AsyncConnection,
    key_id: str,
    decide: Callable[[ApiKey], ApiKey],
    at: datetime,
    actor: str,
    action: str = "change",
) -> ApiKey:
    """Store what `decide` makes of a key, which nobody else writes with or changes meanwhile.

    Raises:
        KeyNotFound: there is none with that id.
    """
    query = select(_key).where(_key.c.id == key_id).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise no_such_key(key_id)
    old = key_from(row)
    new = decide(old)
    if new != old:
        await connection.execute(update(_key).where(_key.c.id == key_id).values(key_values(new)))
        await _write_audit(connection, at, actor, action, key_id)
    return new


async def revoke(
    connection: AsyncConnection,
    key_id: str,
    at: datetime,
    actor: str,
    permit: Callable[[ApiKey], None] = lambda _key: None,
) -> ApiKey:
    """Make a key good for nothing from now on; one that was revoked before stays so.

    Whoever writes with it has it locked: this waits, and what they did is committed when it is done. `permit` raises
    where this key may not be revoked.

    Raises:
        KeyNotFound: there is none with that id.
    """

    def decide(old: ApiKey) -> ApiKey:
        permit(old)
        return old if old.revoked_at is not None else msgspec.structs.replace(old, revoked_at=at)

    return await change(connection, key_id, decide, at, actor, "revoke")


def key_from(row: Any) -> ApiKey:
    plain = {name: row[name] for name in ApiKey.__struct_fields__}
    return ApiKey(**plain | {"role": Role(row["role"]), "rights": msgspec.convert(row["rights"] or {}, Rights)})


def key_values(key: ApiKey) -> dict[str, Any]:
    return msgspec.structs.asdict(key) | {"role": key.role.value, "rights": msgspec.to_builtins(key.rights) or None}


async def _write_audit(connection: AsyncConnection, at: datetime, actor: str, action: str, key_id: str) -> None:
    await connection.execute(
        insert(_audit).values(at=at, actor=actor, action=action, subject=f"key {key_id}", operator=None)
    )
