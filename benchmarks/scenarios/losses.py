"""1, continued: what of all that was acknowledged is gone after `kill -9`, and what of it never happens."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import make_url

from benchmarks import fleet
from benchmarks.bench import Bench
from benchmarks.databases import SPELT
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line
from benchmarks.peers import afternoon
from benchmarks.peers.alertmanager import MISSING, SILENCE, alertmanager, is_installed, silencing
from benchmarks.processes import Running, module, service

CONNECTIONS: Final = 64
EVSES: Final = 2_000
PATH: Final = "/v2/temporary-evse-statuses"
_LATER: Final = timedelta(days=1)
_LONG: Final = timedelta(hours=2)


class Side(msgspec.Struct, frozen=True):
    """Something that acknowledges what it is told. All can be started again with what it left behind."""

    name: str
    running: Callable[[], AbstractAsyncContextManager[Running]]
    plan: Callable[[int, datetime], bytes]  #: a call
    id_of: Callable[[Any], str]  #: of what it was told, as it answers
    look: Callable[[str], bytes]  #: a call that succeeds as long as it is there


async def lines(bench: Bench) -> list[Line]:
    found = []
    for kind in bench.kinds:
        async with _ours(bench, kind) as (side, _):
            found.append(await _killed(bench, side, Goal(at_most=0.0)))
    found.append(await _killed(bench, _afternoon(bench, bench.fresh_directory("afternoon"))))
    if is_installed():
        found.append(await _killed(bench, _alertmanager(bench)))
    else:
        found.append(Line(scenario=1, what="lost on kill -9", beside="Alertmanager", note=MISSING))
    return [*found, await _never(bench)]


async def _killed(bench: Bench, side: Side, goal: Goal | None = None) -> Line:
    bench.tell(f"{side.name}: killed")
    begin = fleet.now() + _LATER
    async with side.running() as running, Caller(running.url, CONNECTIONS) as caller:
        load = asyncio.create_task(caller.flat_out((side.plan(one, begin) for one in count(1)), keep=True))
        await asyncio.sleep(bench.much(1.0, 0.3))
        await running.kill()
        answers = (await load).answers or []
    told = {side.id_of(msgspec.json.decode(answer)) for answer in answers if answer}
    async with side.running() as running, Caller(running.url, CONNECTIONS) as caller:
        lost = len(told) - (await caller.flat_out(map(side.look, told))).succeeded
    return Line(
        scenario=1,
        what=f"lost on kill -9, {side.name}",
        figures=(100 * lost / len(told),),
        unit="%",
        ours=f"{lost:,} of {len(told):,} that it had acknowledged",
        goal=goal,
        note="once",
        short=f"{lost:,} of {len(told):,} acknowledged creates lost on kill -9, {side.name.removeprefix('ours ')}"
        if goal
        else "",
    )


async def _never(bench: Bench) -> Line:
    """Have many begin in the same second, and see which do."""
    patience = bench.much(25.0, 3.0)
    async with _ours(bench, "sqlite") as (ours, path):
        shown = "SELECT count(*) FROM presented WHERE what LIKE 'kind:%'"
        mine, of_mine = await _begun(bench, ours, path, shown, bench.much(4.0, 2.0))
    directory = bench.fresh_directory("afternoon")
    active = "SELECT count(*) FROM afternoonwindow WHERE state = 'active'"
    theirs, of_theirs = await _begun(bench, _afternoon(bench, directory), directory / "windows.db", active, patience)
    return Line(
        scenario=1,
        what="windows that begin in the same second and are never shown",
        figures=(100 * (1 - mine / of_mine),),
        unit="%",
        ours=f"{of_mine - mine:,} of {of_mine:,}",
        beside=f"the afternoon version: {of_theirs - theirs:,} of {of_theirs:,}",
        goal=Goal(at_most=0.0),
        note=f"once; as many as the afternoon version can plan in {patience:.0f} s",
    )


async def _begun(bench: Bench, side: Side, file: Path, counting: str, seconds: float) -> tuple[int, int]:
    """How many of those that begin after `seconds` did so, as the database says, and how many had been planned."""
    bench.tell(f"{side.name}: a burst")
    begin = fleet.now().replace(microsecond=0) + timedelta(seconds=seconds + 2)
    async with side.running() as running, Caller(running.url, CONNECTIONS) as caller:
        calls = (side.plan(one, begin) for one in range(1, bench.much(EVSES, 50) + 1))
        planned = (await caller.flat_out(calls, seconds)).demand_success().succeeded
        await asyncio.sleep(max(0.0, (begin - fleet.now()).total_seconds()) + bench.much(2.0, 1.0))
        before, begun = -1, 0
        while begun != before:  # until nothing more happens
            await asyncio.sleep(bench.much(2.0, 0.5))
            with closing(sqlite3.connect(file, timeout=60)) as database:
                before, begun = begun, database.execute(counting).fetchone()[0]
    return begun, planned


@asynccontextmanager
async def _ours(bench: Bench, kind: str) -> AsyncGenerator[tuple[Side, Path]]:
    async with bench.databases.fresh(kind) as url:
        await fleet.stock(url, EVSES, fleet.now())
        key = await fleet.key(url)
        side = Side(
            f"ours on {SPELT[kind]}",
            lambda: service(url, bench.log("killed")),
            lambda number, begin: call("POST", PATH, key, _window(number, begin)),
            lambda answer: str(answer["id"]),
            lambda named: call("GET", f"{PATH}/{named}", key),
        )
        yield side, Path(make_url(url).database or "")


def _afternoon(bench: Bench, directory: Path) -> Side:
    return Side(
        "the afternoon version",
        lambda: module(afternoon.__name__, bench.log("afternoon"), str(directory)),
        lambda number, begin: call("POST", PATH, "", _window(number, begin)),
        lambda answer: str(answer["id"]),
        lambda named: call("GET", f"{PATH}/{named}"),
    )


def _alertmanager(bench: Bench) -> Side:
    directory = bench.fresh_directory("alertmanager")
    return Side(
        "Alertmanager",
        lambda: alertmanager(directory, bench.log("alertmanager")),
        lambda number, begin: silencing(_evse_id(number), begin, begin + _LONG, f"work order {number}"),
        lambda answer: str(answer["silenceID"]),
        lambda named: call("GET", f"{SILENCE}/{named}"),
    )


def _window(number: int, begin: datetime) -> dict[str, Any]:
    return fleet.body(number, number % EVSES + 1, begin, begin + _LONG)


def _evse_id(number: int) -> str:
    return fleet.evse_id(number % EVSES + 1)
