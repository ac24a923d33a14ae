"""6: how long a filtered list takes, with few windows stored and with many, and beside Alertmanager."""

import random
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from app.domain.interval import Interval
from app.domain.temporary_status import TemporaryStatus
from app.store.database import Database
from app.store.spans import span_of
from app.store.tables import metadata
from benchmarks import fleet
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import KINDS, SPELT
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line, interleaved, part
from benchmarks.peers.alertmanager import MISSING, alertmanager, is_installed, silences_of, silencing
from benchmarks.processes import service

PATH: Final = "/v2/temporary-evse-statuses"
EACH: Final = 10  #: windows on each EVSE, on average: a fleet of twenty times the size has twenty times as many
PAGE: Final = 100
OF_ONE_EVSE: Final = "of one EVSE"
ALERTMANAGER: Final = "Alertmanager"
FEW: Final = "few"
MANY: Final = "many, of which as many are in effect"
CROWDED: Final = "many, of which many are in effect"
_REF: Final = "WO-{}"
_MANY: Final = 64  #: connections to make silences with


class Stock(msgspec.Struct, frozen=True):
    """So many windows: at `at` some are in effect, as many are yet to come, and all that were made before are over."""

    count: int
    active: int
    at: datetime

    def __str__(self) -> str:
        return f"{self.count:,} stored, {self.active:,} in effect"

    @property
    def evses(self) -> int:
        return max(fleet.OPERATORS, self.count // EACH)

    def windows(self) -> Iterator[TemporaryStatus]:
        chance = random.Random(1)
        active, over = self.active, self.count - 2 * self.active
        left_open = max(1, 100 * over // active)
        for number in range(1, self.count + 1):
            evse = chance.randint(1, self.evses)
            hours = chance.random()
            if number <= over:
                # Over the year before, a few hours each; some were left open and are still in effect.
                begin = self.at - timedelta(days=365 * (1 - number / (over + 1)), hours=9)
                end = None if number % left_open == 0 else begin + timedelta(hours=8 * hours)
                made = begin
            elif number <= over + active:
                begin = self.at - timedelta(hours=8 * (1 - (number - over) / (active + 1)))
                end = self.at + timedelta(hours=16 * hours, seconds=1)
                made = begin
            else:
                begin = self.at + timedelta(days=7 * hours, hours=1)
                end = begin + timedelta(hours=2)
                made = self.at - timedelta(days=1) * ((self.count - number) / (self.count - over - active))
            ref = _REF.format(number) if number % 10 == 0 else None
            yield fleet.window(number, evse, begin, end, made=made, ref=ref, kind=chance.choice(fleet.KINDS))


class Side(NamedTuple):
    """A service with a stock of windows, and who asks it."""

    url: str
    caller: Caller
    key: str


class Ask(msgspec.Struct, frozen=True):
    """A question that people ask, as the query of a call; what it is about is chosen by a number."""

    what: str
    query: Callable[[Stock, int], dict[str, str]]
    of_many: bool = False  #: it asks for all that are in effect, which may be many


ASKED: Final = (
    Ask(OF_ONE_EVSE, lambda stock, chance: {"evseId": _evse_id(stock, chance), "activeOnly": "false"}),
    Ask("in effect on one EVSE", lambda stock, chance: {"evseId": _evse_id(stock, chance)}),
    Ask("in effect", lambda *_: {}, of_many=True),
    Ask("in effect, of an operator", lambda _, chance: {"operator": f"DEB{chance % fleet.OPERATORS:02}"}, of_many=True),
    Ask("in effect, of a kind", lambda _, chance: {"temporaryStatus": fleet.KINDS[chance % 4].value}, of_many=True),
    Ask("under a reference", lambda stock, chance: {"ref": _REF.format(chance % (stock.count // 10) * 10 + 10)}),
    Ask("ending within an hour", lambda *_: {"endingWithin": "1h"}, of_many=True),
    Ask("changed lately", lambda stock, _: {"updatedSince": (stock.at - timedelta(minutes=15)).isoformat()}),
    Ask("of all times", lambda *_: {"activeOnly": "false"}),
)


def _evse_id(stock: Stock, chance: int) -> str:
    return fleet.evse_id(chance % stock.evses + 1)


async def run(bench: Bench) -> list[Line]:
    few, many = bench.much(50_000, 500), bench.much(1_000_000, 2_000)
    at, active = fleet.now(), few // 10
    stocks = {FEW: Stock(few, active, at), MANY: Stock(many, active, at), CROWDED: Stock(many, many // 10, at)}
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(_theirs(bench, stocks[FEW])) if is_installed() else None
        return [line for kind in KINDS for line in await _on(bench, kind, stocks, peer)]


async def _on(bench: Bench, kind: str, stocks: dict[str, Stock], peer: Caller | None) -> list[Line]:
    async with AsyncExitStack() as stack:
        few = await stack.enter_async_context(_ours(bench, kind, stocks[FEW]))
        many = await stack.enter_async_context(_ours(bench, kind, stocks[MANY]))
        found = [(ask, MANY, await _asked(bench, ask, stocks, {FEW: few, MANY: many}, peer)) for ask in ASKED]
        bench.tell(f"{SPELT[kind]}: {stocks[CROWDED]}")
        await _crowd(many.url, stocks[MANY], stocks[CROWDED])
        asks = [ask for ask in ASKED if ask.of_many]
        found += [(ask, CROWDED, await _asked(bench, ask, stocks, {FEW: few, CROWDED: many})) for ask in asks]
    beside = _beside_alertmanager(kind, found[0][2], stocks[FEW])
    return [beside, *(_growth(kind, ask.what, rounds, stocks, name) for ask, name, rounds in found)]


async def _asked(
    bench: Bench, ask: Ask, stocks: dict[str, Stock], sides: dict[str, Side], peer: Caller | None = None
) -> list[dict[str, float]]:
    """Ask all of them in short turns: a list takes so little that a disturbance would otherwise meet only one."""
    times, chance = bench.much(12, 2), random.Random(1)
    measure = {}
    for name, side in sides.items():
        queries = [ask.query(stocks[name], chance.randrange(10**9)) for _ in range(times)]
        calls = [call("GET", f"{PATH}?{urlencode({**query, 'limit': PAGE})}", side.key) for query in queries]
        measure[name] = partial(_time, side.caller, calls)
    if ask.what == OF_ONE_EVSE and peer is not None:
        calls = [silences_of(_evse_id(stocks[FEW], chance.randrange(10**9))) for _ in range(times)]
        measure[ALERTMANAGER] = partial(_time, peer, calls)
    await interleaved(1, measure, bench.tell)  # to warm up
    return await interleaved(bench.rounds * 3, measure, lambda how_far: bench.tell(f"{ask.what}: {how_far}"))


async def _time(caller: Caller, calls: list[bytes]) -> float:
    """The median of how long these took, one after the other."""
    return part((await caller.flat_out(calls)).demand_success().latencies, 0.5)


@asynccontextmanager
async def _ours(bench: Bench, kind: str, stock: Stock) -> AsyncGenerator[Side]:
    bench.tell(f"{SPELT[kind]}: {stock}")
    async with bench.databases.fresh(kind) as url:
        await fleet.stock(url, stock.evses, stock.at)
        await fleet.plan(url, stock.windows())
        key = await fleet.key(url)
        async with service(url, bench.log(f"lists-{kind}")) as running, Caller(running.url, 1) as caller:
            yield Side(url, caller, key)


async def _crowd(url: str, before: Stock, after: Stock) -> None:
    """Have more of what is stored in effect: of what was over those that were made last."""
    over = before.count - 2 * before.active
    row = metadata.tables["temporary_status"].c
    among = row.id.between(over - (after.active - before.active) + 1, over)
    interval = Interval(before.at - timedelta(hours=1), before.at + timedelta(hours=8))
    again = span_of(fleet.window(1, 1, interval.begin, interval.end))
    database = Database(url)
    try:
        async with database.write() as connection:
            values = {"valid_from": interval.begin, "valid_to": interval.end, "span": again}
            await connection.execute(metadata.tables["temporary_status"].update().where(among).values(values))
    finally:
        await database.close()


@asynccontextmanager
async def _theirs(bench: Bench, stock: Stock) -> AsyncGenerator[Caller]:
    """Alertmanager with as many silences, on the same EVSEs."""
    bench.tell(f"Alertmanager: {stock.count:,} silences")
    begin = stock.at + timedelta(days=1)  # it takes none that are over
    silences = (
        silencing(fleet.evse_id(one.evse), begin, begin + timedelta(hours=2), f"work order {one.id}")
        for one in stock.windows()
    )
    directory = bench.fresh_directory("alertmanager")
    async with alertmanager(directory, bench.log("alertmanager")) as running, Caller(running.url, 1) as caller:
        async with Caller(running.url, _MANY) as making:
            (await making.flat_out(silences)).demand_success()
        yield caller


def _growth(kind: str, what: str, rounds: list[dict[str, float]], stocks: dict[str, Stock], name: str) -> Line:
    return Line(
        scenario=6,
        what=f"list, {what}, {stocks[name]}, {SPELT[kind]}",
        figures=tuple(one[name] / one[FEW] for one in rounds),
        unit=f"x that with {stocks[FEW].count:,} stored",
        ours=f"{rounds[-1][name] * 1000:,.2f} ms",
        beside=f"{rounds[-1][FEW] * 1000:,.2f} ms with {stocks[FEW]}",
        goal=Goal(at_most=2.0),
        note=_unlike(stocks[name], stocks[FEW]),
    )


def _unlike(one: Stock, few: Stock) -> str:
    if one.active == few.active:
        return ""
    return f"{few} on the other side: so {one.active / few.active:.0f} times fewer that match"


def _beside_alertmanager(kind: str, rounds: list[dict[str, float]], stock: Stock) -> Line:
    there = ALERTMANAGER in rounds[-1]
    return Line(
        scenario=6,
        what=f"list, {OF_ONE_EVSE}, {stock.count:,} stored, {SPELT[kind]}",
        figures=tuple(one[FEW] / one[ALERTMANAGER] for one in rounds) if there else (),
        unit="of Alertmanager's time",
        ours=f"{rounds[-1][FEW] * 1000:,.2f} ms",
        beside=f"Alertmanager: {rounds[-1][ALERTMANAGER] * 1000:,.2f} ms" if there else ALERTMANAGER,
        goal=Goal(at_most=0.2),
        note="" if there else MISSING,
    )


SCENARIO: Final = Scenario(6, "Filtered lists", run)
