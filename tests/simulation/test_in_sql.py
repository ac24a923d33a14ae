"""Hundreds of histories through the real statements, and each takes the very course that it takes in memory.

So what thousands of histories in memory prove, they prove of the statements too.
"""

from collections.abc import Iterable

import msgspec
import pytest

from app.store.database import Database
from tests.simulation.history import History
from tests.simulation.plan import SHORT, plan_of
from tests.simulation.playing import play, report, trace
from tests.simulation.sql import in_sql, register_evses, without_a_disk

CHUNK = 50


@pytest.fixture
async def prepared(database: Database) -> Database:
    without_a_disk(database)
    await register_evses(database)
    return database


@pytest.mark.parametrize("first", range(0, CHUNK, CHUNK))
async def test_every_history_in_sql_is_right_and_takes_the_course_it_takes_in_memory(
    prepared: Database, first: int
) -> None:
    await each_is_right_and_as_in_memory(prepared, range(first, first + CHUNK))


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_every_one_of_many_more_histories_in_sql_does(prepared: Database) -> None:
    await each_is_right_and_as_in_memory(prepared, range(10_000, 12_000))


async def each_is_right_and_as_in_memory(database: Database, seeds: Iterable[int]) -> None:
    for seed in seeds:
        plan = plan_of(seed, SHORT)
        async with in_sql(database) as store:
            history = History(plan, store)
            await history.run()
        if history.judge.wrong:
            pytest.fail(report(history))
        in_memory = play(plan)
        for here, there in zip(trace(history), trace(in_memory), strict=False):
            assert here == there, report(history)
        assert history.trace == in_memory.trace
        assert rows(history) == rows(in_memory)


def rows(history: History) -> list[dict[str, object]]:
    """The rows in the end, but for the partner's key."""
    return [msgspec.structs.asdict(row) | {"partner": None} for row in history.rows]
