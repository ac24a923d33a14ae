"""Several real `serve` on one PostgreSQL, killed and frozen at random, under load, with partners in trouble."""

import random
import sys
from pathlib import Path

import pytest

from tests.e2e.warm_start import warm_start
from tests.trouble.history import History

KILLS = 6
FREEZES = 5


@pytest.mark.parametrize("replicas", [2, 3])
async def test_replicas_that_are_killed_and_frozen_leave_nothing_lost_and_nothing_wrong(
    postgresql_url: str, tmp_path: Path, replicas: int
) -> None:
    async with warm_start() as warm:
        history = History(postgresql_url, tmp_path, warm, replicas=replicas, seed=random.randrange(2**32))
        async with history.prepared():
            await history.trouble(kills=KILLS, freezes=0)
            await history.trouble(kills=KILLS // 2, freezes=FREEZES)
            await history.peace()
            sys.stdout.write(f"{await history.tally()}\n")
