"""11: whether anything takes longer the more is stored, from a thousand windows to a million."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from itertools import count
from statistics import fmean, median
from time import perf_counter
from typing import Final

import msgspec
from sqlalchemy import case, update

from app.clock import SystemClock
from app.domain.delivery import Delivery
from app.schedule.reconcile import Reconciler
from app.store import deliveries, partners, presented
from app.store.database import Database
from app.store.due import mark_due
from app.store.tables import metadata
from benchmarks import fleet, stock
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import SPELT
from benchmarks.load import Caller, call
from benchmarks.measuring import Curve, Goal, Line
from benchmarks.processes import service
from benchmarks.waiting import converged

CLAIMED: Final = 16
LEASE: Final = timedelta(seconds=35)
_temporary = metadata.tables["temporary_status"]


async def over_http(bench: Bench, url: str, evses: int) -> dict[str, float]:
    """Seconds for a call on one connection, the median of many, once all that was due is computed."""
    key = await fleet.key(url)
    many = bench.much(90, 10)  # few beside the smallest stock, which must not grow by what is planned here
    begin = fleet.now() + timedelta(days=30)
    pick = (number * 7919 % evses + 1 for number in count())

    def planning(number: int) -> bytes:
        start = begin + timedelta(hours=number)
        body = fleet.body(number, next(pick), start, start + timedelta(minutes=30))
        return call("POST", "/v2/temporary-evse-statuses", key, body)

    kinds: dict[str, Callable[[int], bytes]] = {
        "create": planning,
        "EVSE": lambda _: call("GET", f"/v2/evses/{fleet.evse_id(next(pick))}", key),
        "list page": lambda _: call("GET", "/v2/temporary-evse-statuses?limit=50&state=planned", key),
    }
    took = {}
    database = Database(url)
    try:
        async with service(url, bench.log("growth")) as running, Caller(running.url, 1) as caller:
            await converged(database, fleet.now())
            for name, make in kinds.items():
                await caller.flat_out(make(number) for number in range(10))
                load = await caller.flat_out(make(number) for number in range(10, 10 + many))
                took[name] = load.demand_success().latency(0.5)
    finally:
        await database.close()
    return took


async def in_here(bench: Bench, url: str, evses: int) -> dict[str, float]:
    """Seconds for what the clockwork and a lane do, called in this process, the median of many."""
    many = bench.much(100, 10)
    database = Database(url)
    reconciler = Reconciler(database, SystemClock())
    numbers = count()
    try:
        await reconciler.pass_once()  # what the last plans left to do
        async with database.read() as connection:
            partner = (await partners.all_partners(connection))[0]

        async def cross() -> None:
            evse = next(numbers) * 7919 % evses + 1
            began = _temporary.c.id == (evse - 1) * stock.EACH + stock.BEGAN
            turned = case((_temporary.c.ended_at.is_(None), fleet.now()), else_=None)
            async with database.write() as connection:
                await connection.execute(update(_temporary).where(began).values(ended_at=turned))
                await mark_due(connection, [evse])

        async def edge() -> None:
            if await reconciler.pass_once() != 1:
                raise ValueError("one EVSE was due, and not one was computed")

        async def look() -> None:
            async with database.read() as connection:
                await presented.next_recheck(connection)

        async def claim() -> None:
            async with database.write() as connection:
                at = fleet.now()
                taken = await deliveries.claim(connection, partner, at, CLAIMED, LEASE, lambda row: _taken(row, at))
            if len(taken) != CLAIMED:
                raise ValueError(f"{len(taken)} deliveries were claimed, and more are owed")

        return {
            "edge": await _median(many, edge, cross),
            "next boundary": await _median(many, look),
            f"claim of {CLAIMED}": await _median(5, claim),
        }
    finally:
        async with database.write() as connection:
            await deliveries.void_leases(connection, fleet.now())
        await database.close()


def _taken(row: Delivery, at: datetime) -> Delivery:
    return msgspec.structs.replace(row, in_flight=True, lease_until=at + LEASE)


async def _median(
    many: int, do: Callable[[], Awaitable[None]], before: Callable[[], Awaitable[None]] | None = None
) -> float:
    took = []
    for _ in range(many):
        if before is not None:
            await before()
        began = perf_counter()
        await do()
        took.append(perf_counter() - began)
    return median(took)


def exponent(sizes: Sequence[int], times: Sequence[float]) -> float:
    """Of the power of the size that the times grow with: 0 where they do not, 1 where they double with it."""
    xs, ys = [math.log(one) for one in sizes], [math.log(one) for one in times]
    x, y = fmean(xs), fmean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


@asynccontextmanager
async def _stored(bench: Bench, kind: str, windows: int) -> AsyncGenerator[str]:
    if kind == "sqlite":
        async with stock.embedded(bench, windows) as url:
            yield url
        return
    async with bench.databases.fresh(kind) as url:
        bench.tell(f"{SPELT[kind]}: a stock of {windows:,} windows")
        await stock.usual(url, windows, fleet.now())
        yield url


async def _on(bench: Bench, kind: str) -> list[Line]:
    sizes = [1000, 4000] if bench.brief else [1000, 10_000, 100_000, 1_000_000]
    rounds = []
    async with AsyncExitStack() as stack:
        urls = {size: await stack.enter_async_context(_stored(bench, kind, size)) for size in sizes}
        for number in range(bench.rounds):
            bench.tell(f"{SPELT[kind]}: round {number + 1} of {bench.rounds}")
            measured = {}
            for size, url in urls.items():
                evses = size // stock.EACH
                measured[size] = await over_http(bench, url, evses) | await in_here(bench, url, evses)
            rounds.append(measured)
    names = list(rounds[0][sizes[0]])
    found = [{name: exponent(sizes, [one[size][name] for size in sizes]) for name in names} for one in rounds]
    last = rounds[-1]
    return [
        Line(
            scenario=11,
            what=f"growth of what takes most, from {sizes[0]:,} to {sizes[-1]:,} windows stored, {SPELT[kind]}",
            figures=tuple(max(one.values()) for one in found),
            unit="(exponent of the size)",
            ours=f"ms with {'/'.join(map(_briefly, sizes))} windows, in brackets the exponent: "
            + "; ".join(
                f"{name} {'/'.join(f'{last[size][name] * 1000:.2f}' for size in sizes)} ({found[-1][name]:+.2f})"
                for name in names
            ),
            goal=Goal(at_most=0.1),
            note=f"{stock.EACH} windows an EVSE; the greatest exponent counts: 0 is no growth, 0.1 is twice the time "
            "for a thousand times the rows",
            curves=tuple(curve_of(kind, name, [(size, last[size][name] * 1000) for size in sizes]) for name in names),
        )
    ]


def _briefly(size: int) -> str:
    return f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size // 1000}k"


def curve_of(kind: str, name: str, points: Sequence[tuple[float, float]]) -> Curve:
    return Curve(
        title=f"growth of the work, {SPELT[kind]}",
        name=name,
        x="windows stored",
        y="milliseconds each",
        points=tuple(points),
    )


async def run(bench: Bench) -> list[Line]:
    return [line for kind in bench.kinds for line in await _on(bench, kind)]


SCENARIO: Final = Scenario(11, "Growth", run)
