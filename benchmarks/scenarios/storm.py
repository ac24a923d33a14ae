"""2: a hundred thousand windows that begin in the same second, as a nightly block at 22:00:00 is."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from statistics import median
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import Select, func, select, update

from app.domain.status import Kind
from app.store.database import Database
from app.store.tables import metadata
from benchmarks import fleet, stock
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import KINDS, SPELT
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line
from benchmarks.processes import Running, service
from benchmarks.raw_edges import change_rows
from benchmarks.waiting import converged

BESIDE: Final = 1000  #: EVSEs that somebody plans on meanwhile
PACE: Final = 100  #: calls a second, one in five of them plans a window
PATIENCE: Final = 300.0  #: seconds
LONG: Final = timedelta(hours=2)
SECONDS: Final = {"sqlite": 3.0, "postgresql": 6.0}

_temporary = metadata.tables["temporary_status"]
_presented = metadata.tables["presented"]
_change = metadata.tables["presented_change"]
_delivery = metadata.tables["delivery"]


class Latency(msgspec.Struct):
    """Of the calls meanwhile, in seconds."""

    median: float
    p99: float


class Round(msgspec.Struct):
    """What came of one storm. Times are in seconds."""

    raw: float
    took: float
    cpu: float
    idle: Latency
    busy: Latency


def calls(key: str, evses: int, stop: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
    """Four reads of EVSEs that are in the storm, then a plan for tomorrow on one beside it, and so on."""
    begin = fleet.now() + timedelta(days=1)
    for number in count(1):
        if stop():
            return
        if number % 5:
            yield call("GET", f"/v2/evses/{fleet.evse_id(number * 7919 % evses + 1)}", key)
        else:
            start = begin + timedelta(seconds=number)
            body = fleet.body(number, evses + 1 + number % BESIDE, start, start + LONG)
            yield call("POST", "/v2/temporary-evse-statuses", key, body)


async def calm(url: str, evses: int, at: datetime) -> None:
    """Have all windows of the storm begin at `at`, as planned long before and told to everybody; none has yet."""
    announced = [[Kind.MAINTENANCE.value, at.isoformat(), (at + LONG).isoformat()]]
    database = Database(url)
    try:
        async with database.write() as connection:
            await connection.execute(
                update(_temporary).where(_temporary.c.id <= evses).values(valid_from=at, valid_to=at + LONG)
            )
            await connection.execute(
                update(_presented)
                .where(_presented.c.evse <= evses)
                .values(
                    what="actual:AVAILABLE",
                    because=None,
                    until=at,
                    recheck_at=at,
                    announced=announced,
                    version=2,
                    status_version=2,
                    last_updated=at - timedelta(hours=1),
                )
            )
            await connection.execute(_change.delete())
            await connection.execute(update(_delivery).where(_delivery.c.evse <= evses).values(want=2, next_at=None))
    finally:
        await database.close()
    if not database.embedded:
        connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
        for table in ("temporary_status", "presented", "presented_change", "delivery"):
            await connection.execute(f"VACUUM {table}")
        await connection.close()


async def demand_all(database: Database, evses: int) -> None:
    """Nothing may have been dropped.

    Raises:
        ValueError: something was.
    """
    shown = select(func.count()).where(_presented.c.what == "kind:MAINTENANCE", _presented.c.evse <= evses)
    recorded = select(func.count(_change.c.evse.distinct())).where(_change.c.to_what == "kind:MAINTENANCE")
    owed = select(func.count()).where(
        _delivery.c.evse <= evses, _delivery.c.want == 3, _delivery.c.next_at.is_not(None)
    )
    found = [await _found(database, one) for one in (shown, recorded, owed)]
    if found != [evses, evses, evses * stock.PARTNERS]:
        raise ValueError(f"of {evses} windows so many are shown, recorded, owed: {found}")


async def _found(database: Database, query: Select[Any]) -> Any:
    async with database.read() as connection:
        return (await connection.execute(query)).scalar()


async def storm(running: Running, url: str, key: str, evses: int, at: datetime, calm_for: float) -> Round:
    """Call for a while, let the storm come, and go on calling until it is over."""
    over = asyncio.Event()
    database = Database(url)
    try:
        async with Caller(running.url, 32) as caller:
            load = (await caller.steadily(calls(key, evses), PACE, calm_for)).demand_success()
            idle = Latency(
                load.latency(0.5), load.latency(0.99)
            )  # now: connections that are closed later count as well
            left = (at - fleet.now()).total_seconds()
            if left < 0:
                raise ValueError(f"the storm came {-left:.1f} s before anybody was ready for it")
            await asyncio.sleep(left)
            before = running.cpu
            calling = asyncio.create_task(caller.steadily(calls(key, evses, over.is_set), PACE, PATIENCE))
            await converged(database, at)
            took = (fleet.now() - at).total_seconds()
            cpu = running.cpu - before
            over.set()
            load = (await calling).demand_success()
            busy = Latency(load.latency(0.5), load.latency(0.99))
        await demand_all(database, evses)
    finally:
        await database.close()
    return Round(0.0, took, cpu, idle, busy)


async def _on(bench: Bench, kind: str) -> list[Line]:
    evses = bench.much(100_000, 2000)
    calm_for = bench.much(5.0, 0.5)
    rounds = []
    async with bench.databases.fresh(kind) as url:
        bench.tell(f"{SPELT[kind]}: {evses:,} windows")
        at = fleet.now() + timedelta(days=1)
        made = fleet.now() - timedelta(hours=1)

        def planned(evse: int) -> list[Any]:
            one = fleet.window(evse, evse, at, at + LONG, made=made, kind=Kind.MAINTENANCE)
            return [one] if evse <= evses else []

        await stock.put(url, evses + BESIDE, planned, made)
        key = await fleet.key(url)
        for number in range(bench.rounds):
            bench.tell(f"{SPELT[kind]}: round {number + 1} of {bench.rounds}: raw")
            at = fleet.now()
            await calm(url, evses, at)
            took = fleet.now() - at
            raw = await change_rows(url, evses, range(1, stock.PARTNERS + 1), at)
            # As far ahead as it may take to get everything ready, and to start the service.
            at = fleet.now() + 2 * took + timedelta(seconds=calm_for + bench.much(10, 5))
            await calm(url, evses, at)
            bench.tell(f"{SPELT[kind]}: round {number + 1} of {bench.rounds}: ours")
            async with service(url, bench.log(f"storm-{kind}")) as running:
                measured = await storm(running, url, key, evses, at, calm_for)
            rounds.append(msgspec.structs.replace(measured, raw=raw))
    last = rounds[-1]
    return [
        Line(
            scenario=2,
            what=f"{evses:,} windows that begin in the same second, 3 partners: all presented, recorded, owed, "
            f"{SPELT[kind]}",
            figures=tuple(one.took for one in rounds),
            unit="s",
            ours=f"{last.took / evses * 1e6:,.0f} µs a window, {last.cpu / evses * 1e6:,.0f} µs CPU",
            beside=f"raw {SPELT[kind]}, the same rows: {last.raw:.2f} s, ratio {last.took / last.raw:.1f}",
            goal=Goal(at_most=SECONDS[kind]),
            note="counted from the second itself to the last commit, the partners paused; nothing was dropped",
            short=f"{evses:,} windows that begin in the same second: all shown, recorded and owed to 3 partners after "
            f"{median(one.took for one in rounds):.1f} s on {SPELT[kind]}",
        ),
        Line(
            scenario=2,
            what=f"p99 of the API meanwhile, {PACE} calls a second, {SPELT[kind]}",
            figures=tuple(one.busy.p99 / one.idle.p99 for one in rounds),
            unit="x idle",
            ours=f"{last.busy.p99 * 1000:,.1f} ms, median {last.busy.median * 1000:,.1f} ms",
            beside=f"idle {last.idle.p99 * 1000:,.1f} ms, median {last.idle.median * 1000:,.1f} ms",
            goal=Goal(at_most=10.0),
        ),
    ]


async def run(bench: Bench) -> list[Line]:
    return [line for kind in KINDS for line in await _on(bench, kind)]


SCENARIO: Final = Scenario(2, "A storm of beginnings", run)
