"""`kill -9` at any await point loses nothing and leaves nothing half done, on either engine."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from tests.crash.driver import Report

ROOT = Path(__file__).parents[2]


async def died(url: str, what: str, count: int, folder: Path) -> Report:
    """Have that many processes die, each at another step of its event loop; 0 means at every single one."""
    words = [sys.executable, "-m", "tests.crash.driver", url, what, str(count), str(folder)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=pipe, stderr=pipe)
    try:
        printed, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complained.decode()
    return msgspec.json.decode(printed, type=Report)


@pytest.mark.timeout(300)
async def test_what_was_accepted_is_kept_and_nothing_is_half_done_wherever_the_process_dies(
    database_url: str, tmp_path: Path
) -> None:
    report = await died(database_url, "writing", 65, tmp_path)
    assert report.wrong == []
    assert report.killed >= 50  # on a slow machine some are through before they can be killed
    assert report.accepted >= report.killed


@pytest.mark.timeout(300)
async def test_a_story_interrupted_anywhere_ends_for_every_partner_as_the_same_one_undisturbed(
    database_url: str, tmp_path: Path
) -> None:
    report = await died(database_url, "delivering", 12, tmp_path)
    assert report.wrong == []
    assert report.killed >= 8


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_death_at_every_single_step_of_writing_loses_nothing(database_url: str, tmp_path: Path) -> None:
    report = await died(database_url, "writing", 0, tmp_path)
    assert report.wrong == []
    assert report.killed >= 0.8 * report.steps


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_thousand_deaths_in_the_middle_of_delivering_change_no_ending(
    database_url: str, tmp_path: Path
) -> None:
    report = await died(database_url, "delivering", 1000, tmp_path)
    assert report.wrong == []
    assert report.killed >= 800
