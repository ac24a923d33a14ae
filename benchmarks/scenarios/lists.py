"""6: how long a filtered list takes, with few windows stored and with many, and beside Alertmanager."""

import random
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode

import msgspec

from app.domain.temporary_status import TemporaryStatus
from benchmarks import fleet
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import KINDS
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line, interleaved, part
from benchmarks.peers.alertmanager import MISSING, alertmanager, is_installed, silences_of, silencing
from benchmarks.processes import service

PATH: Final = "/v2/temporary-evse-statuses"
EACH: Final = 10  #: windows on each EVSE, on average: a fleet of twenty times the size has twenty times as many
PAGE: Final = 100
OF_ONE_EVSE: Final = "of one EVSE"
_REF: Final = "WO-{}"
_MANY: Final = 64  #: connections to make silences with


class Stock(msgspec.Struct, frozen=True):
    """So many windows: at `at` eight tenths are over, one is in effect and one yet to come, in the order of that."""

    count: int
    at: datetime

    @property
    def evses(self) -> int:
        return max(fleet.OPERATORS, self.count // EACH)

    def windows(self) -> Iterator[TemporaryStatus]:
        chance = random.Random(1)
        over, active = self.count * 8 // 10, self.count // 10
        for number in range(1, self.count + 1):
            evse = chance.randint(1, self.evses)
            hours = chance.random()
            if number <= over:
                # Over the year before, a few hours each; every thousandth was left open and is still in effect.
                begin = self.at - timedelta(days=365 * (1 - number / (over + 1)), hours=9)
                end = None if number % 1000 == 0 else begin + timedelta(hours=8 * hours)
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


class Ask(msgspec.Struct, frozen=True):
    """A question that people ask, as the query of a call: `about` a number by chance."""

    what: str
    query: Callable[[Stock, int], dict[str, str]]


ASKED: Final = (
    Ask(OF_ONE_EVSE, lambda stock, chance: {"evseId": _evse_id(stock, chance), "activeOnly": "false"}),
    Ask("in effect on one EVSE", lambda stock, chance: {"evseId": _evse_id(stock, chance)}),
    Ask("in effect", lambda *_: {}),
    Ask("in effect, of an operator", lambda _, chance: {"operator": f"DEB{chance % fleet.OPERATORS:02}"}),
    Ask("in effect, of a kind", lambda _, chance: {"temporaryStatus": fleet.KINDS[chance % len(fleet.KINDS)].value}),
    Ask("under a reference", lambda stock, chance: {"ref": _REF.format(chance % (stock.count // 10) * 10 + 10)}),
    Ask("ending within an hour", lambda *_: {"endingWithin": "1h"}),
    Ask("changed lately", lambda stock, _: {"updatedSince": (stock.at - timedelta(minutes=15)).isoformat()}),
    Ask("of all times", lambda *_: {"activeOnly": "false"}),
)


def _evse_id(stock: Stock, chance: int) -> str:
    return fleet.evse_id(chance % stock.evses + 1)


async def run(bench: Bench) -> list[Line]:
    few, many = bench.much(50_000, 500), bench.much(1_000_000, 2_000)
    return [line for kind in KINDS for line in await _on(bench, kind, few, many)]


async def _on(bench: Bench, kind: str, few: int, many: int) -> list[Line]:
    at = fleet.now()
    times = bench.much(40, 3)
    chance = random.Random(1)
    rounds: dict[str, list[dict[str, float]]] = {}
    async with AsyncExitStack() as stack:
        sides = [await stack.enter_async_context(_ours(bench, kind, Stock(count, at))) for count in (few, many)]
        for ask in ASKED:
            measure = {}
            for stock, caller, key in sides:
                queries = [ask.query(stock, chance.randrange(10**9)) for _ in range(times)]
                calls = [call("GET", f"{PATH}?{urlencode({**query, 'limit': PAGE})}", key) for query in queries]
                measure[f"{stock.count:,}"] = partial(_time, caller, calls)
            if ask.what == OF_ONE_EVSE and is_installed():
                peer = await stack.enter_async_context(_theirs(bench, sides[0][0]))
                calls = [silences_of(_evse_id(sides[0][0], chance.randrange(10**9))) for _ in range(times)]
                measure["Alertmanager"] = partial(_time, peer, calls)
            tell = partial(_tell, bench, f"{kind}, {ask.what}")
            await interleaved(1, measure, tell)  # to warm up
            rounds[ask.what] = await interleaved(bench.rounds, measure, tell)
    beside = _beside_alertmanager(kind, rounds[OF_ONE_EVSE], few)
    return [beside, *(_growth(kind, what, found, few, many) for what, found in rounds.items())]


async def _time(caller: Caller, calls: list[bytes]) -> float:
    """The median of how long these took, one after the other."""
    return part((await caller.flat_out(calls)).demand_success().latencies, 0.5)


def _tell(bench: Bench, what: str, how_far: str) -> None:
    bench.tell(f"{what}: {how_far}")


@asynccontextmanager
async def _ours(bench: Bench, kind: str, stock: Stock) -> AsyncGenerator[tuple[Stock, Caller, str]]:
    bench.tell(f"{kind}: {stock.count:,} windows")
    async with bench.databases.fresh(kind) as url:
        await fleet.stock(url, stock.evses, stock.at)
        await fleet.plan(url, stock.windows())
        key = await fleet.key(url)
        async with service(url, bench.log(f"lists-{kind}")) as running, Caller(running.url, 1) as caller:
            yield stock, caller, key


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


def _growth(kind: str, what: str, rounds: list[dict[str, float]], few: int, many: int) -> Line:
    less, more = (f"{count:,}" for count in (few, many))
    return Line(
        scenario=6,
        what=f"list, {what}, {kind}",
        figures=tuple(one[more] / one[less] for one in rounds),
        unit=f"x of that with {less}",
        ours=f"{rounds[-1][more] * 1000:,.2f} ms with {more} stored",
        beside=f"{rounds[-1][less] * 1000:,.2f} ms with {less}",
        goal=Goal(at_most=2.0),
    )


def _beside_alertmanager(kind: str, rounds: list[dict[str, float]], few: int) -> Line:
    there = "Alertmanager" in rounds[-1]
    ours = f"{few:,}"
    return Line(
        scenario=6,
        what=f"list, {OF_ONE_EVSE}, {few:,} stored, {kind}",
        figures=tuple(one[ours] / one["Alertmanager"] for one in rounds) if there else (),
        unit="of Alertmanager's time",
        ours=f"{rounds[-1][ours] * 1000:,.2f} ms",
        beside=f"Alertmanager: {rounds[-1]['Alertmanager'] * 1000:,.2f} ms" if there else "Alertmanager",
        goal=Goal(at_most=0.2),
        note="" if there else MISSING,
    )


SCENARIO: Final = Scenario(6, "Filtered lists", run)
