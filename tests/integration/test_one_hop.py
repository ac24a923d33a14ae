"""SQLite's driver with one trip to its thread for a statement."""

import asyncio
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.store.database import Database


@pytest.fixture
async def database(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'numbers.db'}")
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE number (value INTEGER PRIMARY KEY, word TEXT UNIQUE)"))
    yield database
    await database.close()


async def test_a_statement_is_one_trip_whatever_it_answers(database: Database, monkeypatch: pytest.MonkeyPatch):
    trips = []
    whole = aiosqlite.Connection._execute

    async def counted(self: Any, fn: Any, *args: Any, **kwargs: Any) -> Any:
        trips.append(fn)
        return await whole(self, fn, *args, **kwargs)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    async with database.write() as connection:
        trips.clear()
        await connection.execute(text("INSERT INTO number VALUES (1, 'one')"))
        await connection.execute(text("INSERT INTO number VALUES (:value, :word)"), {"value": 2, "word": "two"})
        found = (await connection.execute(text("SELECT value, word FROM number ORDER BY value"))).all()
        assert len(trips) == 3
    assert [tuple(one) for one in found] == [(1, "one"), (2, "two")]


async def test_what_a_statement_did_is_known_afterwards(database: Database):
    async with database.write() as connection:
        rows = [{"value": value, "word": str(value)} for value in range(5)]
        await connection.execute(text("INSERT INTO number VALUES (:value, :word)"), rows)
        changed = await connection.execute(text("UPDATE number SET word = 'n' || word WHERE value > 2"))
        assert changed.rowcount == 2
        nothing = await connection.execute(text("SELECT value FROM number WHERE value > 9"))
        assert nothing.all() == []


async def test_what_fails_is_told_as_ever_and_the_connection_goes_on(database: Database):
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO number VALUES (1, 'one')"))
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO number VALUES (2, 'one')"))
    with pytest.raises(OperationalError):
        async with database.write() as connection:
            await connection.execute(text("SELECT nothing FROM nowhere"))
    async with database.write() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM number"))).scalar_one() == 1


async def test_whoever_is_cancelled_in_the_middle_leaves_no_transaction_open(database: Database):
    async def slowly() -> None:
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO number VALUES (1, 'one')"))
            await connection.execute(text(_LONG))

    task = asyncio.create_task(slowly())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(30), database.write() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM number"))).scalar_one() == 0


_LONG = (
    "WITH RECURSIVE counting(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counting WHERE n < 1000000)"
    " SELECT max(n) FROM counting"
)
