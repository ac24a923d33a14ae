"""9: how many deliveries a second go out to many partners, and what one costs, beside bare clients of httpx."""

import asyncio
import sys
from datetime import timedelta
from statistics import median
from typing import Final

import msgspec

from benchmarks import bare_pushes, fleet, partners, receivers
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import SPELT
from benchmarks.measuring import Goal, Line, interleaved
from benchmarks.processes import Running, module, service

PARTNERS: Final = 16
IN_FLIGHT: Final = (1, 4)  #: requests a client of the floor; which of them is the best changes with the machine
PATIENCE: Final = 120.0  #: seconds for one measurement


class Pushed(msgspec.Struct):
    """What one side came to in one round."""

    rate: float
    cpu: float  #: seconds of one request

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s, {self.cpu * 1e6:,.0f} µs CPU each"


async def run(bench: Bench) -> list[Line]:
    return [line for kind in bench.kinds for line in await _on(bench, kind)]


async def _on(bench: Bench, kind: str) -> list[Line]:
    count = bench.much(500, 10)
    at = fleet.now()
    bench.tell(f"{SPELT[kind]}: {PARTNERS} partners")
    async with bench.databases.fresh(kind) as url, module(receivers.__name__, bench.log("receivers")) as there:
        await fleet.stock(url, count, at)
        place = receivers.place(there.url)
        which = [
            (partners.driver_app if number % 2 else partners.emsp)(place, str(number)) for number in range(PARTNERS)
        ]
        keys = await partners.join(url, count, at, *which)
        async with service(url, bench.log(f"pushes-{kind}")) as ours:
            await _ours(url, ours, there.url, keys, bench.much(50, 2))  # to warm up, and to connect
            rounds = await interleaved(
                bench.rounds,
                {f"bare {one}": lambda one=one: _bare(there.url, count, one) for one in IN_FLIGHT}
                | {"ours": lambda: _ours(url, ours, there.url, keys, count)},
                lambda what: bench.tell(f"{SPELT[kind]}: {what}"),
            )
    best = [max((one[f"bare {few}"] for few in IN_FLIGHT), key=lambda bare: bare.rate) for one in rounds]
    words = str(rounds[-1]["ours"])
    beside = "; ".join(f"httpx, {few} in flight each: {rounds[-1][f'bare {few}']}" for few in IN_FLIGHT)
    return [
        Line(
            scenario=9,
            what=f"deliveries a second to {PARTNERS} partners, {SPELT[kind]}",
            figures=tuple(one["ours"].rate / bare.rate for one, bare in zip(rounds, best, strict=True)),
            unit="of the best of httpx",
            goal=Goal(at_least=0.8),
            short=f"{median(one['ours'].rate for one in rounds):,.0f} deliveries a second to {PARTNERS} partners, on "
            f"{SPELT[kind]}",
            ours=words,
            beside=beside,
        ),
        Line(
            scenario=9,
            what=f"CPU a delivery, {SPELT[kind]}",
            figures=tuple(one["ours"].cpu / bare.cpu for one, bare in zip(rounds, best, strict=True)),
            unit="times a bare post",
            goal=Goal(at_most=1.5),
            note="with the claim, its words, its signature and what is stored of the answer",
            ours=words,
            beside=beside,
        ),
    ]


async def _ours(url: str, ours: Running, there: str, keys: list[int], count: int) -> Pushed:
    """Owe `count` EVSEs to everybody at one instant: all is claimed, sent, answered and stored."""
    await receivers.heard(there)
    at = fleet.now() + timedelta(seconds=2.5)
    await partners.owe(url, keys, range(1, count + 1), at)
    if (wait := (at - fleet.now()).total_seconds()) < 0.5:
        raise ValueError("it was owed too late to say how long it took")
    await asyncio.sleep(wait - 0.1)
    before = ours.cpu

    async def all_are_there() -> bool:
        return await receivers.count(there) >= count * len(keys)

    await receivers.until(all_are_there, PATIENCE)
    await partners.settled(url)  # what came of it is a part of each
    cpu = ours.cpu - before
    heard = await receivers.heard(there)
    if len({(one.receiver, one.evse) for one in heard}) != count * len(keys) or len(heard) != count * len(keys):
        raise ValueError(f"{len(heard)} requests were heard instead of {count * len(keys)}")
    return Pushed(len(heard) / (heard[-1].at - at.timestamp()), cpu / len(heard))


async def _bare(there: str, count: int, in_flight: int) -> Pushed:
    await receivers.heard(there)
    words = (receivers.place(there), PARTNERS, count, in_flight)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", bare_pushes.__name__, *map(str, words), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    took = msgspec.json.decode(said, type=bare_pushes.Took)
    if (heard := await receivers.count(there)) != PARTNERS * count:
        raise ValueError(f"{heard} bare requests were heard instead of {PARTNERS * count}")
    return Pushed(heard / took.wall, took.cpu / heard)


SCENARIO: Final = Scenario(9, "Deliveries to many partners", run)
