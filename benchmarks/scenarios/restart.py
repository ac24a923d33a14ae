"""7: a service that was down for an hour, with a million windows stored, of which many began meanwhile."""

from statistics import median
from time import perf_counter
from typing import Final

import msgspec
from sqlalchemy import func, select

from app.store.database import Database
from app.store.tables import metadata
from benchmarks import fleet, stock
from benchmarks.bench import Bench, Scenario
from benchmarks.measuring import Goal, Line
from benchmarks.processes import service
from benchmarks.waiting import converged

_presented = metadata.tables["presented"]
_change = metadata.tables["presented_change"]
_delivery = metadata.tables["delivery"]


class Start(msgspec.Struct):
    """One start. Times are in seconds from when the process was started."""

    ready: float
    converged: float
    cpu: float


async def started(bench: Bench, url: str, crossed: int) -> Start:
    """Start the service and wait until all that was crossed is shown.

    Raises:
        ValueError: something was forgotten.
    """
    began, now = perf_counter(), fleet.now()
    database = Database(url)
    try:
        async with service(url, bench.log("restart")) as running:
            await converged(database, now)
            took, cpu = perf_counter() - began, running.cpu
        async with database.read() as connection:
            shown = select(func.count()).where(_presented.c.because.is_not(None))
            recorded = select(func.count()).select_from(_change)
            owed = select(func.count()).where(_delivery.c.want == 3, _delivery.c.next_at.is_not(None))
            found = [(await connection.execute(one)).scalar() for one in (shown, recorded, owed)]
    finally:
        await database.close()
    if found != [crossed, crossed, crossed * stock.PARTNERS]:
        raise ValueError(f"of {crossed} windows so many are shown, recorded, owed: {found}")
    return Start(running.took, took, cpu)


async def run(bench: Bench) -> list[Line]:
    windows = bench.much(1_000_000, 20_000)
    crossed = windows // stock.EACH
    starts = []
    for number in range(bench.rounds):
        async with stock.embedded(bench, windows) as url:
            bench.tell(f"start {number + 1} of {bench.rounds}")
            starts.append(await started(bench, url, crossed))
    last = starts[-1]
    what = f"start with {windows:,} windows stored, {crossed:,} of them crossed while down, SQLite"
    return [
        Line(
            scenario=7,
            what=f"{what}: until it is ready",
            figures=tuple(one.ready for one in starts),
            unit="s",
            ours="with the start of Python and all that is imported",
            goal=Goal(at_most=3.0),
            short=f"ready {median(one.ready for one in starts):.1f} s after a start with {windows:,} windows stored, "
            f"and all {crossed:,} that began meanwhile shown after {median(one.converged for one in starts):.1f} s, "
            "on SQLite",
        ),
        Line(
            scenario=7,
            what=f"{what}: until all is presented, recorded and owed to 3 partners",
            figures=tuple(one.converged for one in starts),
            unit="s",
            ours=f"{last.cpu:.1f} s CPU, {last.converged / crossed * 1e6:,.0f} µs a window that was crossed",
            goal=Goal(at_most=10.0),
            note="counted from the start of the process; the partners are paused",
        ),
    ]


SCENARIO: Final = Scenario(7, "A start after an hour", run)
