"""10: what the service holds in memory, of which little should grow with what is stored."""

import base64
from collections.abc import Iterator
from typing import Final

import msgspec

from app.store.database import Database
from benchmarks import fleet, stock
from benchmarks.bench import Bench, Scenario
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line
from benchmarks.processes import service
from benchmarks.waiting import converged

READS: Final = 2000
LISTS: Final = 20
PAGE: Final = 500
MIB: Final = 2**20


class Held(msgspec.Struct):
    """Bytes that are resident at most: after the start, and after all that was asked."""

    started: int
    used: int


def calls(key: str, evses: int) -> Iterator[bytes]:
    """Reads of many EVSEs, lists of windows, and the whole fleet page by page."""
    for number in range(READS):
        yield call("GET", f"/v2/evses/{fleet.evse_id(number * 7919 % evses + 1)}", key)
    for state in ("active", "planned", "ended"):
        for _ in range(LISTS):
            yield call("GET", f"/v2/temporary-evse-statuses?limit={PAGE}&state={state}", key)
    for after in range(0, evses, PAGE):
        cursor = base64.urlsafe_b64encode(str(after).encode()).decode()
        yield call("GET", f"/v2/evses?limit={PAGE}&cursor={cursor}", key)


async def held(bench: Bench, url: str, evses: int) -> Held:
    """Start the service, let it compute all that is due, ask it for a lot, and look at what it holds."""
    key = await fleet.key(url)
    database = Database(url)
    try:
        async with service(url, bench.log("memory")) as running, Caller(running.url, 8) as caller:
            await converged(database, fleet.now())
            started = running.resident
            (await caller.flat_out(calls(key, evses))).demand_success()
            return Held(started, max(started, running.resident))
    finally:
        await database.close()


async def run(bench: Bench) -> list[Line]:
    windows = bench.much(1_000_000, 20_000)
    evses = windows // stock.EACH
    bench.tell("nothing stored")
    async with bench.databases.fresh("sqlite") as url:
        await stock.put(url, 1, lambda _: [], fleet.now())
        nothing = await held(bench, url, 1)
    async with bench.databases.fresh("sqlite") as url:
        bench.tell(f"{evses:,} EVSEs")
        await stock.put(url, evses, lambda _: [], fleet.now())
        registered = await held(bench, url, evses)
    async with stock.embedded(bench, windows) as url:
        bench.tell(f"{evses:,} EVSEs, {windows:,} windows")
        planned = await held(bench, url, evses)
    note = "measured once, as memory hardly moves from one round to the next"
    return [
        Line(
            scenario=10,
            what=f"memory resident with {evses:,} EVSEs and {windows:,} windows, SQLite",
            figures=(planned.used / MIB,),
            unit="MiB",
            ours=f"{planned.started / MIB:.0f} MiB once {evses:,} windows that began while down were shown, and "
            f"{planned.used / MIB:.0f} after {READS:,} reads, {3 * LISTS} lists of {PAGE} and the fleet in pages",
            beside=f"nothing stored: {nothing.started / MIB:.0f} and {nothing.used / MIB:.0f} MiB",
            goal=Goal(at_most=600.0),
            short=f"{planned.used / MIB:.0f} MiB resident with {evses:,} EVSEs and {windows:,} windows, on SQLite",
            note=note,
        ),
        Line(
            scenario=10,
            what="memory for each EVSE",
            figures=((registered.used - nothing.used) / evses,),
            unit="bytes",
            ours=f"{registered.used / MIB:.0f} MiB with {evses:,} EVSEs without windows",
            note=note,
        ),
        Line(
            scenario=10,
            what="memory for each window",
            figures=((planned.used - registered.used) / windows,),
            unit="bytes",
            ours=f"{stock.EACH} windows an EVSE",
            note=note,
        ),
    ]


SCENARIO: Final = Scenario(10, "Memory", run)
