"""What somebody missed who was told up to a position: by time, by key where the clock went back, and only so much."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.following import OVERLAP, Position
from app.store import changes
from app.store.database import Database
from app.store.tables import metadata
from tests.builders import HOUR
from tests.clock import START
from tests.integration.test_clockwork import make_fleet

SECOND = timedelta(seconds=1)


@pytest.fixture
async def evses(database: Database) -> list[int]:
    return await make_fleet(database, 4, START, START + HOUR)


async def record(database: Database, *rows: tuple[int, int, float]) -> None:
    """Record changes: of which EVSE, to which version, and how many seconds after the start."""
    values: list[dict[str, Any]] = [
        {"evse": evse, "version": version, "at": START + seconds * SECOND, "operator": "DEABC"}
        | {"from_what": "actual:UNKNOWN", "to_what": "kind:BLOCKED", "because": None, "until": None}
        for evse, version, seconds in rows
    ]
    async with database.write() as connection:
        await connection.execute(metadata.tables["presented_change"].insert(), values)


async def missed(database: Database, last: int) -> dict[int, int] | None:
    """What changed later than the start."""
    async with database.read() as connection:
        return await changes.changed_after(connection, Position(START + OVERLAP, last))


async def test_the_latest_version_of_each_evse_that_changed_is_found(database: Database, evses: list[int]) -> None:
    one, two, three, _ = evses
    await record(database, (one, 5, 0), (two, 2, 1), (two, 3, 2), (three, 9, 3), (three, 8, 4))

    assert await missed(database, last=99) == {two: 3, three: 9}


async def test_what_carries_an_earlier_time_is_found_by_its_key(database: Database, evses: list[int]) -> None:
    one, two, three, _ = evses
    await record(database, (one, 5, -7200), (two, 6, -3600), (three, 2, 5))

    assert await missed(database, last=1) == {two: 6, three: 2}


async def test_too_much_is_not_told_one_by_one(
    database: Database, evses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MOST", 3)
    one, two, three, four = evses
    await record(database, (one, 5, 1), (two, 6, 2), (three, 2, -3600))
    assert await missed(database, last=0) == {one: 5, two: 6, three: 2}

    await record(database, (four, 2, -3600))
    assert await missed(database, last=0) is None
    await record(database, (four, 3, 3), (four, 4, 4))
    assert await missed(database, last=99) is None
