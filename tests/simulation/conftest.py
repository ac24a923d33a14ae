"""What the machines that work on a database share."""

import itertools
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.simulation.window_machine import Fresh


@pytest.fixture
def on_sqlite(sqlite_template: Path, tmp_path: Path) -> Fresh:
    numbers = itertools.count()

    @asynccontextmanager
    async def fresh() -> AsyncGenerator[str]:
        file = tmp_path / f"{next(numbers)}.db"
        shutil.copyfile(sqlite_template, file)
        yield f"sqlite:///{file}"
        file.unlink()

    return fresh
