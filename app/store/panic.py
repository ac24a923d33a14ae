"""Panic: one key is good for nothing any more, and nothing that it planned goes on."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import BigInteger, case, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.clock import Clock
from app.domain.permission import Action
from app.domain.principal import Principal
from app.store import issuing
from app.store.commands.ending import EndAllOf
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer

SLICE: Final = 250  #: temporary statuses ended in one transaction, so that others get their turn
MOST_TOUCHED: Final = 100

_temporary = metadata.tables["temporary_status"]
_audit = metadata.tables["audit"]
_SUBJECT: Final = "temporary status "


class Touched(msgspec.Struct, frozen=True):
    """Something that the key did to what is not its own, at a time in UTC: for people to look at."""

    at: datetime
    action: str
    subject: str


class Panicked(msgspec.Struct, frozen=True):
    """How many temporary statuses were ended, and what else the key did, of which nothing is undone.

    What it did to keys first, and the newest first.
    """

    ended: int
    touched: list[Touched]


async def panic(
    database: Database,
    writer: Writer,
    clock: Clock,
    by: Principal,
    key_id: str,
    *,
    told: Callable[[int, int], None] = lambda _ended, _left: None,
) -> Panicked:
    """Revoke a key, then end everything that it planned, in slices; done again it does what is left to do.

    First the key, in a transaction of its own: what it has under way is waited for and ended with the rest, and it
    plans nothing more. `told` hears after each slice how many were ended, and how many are left.

    Raises:
        KeyNotFound: there is none for `by`.
    """
    async with database.write() as connection:
        await issuing.revoke(connection, by, key_id, clock.now(), Action.PANIC)
    # It was asked, and may go on to the end also where it is the very key that was revoked.
    asked = msgspec.structs.replace(by, holds_key=False)
    ended = 0
    while left := await _left(database, key_id, clock.now()):
        told(ended, left)
        ended += await writer.run(EndAllOf(asked, key_id, SLICE))
    told(ended, 0)
    async with database.read() as connection:
        return Panicked(ended, await _touched(connection, key_id))


async def _left(database: Database, owner: str, at: datetime) -> int:
    row = _temporary.c
    live = (row.created_by == owner, row.ended_at.is_(None), or_(row.valid_to.is_(None), row.valid_to > at))
    async with database.read() as connection:
        count: int = (await connection.execute(select(func.count()).select_from(_temporary).where(*live))).scalar_one()
    return count


async def _touched(connection: AsyncConnection, key_id: str) -> list[Touched]:
    said = _audit.c.subject
    number = case(
        (said.startswith(_SUBJECT), cast(func.substr(said, len(_SUBJECT) + 1), BigInteger)),
        else_=None,
    )
    own = exists().where(_temporary.c.id == number, _temporary.c.created_by == key_id)
    query = (
        select(_audit.c.at, _audit.c.action, said)
        .where(_audit.c.actor == key_id, said != f"key {key_id}", _audit.c.action != "trip", ~own)
        # Keys first: a hundred changes of anything else must not push off the list what opens a back door.
        .order_by(case((said.startswith("key "), 0), else_=1), _audit.c.id.desc())
        .limit(MOST_TOUCHED)
    )
    return [Touched(at, action, subject) for at, action, subject in await connection.execute(query)]
