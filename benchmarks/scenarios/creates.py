"""1: how many temporary statuses are made a second, each answered only once it is durable."""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Final

import msgspec

from benchmarks import fleet, floor
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import SPELT
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line, interleaved
from benchmarks.peers import afternoon
from benchmarks.peers.alertmanager import MISSING, alertmanager, is_installed, silencing
from benchmarks.processes import Running, module, service
from benchmarks.scenarios import losses

CONNECTIONS: Final = 64
EVSES: Final = 20_000
PATH: Final = "/v2/temporary-evse-statuses"
ALERTMANAGER: Final = "Alertmanager, which is not durable"


class Speed(msgspec.Struct):
    """What one side came to in one round. Times are in seconds."""

    rate: float
    cpu: float
    median: float
    p99: float

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s, {self.cpu * 1e6:,.0f} µs CPU, p99 {self.p99 * 1000:,.1f} ms"


def planning(key: str = "") -> Iterator[bytes]:
    """Calls that plan windows for tomorrow, each on another EVSE than the one before."""
    begin = fleet.now() + timedelta(days=1)
    number = 0
    while True:
        number += 1
        start = begin + timedelta(seconds=number)
        yield call("POST", PATH, key, fleet.body(number, number % EVSES + 1, start, start + timedelta(hours=2)))


def silences() -> Iterator[bytes]:
    """Calls that plan the same as silences."""
    begin = fleet.now() + timedelta(days=1)
    number = 0
    while True:
        number += 1
        start = begin + timedelta(seconds=number)
        evse_id = fleet.evse_id(number % EVSES + 1)
        yield silencing(evse_id, start, start + timedelta(hours=2), f"work order {number}")


async def measured(server: Running, caller: Caller, calls: Iterator[bytes], seconds: float) -> Speed:
    """Call flat out for so long, and look at what it took of the processor."""
    before = server.cpu
    load = (await caller.flat_out(calls, seconds)).demand_success()
    return Speed(load.rate, (server.cpu - before) / load.succeeded, load.latency(0.5), load.latency(0.99))


async def run(bench: Bench) -> list[Line]:
    lines = [line for kind in bench.kinds for line in await _on(bench, kind)]
    return lines + await losses.lines(bench)


async def _on(bench: Bench, kind: str) -> list[Line]:
    seconds = bench.much(4.0, 0.3)
    bench.tell(f"{SPELT[kind]}: a fleet of {EVSES:,}")
    async with bench.databases.fresh(kind) as url, AsyncExitStack() as stack:
        await fleet.stock(url, EVSES, fleet.now())
        key = await fleet.key(url)
        sides: dict[str, tuple[Running, Iterator[bytes]]] = {
            "floor": (await stack.enter_async_context(module(floor.__name__, bench.log("floor"))), planning()),
            "ours": (await stack.enter_async_context(service(url, bench.log(f"creates-{kind}"))), planning(key)),
        }
        if kind == "sqlite":
            sides |= await _peers(bench, stack)
        measure = {}
        for name, (server, calls) in sides.items():
            caller = await stack.enter_async_context(Caller(server.url, CONNECTIONS))
            await caller.flat_out(calls, seconds / 4)  # to warm up
            measure[name] = partial(measured, server, caller, calls, seconds)
        rounds = await interleaved(bench.rounds, measure, lambda what: bench.tell(f"{SPELT[kind]}: {what}"))
    compared: list[tuple[str, str, Goal | None]] = [("floor", "of the floor", Goal(at_least=0.4, aim=0.6))]
    if kind == "sqlite":
        compared += [
            ("the afternoon version", "x the afternoon version", Goal(at_least=15)),
            (ALERTMANAGER, "of its creates", None),
        ]
    return [_line(kind, rounds, other, unit, goal) for other, unit, goal in compared]


async def _peers(bench: Bench, stack: AsyncExitStack) -> dict[str, tuple[Running, Iterator[bytes]]]:
    made = bench.fresh_directory("afternoon")
    peer = await stack.enter_async_context(module(afternoon.__name__, bench.log("afternoon"), str(made)))
    found = {"the afternoon version": (peer, planning())}
    if is_installed():
        theirs = alertmanager(bench.fresh_directory("alertmanager"), bench.log("alertmanager"))
        found[ALERTMANAGER] = (await stack.enter_async_context(theirs), silences())
    return found


def _line(kind: str, rounds: Sequence[dict[str, Speed]], other: str, unit: str, goal: Goal | None) -> Line:
    measured_beside = other in rounds[-1]
    return Line(
        scenario=1,
        what=f"durable creates a second, {CONNECTIONS} connections, {SPELT[kind]}",
        figures=tuple(one["ours"].rate / one[other].rate for one in rounds) if measured_beside else (),
        unit=unit,
        ours=str(rounds[-1]["ours"]),
        beside=f"{other}: {rounds[-1][other]}" if measured_beside else other,
        goal=goal,
        note="" if measured_beside else MISSING,
        short=f"{median(one['ours'].rate for one in rounds):,.0f} durable creates a second on {SPELT[kind]}"
        if other == "floor"
        else "",
    )


SCENARIO: Final = Scenario(1, "Durable creates", run)
