"""3: how long it takes from the beginning of a window until a partner has the request on its socket."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from time import time
from typing import Final

import msgspec

from benchmarks import fleet, partners, receivers
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import SPELT
from benchmarks.measuring import Goal, Line, part
from benchmarks.processes import module, service

EVSES: Final = 10_000
ACCOUNTS: Final = 4  #: at Hubject, which lets one alone push no more than 33 EVSEs a second one at a time
A_SECOND: Final = 100  #: changes
NOTICE: Final = 4.0  #: seconds in which the windows are planned, of which the last is left to the service to find them
PATIENCE: Final = 120.0  #: seconds until what was not told counts as lost

CHANNELS: Final = {"app": "an app", "ocpi": "an eMSP (OCPI)", "hubject": "Hubject (OICP)"}
#: Of each case: the channel, and what p99 must not exceed, in seconds.
STEADY: Final = {"app": 1.0, "ocpi": 2.0, "hubject": 5.0}
BURST: Final = {"app": None, "ocpi": 15.0, "hubject": 60.0}


class Told(msgspec.Struct):
    """Of one channel in one round: how long each edge took, in seconds, and how many requests it took in all."""

    latencies: list[float]
    requests: int

    def __str__(self) -> str:
        median, p99 = part(self.latencies, 0.5), part(self.latencies, 0.99)
        return f"median {median:,.3f} s, p99 {p99:,.3f} s, last {max(self.latencies):,.3f} s, {self.requests} requests"


class Case(msgspec.Struct, frozen=True):
    """Edges to be told: how many, over how many seconds, to receivers that answer after so many milliseconds."""

    name: str
    edges: int
    over: float
    answers_after: float
    goals: dict[str, float | None]
    accounts: int


async def run(bench: Bench) -> list[Line]:
    seconds = bench.much(10.0, 0.2)
    steady = f"{A_SECOND} changes a second, answers after 5 ms"
    burst = bench.much(2_000, 10)
    cases = (
        Case(steady, int(A_SECOND * seconds), seconds, 5, dict(STEADY), ACCOUNTS),
        Case(f"{burst:,} edges in one second, answers after 150 ms", burst, 1.0, 150, dict(BURST), 1),
    )
    return [line for kind in bench.kinds for case in cases for line in await _on(bench, kind, case)]


async def _on(bench: Bench, kind: str, case: Case) -> list[Line]:
    def tell(what: str) -> None:
        bench.tell(f"{SPELT[kind]}, {case.name}: {what}")

    evses = bench.much(EVSES, 500)
    tell(f"a fleet of {evses:,}")
    at = fleet.now()
    async with bench.databases.fresh(kind) as url, module(receivers.__name__, bench.log("receivers")) as there:
        await fleet.stock(url, evses, at)
        place = receivers.place(there.url)
        per_account = fleet.OPERATORS // case.accounts
        accounts = [
            partners.hubject(place, str(number), range(number * per_account, (number + 1) * per_account))
            for number in range(case.accounts)
        ]
        await partners.join(url, evses, at, partners.driver_app(place), partners.emsp(place), *accounts)
        await receivers.delay(there.url, case.answers_after)
        rounds = []
        async with service(url, bench.log(f"edges-{kind}")):
            for number in range(bench.rounds):
                tell(f"round {number + 1} of {bench.rounds}")
                first = number * case.edges + 1
                rounds.append(await _round(bench, url, there.url, case, range(first, first + case.edges)))
    return [
        Line(
            scenario=3,
            what=f"edge to the socket of {CHANNELS[channel]}, p99, {case.name}, {SPELT[kind]}",
            figures=tuple(part(one[channel].latencies, 0.99) for one in rounds),
            unit="s",
            ours=str(rounds[-1][channel]),
            goal=None if goal is None else Goal(at_most=goal),
            note=_note(channel, case),
            short=_short(kind, case, rounds) if channel == "app" else "",
        )
        for channel, goal in case.goals.items()
    ]


def _note(channel: str, case: Case) -> str:
    if channel != "hubject":
        return ""
    if case.accounts == 1:
        return (
            f"1 account, to which one request goes at a time: the {case.answers_after:.0f} ms of each, one after the "
            "other, are what it takes, and not the 2,000 requests a minute of Hubject's terms"
        )
    return (
        f"{case.accounts} accounts with a share of the EVSEs each, as Hubject's terms let one make 2,000 requests a "
        "minute; one at a time goes to each"
    )


def _short(kind: str, case: Case, rounds: Sequence[dict[str, Told]]) -> str:
    took = {name: median(part(one[name].latencies, 0.99) for one in rounds) for name in case.goals}
    return (
        f"from the beginning of a window to the partner's socket, p99: {took['app']:.1f} s to an app, "
        f"{took['ocpi']:.1f} s by OCPI, {took['hubject']:.1f} s to Hubject, with {case.name}, on {SPELT[kind]}"
    )


async def _round(bench: Bench, url: str, there: str, case: Case, evses: range) -> dict[str, Told]:
    """Plan a window for each of these EVSEs, wait until everybody was told of it, and look how long that took."""
    first = fleet.now() + timedelta(seconds=bench.much(NOTICE, 2.0))
    edges = {evse: first + timedelta(seconds=case.over * (evse - evses.start) / len(evses)) for evse in evses}
    end = max(edges.values()) + timedelta(hours=2)
    made = fleet.now()
    await fleet.plan(url, (fleet.window(evse, evse, edge, end, made=made) for evse, edge in edges.items()))
    await fleet.look_again(url, edges)
    if fleet.now() > first - timedelta(seconds=1) and not bench.brief:
        raise ValueError("the windows were planned too late to say how long their beginnings took")
    if early := await receivers.count(there):
        raise ValueError(f"{early} requests came before anything had begun")
    await asyncio.sleep(max(max(edges.values()).timestamp() - time(), 0.0))
    heard: list[receivers.Heard] = []

    async def everybody_was_told() -> bool:
        heard.extend(await receivers.heard(there))
        return len({(one.receiver.partition("/")[0], one.evse) for one in heard}) == len(edges) * len(case.goals)

    await receivers.until(everybody_was_told, PATIENCE)
    await partners.settled(url)
    if again := await receivers.count(there):
        raise ValueError(f"{again} requests came after everybody had been told")
    _check_order(heard, case.answers_after / 1000)
    return {channel: _told(heard, channel, edges) for channel in case.goals}


def _told(heard: Sequence[receivers.Heard], channel: str, edges: dict[int, datetime]) -> Told:
    first: dict[int, float] = {}
    requests = set()
    for one in heard:
        if one.receiver.startswith(channel):
            first.setdefault(one.evse, one.at)
            requests.add((one.receiver, one.at))
    early = [evse for evse, at in first.items() if at < edges[evse].timestamp()]
    if early:
        raise ValueError(f"{channel} was told of {len(early)} windows before they began")
    return Told([first[evse] - edge.timestamp() for evse, edge in edges.items()], len(requests))


def _check_order(heard: Sequence[receivers.Heard], answer_after: float) -> None:
    """Nobody may be told of one EVSE twice at a time, and Hubject of nothing."""
    latest: dict[tuple[str, int], float] = {}
    for one in heard:
        whom = (one.receiver, 0 if one.receiver.startswith("hubject") else one.evse)
        before = latest.get(whom)
        if before is not None and before != one.at and one.at < before + answer_after:
            raise ValueError(f"{one.receiver} was told of something while a request was under way")
        latest[whom] = one.at


SCENARIO: Final = Scenario(3, "From a window's beginning to the partner", run)
