"""8: how many actual statuses a second come in, one at a time and in bulk."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from itertools import count, islice
from statistics import median
from time import perf_counter
from typing import Any, Final

import msgspec
from sqlalchemy import func, literal, select

from app.domain.principal import Role
from app.store.database import Database
from app.store.tables import metadata
from benchmarks import fleet, floor
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import KINDS, SPELT
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line, interleaved
from benchmarks.processes import Running, module, service

EVSES: Final = 20_000
CONNECTIONS: Final = 64
BULK: Final = 1_000  #: reports in a call: as many as there may be
BULK_CONNECTIONS: Final = 4
_WORDS: Final = ("Available", "Charging")
_PATIENCE: Final = 120.0


class Speed(msgspec.Struct):
    """What one side came to in one round: reports a second, processor time for each, and how long a call took."""

    rate: float
    cpu: float
    p99: float

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s, {self.cpu * 1e6:,.1f} µs CPU, p99 {self.p99 * 1000:,.1f} ms"


def said(changing: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the chargers of a fleet say, one after the other, lap after lap: the EVSE and the report.

    In each lap one of `changing` says something new, and the others what they said before.
    """
    began = fleet.now()
    for number in count():
        lap, evse = divmod(number, EVSES)
        changes = (lap - evse % changing) // changing + 1
        report = {"status": _WORDS[changes % 2], "observedAt": (began + timedelta(milliseconds=lap)).isoformat()}
        yield fleet.evse_id(evse + 1), report


def one_by_one(changing: int, key: str = "") -> Iterator[bytes]:
    for evse_id, report in said(changing):
        yield call("PUT", f"/v2/evses/{evse_id}/actual-status", key, report)


def in_bulk(changing: int, key: str = "") -> Iterator[bytes]:
    reports = said(changing)
    while True:
        many = [{"evseId": evse_id, **report} for evse_id, report in islice(reports, BULK)]
        yield call("POST", "/v2/actual-statuses", key, many)


async def measured(server: Running, caller: Caller, calls: Iterator[bytes], seconds: float, size: int) -> Speed:
    """Report flat out for so long, `size` in a call. None may be refused, and none be taken for an old one."""
    before = server.cpu
    load = (await caller.flat_out(calls, seconds, keep=True)).demand_success()
    answers = [msgspec.json.decode(answer) for answer in load.answers or []]
    applied = sum(one["applied"] for answer in answers for one in (answer if size > 1 else [answer]))
    if applied != load.succeeded * size:
        raise ValueError(f"of {load.succeeded * size} reports {applied} were applied")
    return Speed(load.rate * size, (server.cpu - before) / applied, load.latency(0.99))


async def run(bench: Bench) -> list[Line]:
    return [line for kind in KINDS for line in await _on(bench, kind)]


async def _on(bench: Bench, kind: str) -> list[Line]:
    seconds = bench.much(3.0, 0.3)
    bench.tell(f"{SPELT[kind]}: a fleet of {EVSES:,}")
    ways: dict[str, tuple[int, int, Callable[[str], Iterator[bytes]]]] = {
        "one at a time": (CONNECTIONS, 1, partial(one_by_one, 1)),
        "in bulk, one of ten new": (BULK_CONNECTIONS, BULK, partial(in_bulk, 10)),
        "in bulk, all new": (BULK_CONNECTIONS, BULK, partial(in_bulk, 1)),
    }
    found = {}
    async with bench.databases.fresh(kind) as url, AsyncExitStack() as stack:
        await fleet.stock(url, EVSES, fleet.now())
        key = await fleet.key(url, Role.ADMIN)
        ours = await stack.enter_async_context(service(url, bench.log(f"reports-{kind}")))
        bare = await stack.enter_async_context(module(floor.__name__, bench.log("floor")))
        for way, (connections, size, calls) in ways.items():
            measure = {}
            for name, server, written in (("floor", bare, ""), ("ours", ours, key)):
                caller = await stack.enter_async_context(Caller(server.url, connections))
                reports = calls(written)
                await caller.flat_out(reports, seconds / 4)  # to warm up
                measure[name] = partial(measured, server, caller, reports, seconds, size)
            rounds = await interleaved(bench.rounds, measure, partial(_tell, bench, f"{SPELT[kind]}, {way}"))
            found[way] = rounds, await _until_shown(url)
    lines = [_line(kind, way, *result, ways[way][0]) for way, result in found.items()]
    rates = (f"{median(one['ours'].rate for one in rounds):,.0f} {way}" for way, (rounds, _) in found.items())
    short = f"actual statuses a second on {SPELT[kind]}: {'; '.join(rates)}"
    return [msgspec.structs.replace(lines[0], short=short), *lines[1:]]


def _tell(bench: Bench, what: str, how_far: str) -> None:
    bench.tell(f"{what}: {how_far}")


def _line(kind: str, way: str, rounds: list[dict[str, Speed]], late: float, connections: int) -> Line:
    single = connections == CONNECTIONS
    return Line(
        scenario=8,
        what=f"actual statuses {way}, {connections} connections, {SPELT[kind]}",
        figures=tuple(one["ours"].rate / one["floor"].rate if single else one["ours"].rate for one in rounds),
        unit="of the floor" if single else "a second",
        ours=str(rounds[-1]["ours"]),
        beside=f"floor: {rounds[-1]['floor']}",
        goal=Goal(at_least=0.4) if single else Goal(at_least=20_000),
        note=f"all shown {late:.1f} s after the last",
    )


async def _until_shown(url: str) -> float:
    """How long it takes until every EVSE is shown as its charger last said."""
    evse, presented = (metadata.tables[name] for name in ("evse", "presented"))
    shown = literal("actual:").concat(evse.c.actual_status)
    other = select(func.count()).where(evse.c.id == presented.c.evse, presented.c.what != shown)
    database = Database(url)
    began = perf_counter()
    try:
        while perf_counter() - began < _PATIENCE:
            async with database.read() as connection:
                if not (await connection.execute(other)).scalar_one():
                    return perf_counter() - began
            await asyncio.sleep(0.05)
    finally:
        await database.close()
    raise ValueError(f"not all is shown after {_PATIENCE:.0f} s")


SCENARIO: Final = Scenario(8, "Actual statuses in", run)
