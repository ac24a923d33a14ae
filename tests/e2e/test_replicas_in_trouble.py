"""Several real `serve` on one PostgreSQL, killed and frozen at random, under load, with partners in trouble."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.warm_start import warm_start
from tests.trouble.history import History

KILLS = 6
FREEZES = 4
ROUNDS = 12  #: of the long run, with each number of replicas


@asynccontextmanager
async def living(url: str, folder: Path, replicas: int) -> AsyncGenerator[History]:
    async with warm_start() as warm:
        history = History(url, folder, warm, replicas=replicas, seed=random.randrange(2**32))
        async with history.prepared():
            yield history


@pytest.mark.parametrize("replicas", [2, pytest.param(3, marks=pytest.mark.long)])
async def test_replicas_that_are_killed_and_frozen_leave_nothing_lost_and_nothing_wrong(
    postgresql_url: str, tmp_path: Path, replicas: int
) -> None:
    async with living(postgresql_url, tmp_path, replicas) as history:
        await history.trouble(kills=KILLS, freezes=0)
        await history.trouble(kills=KILLS // 2, freezes=FREEZES)
        await history.peace()
        tally = await history.tally()
    assert tally.kills >= KILLS
    assert tally.stops == FREEZES
    assert tally.windows > 0


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("replicas", [2, 3])
async def test_hundreds_of_kills_leave_nothing_lost_and_nothing_wrong(
    postgresql_url: str, tmp_path: Path, replicas: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with living(postgresql_url, tmp_path, replicas) as history:
        for number in range(ROUNDS):
            # A third of the rounds without freezes, as those excuse two requests at once.
            await history.trouble(kills=10, freezes=5 if number % 3 else 0)
            await history.peace()
        tally = await history.tally()
    assert tally.kills >= 100
    assert tally.stops >= 30
    with capsys.disabled():
        print(f"\n{replicas} replicas, seed {history.seed}: {tally}")  # noqa: T201 - what a long run is for
