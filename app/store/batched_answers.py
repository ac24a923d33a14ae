"""What was answered to calls with an Idempotency-Key: written in the same transaction as what they did."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.finding import of_owners
from app.store.tables import metadata

_idempotency: Final = metadata.tables["idempotency"]


class Kept(msgspec.Struct, frozen=True):
    """An answer, and the digest of what was asked."""

    digest: str
    status: int
    answer: str


class BatchedAnswers:
    """Never changed, so not locked: of two calls at once the second to write fails, and then finds the first."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Kept] = {}
        self._new: set[tuple[str, str]] = set()

    def find(self, owner: str, key: str) -> Kept | None:
        return self._known.get((owner, key))

    def put(self, owner: str, key: str, kept: Kept) -> None:
        self._known[owner, key] = kept
        self._new.add((owner, key))

    async def load(self, connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> None:
        if not keys:
            return
        row = _idempotency.c
        query = select(row.owner, row.key, row.digest, row.status, row.answer)
        for owner, key, *kept in await connection.execute(query.where(of_owners(row.owner, row.key, keys))):
            self._known[owner, key] = Kept(*kept)

    async def write(self, connection: AsyncConnection, at: datetime) -> None:
        # In one order, so that two replicas that take the same ones wait for each other and never deadlock.
        if new := sorted(self._new):
            rows = [
                {"owner": owner, "key": key, "at": at, **msgspec.structs.asdict(self._known[owner, key])}
                for owner, key in new
            ]
            await connection.execute(_idempotency.insert(), rows)
