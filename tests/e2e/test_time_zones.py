"""The machine's own time zone, the process's and the database's, must not matter for anything."""

import asyncio
import json
import os
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from tests.databases import PostgresqlServer

#: Written as rules, so that no zone files are needed. One is half an hour off, with a summer time of half an hour; one
#: is a day ahead of another; two change their clocks within the story, in either hemisphere.
ZONES: Final = {
    "Berlin": "CET-1CEST,M3.5.0,M10.5.0/3",
    "New York": "EST5EDT,M3.2.0,M11.1.0",
    "Lord Howe": "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "Kiritimati": "<+14>-14",
}
ON_POSTGRESQL_TOO: Final = {"Lord Howe"}


async def told_in(zone: str, *arguments: str) -> list[bytes]:
    """The lines of the story, as a process in that zone tells it."""
    words = [sys.executable, "-m", "tests.e2e.time_zone_story", *arguments]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, env=os.environ | {"TZ": zone}, stdout=pipe, stderr=pipe)
    printed, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return printed.splitlines()


async def test_the_same_story_is_told_byte_for_byte_in_every_time_zone_and_on_both_databases(
    sqlite_template: Path, postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    zones, commands, on_disk, stories = set[bytes](), set[bytes](), set[bytes](), dict[str, bytes]()
    for name, zone in ZONES.items():
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'evse-status.db')}"
        async with AsyncExitStack() as dropping:
            also = [await dropping.enter_async_context(postgresql.fresh())] if name in ON_POSTGRESQL_TOO else []
            knew, printed, stored, *told = await told_in(zone, str(folder), url, *also)
        zones.add(knew)
        commands.add(printed)
        on_disk.add(stored)
        stories |= {f"{name} {number}": story for number, story in enumerate(told)}
    assert len(zones) == len(ZONES), "the zones took effect"
    assert len(stories) == len(ZONES) + len(ON_POSTGRESQL_TOO)

    berlin = json.loads(stories["Berlin 0"])
    assert {name: json.loads(story) for name, story in stories.items()} == dict.fromkeys(stories, berlin)
    assert len(set(stories.values())) == len(commands) == len(on_disk) == 1
    _is_what_happened(berlin, json.loads(commands.pop()))


def _is_what_happened(story: dict[str, Any], commands: list[str]) -> None:
    """That something was told at all, and in UTC."""
    first, second, third = (json.loads(printed) for printed in commands[1:])
    assert (first["validFrom"], first["validTo"]) == ("2090-03-26T00:30:00.000Z", "2090-03-27T12:30:00.000Z")
    assert (second["validFrom"], second["validTo"]) == ("2090-10-29T00:30:00.000Z", "2090-10-29T01:30:00.000Z")
    assert (third["validFrom"], third["validTo"]) == ("2090-09-30T15:15:00.000Z", "2090-09-30T15:45:00.000Z")
    said = [one for one in story["told"] if "BLOCKED" in one or "Occupied" in one]
    paths = [one.split()[1] for one in said]
    assert all(any(channel in path for path in paths) for channel in ("/webhook", "oicp", "ocpi"))
    assert any('"lastUpdated":"2026-03-08T06:30:00.000Z"' in one for one in said)
    (row, *_) = story["rows"]["temporary_status"]
    assert (row["valid_from"], row["valid_to"]) == ("2026-03-08T06:30:00+00:00", "2026-03-08T07:30:00+00:00")
