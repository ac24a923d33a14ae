"""4: how many EVSEs are read a second while 500 temporary statuses a second are made."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from statistics import median
from typing import Final

import msgspec

from benchmarks import fleet, floor
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import SPELT
from benchmarks.load import Caller, Load, call
from benchmarks.measuring import Goal, Line, interleaved
from benchmarks.processes import Running, module, service

CREATES: Final = 500  #: a second
CONNECTIONS: Final = 64  #: for reading, and as many again for creating
EVSES: Final = 20_000
KEPT_UP: Final = 0.95  #: of the creates, for the reads beside them to count
PLAN: Final = "/v2/temporary-evse-statuses"
GOAL: Final = {"sqlite": 0.4, "postgresql": 0.15}


class Read(msgspec.Struct):
    """What one side came to in one round. Times are in seconds; `made` is how many were created a second beside it."""

    rate: float
    p99: float
    made: float
    cpu: float

    def __str__(self) -> str:
        beside = f" beside {self.made:,.0f} creates/s" if self.made else ""
        return f"{self.rate:,.0f}/s{beside}, p99 {self.p99 * 1000:,.1f} ms, {self.cpu * 100:,.0f} % CPU"


class Side(msgspec.Struct):
    """A server and its callers."""

    server: Running
    readers: Caller
    makers: Caller
    reads: Iterator[bytes]
    creates: Iterator[bytes]

    async def measured(self, seconds: float, creates: int) -> Read:
        """Read flat out for so long, beside so many creates a second."""
        before = self.server.cpu
        reading, making = await asyncio.gather(
            self.readers.flat_out(self.reads, seconds), self.makers.steadily(self.creates, creates, seconds)
        )
        reading.demand_success()
        if creates:
            making.demand_success()
        cpu = (self.server.cpu - before) / max(reading.took, making.took)
        return Read(reading.rate, reading.latency(0.99), _rate(making), cpu)


def _rate(load: Load) -> float:
    return load.rate if load.statuses else 0.0


def reading(key: str = "", size: int = EVSES) -> Iterator[bytes]:
    """Calls that read EVSEs all over the fleet, each written once: to write them costs more than to send them."""
    chosen = random.Random(4).sample(range(1, size + 1), min(size, 5_000))
    written = [call("GET", f"/v2/evses/{fleet.evse_id(number)}", key) for number in chosen]
    while True:
        yield from written


def creating(key: str = "", size: int = EVSES) -> Iterator[bytes]:
    """Calls that plan windows for tomorrow, all over the fleet."""
    begin = fleet.now() + timedelta(days=1)
    number = 0
    while True:
        number += 1
        start = begin + timedelta(seconds=number)
        yield call("POST", PLAN, key, fleet.body(number, number * 7 % size + 1, start, start + timedelta(hours=2)))


async def run(bench: Bench) -> list[Line]:
    return [line for kind in bench.kinds for line in await _on(bench, kind)]


async def _on(bench: Bench, kind: str) -> list[Line]:
    seconds = bench.much(4.0, 0.3)
    bench.tell(f"{SPELT[kind]}: making a fleet")
    async with _sides(bench, kind) as (ours, bare):
        for one in (ours, bare):
            await one.measured(seconds / 4, CREATES)  # to warm up
        sides: dict[str, Callable[[], Awaitable[Read]]] = {
            "floor": lambda: bare.measured(seconds, CREATES),
            "ours, nothing else going on": lambda: ours.measured(seconds, 0),
            "ours": lambda: ours.measured(seconds, CREATES),
        }
        rounds = await interleaved(bench.rounds, sides, lambda what: bench.tell(f"{SPELT[kind]}: {what}"))
    last = rounds[-1]
    marred = _marred(min(one["ours"].made for one in rounds))
    return [
        Line(
            scenario=4,
            what=f"`GET /v2/evses/{{evseId}}` a second while {CREATES} creates a second go on, {CONNECTIONS} "
            f"connections, {SPELT[kind]}",
            figures=tuple(one["ours"].rate / one["floor"].rate for one in rounds),
            unit="of the floor",
            ours=str(last["ours"]),
            beside=f"floor: {last['floor']}",
            goal=Goal(at_least=GOAL[kind]),
            marred=marred,
            short=f"{median(one['ours'].rate for one in rounds):,.0f} reads of an EVSE a second beside "
            f"{median(one['ours'].made for one in rounds):,.0f} creates, on {SPELT[kind]}",
        ),
        Line(
            scenario=4,
            what=f"p99 of those reads, beside that while no creates go on, {SPELT[kind]}",
            figures=tuple(one["ours"].p99 / one["ours, nothing else going on"].p99 for one in rounds),
            unit="times idle",
            ours=str(last["ours"]),
            beside=f"idle: {last['ours, nothing else going on']}",
            goal=Goal(at_most=5),
            marred=marred,
        ),
    ]


@asynccontextmanager
async def _sides(bench: Bench, kind: str) -> AsyncGenerator[tuple[Side, Side]]:
    """Our service over a fleet of which each EVSE has a window to come, as the floor's has; and the floor."""
    at, size = fleet.now(), bench.much(EVSES, 1_000)
    async with bench.databases.fresh(kind) as url:
        await fleet.stock(url, size, at)
        begin, end = at + timedelta(days=2), at + timedelta(days=3)
        await fleet.plan(url, (fleet.window(number, number, begin, end, made=at) for number in range(1, size + 1)))
        key = await fleet.key(url)
        async with (
            service(url, bench.log(f"reads-{kind}")) as ours,
            module(floor.__name__, bench.log("floor")) as bare,
            Caller(ours.url, CONNECTIONS) as reads_ours,
            Caller(ours.url, CONNECTIONS) as makes_ours,
            Caller(bare.url, CONNECTIONS) as reads_bare,
            Caller(bare.url, CONNECTIONS) as makes_bare,
        ):
            yield (
                Side(ours, reads_ours, makes_ours, reading(key, size), creating(key, size)),
                Side(bare, reads_bare, makes_bare, reading(), creating()),
            )


def _marred(made: float) -> str:
    return "" if made >= CREATES * KEPT_UP else f"only {made:,.0f} creates a second were answered in time"


SCENARIO: Final = Scenario(4, "Reads beside writes", run)
