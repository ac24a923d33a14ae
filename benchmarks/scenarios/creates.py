"""1: how many temporary statuses are made a second, each answered only once it is durable."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import msgspec

from benchmarks import fleet, floor
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import KINDS
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line, interleaved
from benchmarks.processes import Running, module, service

CONNECTIONS: Final = 64
EVSES: Final = 20_000
PATH: Final = "/v2/temporary-evse-statuses"


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


async def measured(server: Running, caller: Caller, calls: Iterator[bytes], seconds: float) -> Speed:
    """Call flat out for so long, and look at what it took of the processor."""
    before = server.cpu
    load = (await caller.flat_out(calls, seconds)).demand_success()
    return Speed(load.rate, (server.cpu - before) / load.succeeded, load.latency(0.5), load.latency(0.99))


async def run(bench: Bench) -> list[Line]:
    return [line for kind in KINDS for line in await _on(bench, kind)]


async def _on(bench: Bench, kind: str) -> list[Line]:
    seconds = bench.much(4.0, 0.3)
    bench.tell(f"{kind}: a fleet of {EVSES:,}")
    async with bench.databases.fresh(kind) as url:
        await fleet.stock(url, EVSES, fleet.now())
        key = await fleet.key(url)
        async with (
            service(url, bench.log(f"creates-{kind}")) as ours,
            module(floor.__name__, bench.log("floor")) as bare,
            Caller(ours.url, CONNECTIONS) as to_ours,
            Caller(bare.url, CONNECTIONS) as to_floor,
        ):
            plans, floors = planning(key), planning()
            await to_ours.flat_out(plans, seconds / 4)  # to warm up
            await to_floor.flat_out(floors, seconds / 4)
            rounds = await interleaved(
                bench.rounds,
                {
                    "floor": lambda: measured(bare, to_floor, floors, seconds),
                    "ours": lambda: measured(ours, to_ours, plans, seconds),
                },
                lambda what: bench.tell(f"{kind}: {what}"),
            )
    return [
        Line(
            scenario=1,
            what=f"durable creates a second, {CONNECTIONS} connections, {kind}",
            figures=tuple(one["ours"].rate / one["floor"].rate for one in rounds),
            unit="of the floor",
            ours=str(rounds[-1]["ours"]),
            beside=f"floor: {rounds[-1]['floor']}",
            goal=Goal(at_least=0.4, aim=0.6),
        )
    ]


SCENARIO: Final = Scenario(1, "Durable creates", run)
