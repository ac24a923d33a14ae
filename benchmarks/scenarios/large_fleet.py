"""12: half a million EVSEs, 500 changes a second and two replicas; and what six million would take."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.principal import Role
from benchmarks import fleet
from benchmarks.bench import Bench, Scenario
from benchmarks.load import Caller, call
from benchmarks.measuring import Line, part
from benchmarks.processes import TICKS, Running, service

FLEET: Final = 500_000
REPORTS: Final = 400  #: a second: chargers that begin to charge
EDGES: Final = 100  #: a second: windows that begin by the clock
SIX_MILLION: Final = 6_000_000
CONNECTIONS: Final = 32  #: to each replica
_SETTLED: Final = 3.0  #: seconds after which what was due must be done


class Used(msgspec.Struct):
    """What has been used so far: seconds of processor time, and what the database counts."""

    at: datetime
    replicas: list[float]
    database: float
    transactions: int
    rows: int  #: written
    wal: int  #: bytes


class Due:
    """When each EVSE was to change: a window begins, or a report is made."""

    def __init__(self, size: int, key: str) -> None:
        self.at: dict[int, datetime] = {}
        self._key = key
        self._number = 0
        self._size = size

    def windows(self, begin: datetime, count: int) -> dict[int, datetime]:
        """EVSEs all over the fleet, with a window each that begins some milliseconds after the one before."""
        edges = {self._next(): begin + timedelta(seconds=number / EDGES) for number in range(count)}
        self.at |= edges
        return edges

    def reports(self) -> Iterator[bytes]:
        """Calls that report, each of another EVSE; it counts from when it is made."""
        while True:
            evse, at = self._next(), fleet.now()
            self.at[evse] = at
            path = f"/v2/evses/{fleet.evse_id(evse)}/actual-status"
            yield call("PUT", path, self._key, {"status": "Charging", "observedAt": at.isoformat()})

    def _next(self) -> int:
        # A step that shares no divisor with the size comes by each of them once.
        self._number += 1
        return self._number * 7_919 % self._size + 1


async def run(bench: Bench) -> list[Line]:
    size, seconds = bench.much(FLEET, 5_000), bench.much(30.0, 1.0)
    bench.tell(f"a fleet of {size:,}, which takes a while")
    async with bench.databases.fresh("postgresql") as url:
        await fleet.stock(url, size, fleet.now())
        key = await fleet.key(url, Role.ADMIN)
        connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
        try:
            async with (
                service(url, bench.log("large-1")) as one,
                service(url, bench.log("large-2")) as other,
                Caller(one.url, CONNECTIONS) as to_one,
                Caller(other.url, CONNECTIONS) as to_other,
            ):
                bench.tell("windows that are about to begin")
                due = Due(size, key)
                begin = fleet.now() + timedelta(seconds=2 + seconds * EDGES / 1500)
                edges = due.windows(begin, int(EDGES * seconds))
                far = begin + timedelta(days=1)
                await fleet.plan(
                    url, (fleet.window(number, evse, at, far) for number, (evse, at) in enumerate(edges.items(), 1))
                )
                await fleet.look_again(url, edges)
                if (late := (fleet.now() - begin).total_seconds()) > 0:
                    raise ValueError(f"the first window was planned {late:.1f} s too late")
                await asyncio.sleep((begin - fleet.now()).total_seconds())
                bench.tell(f"{REPORTS + EDGES} changes a second for {seconds:.0f} s")
                before = await _used(connection, one, other)
                reports = due.reports()
                loads = await asyncio.gather(
                    *(caller.steadily(reports, REPORTS / 2, seconds) for caller in (to_one, to_other))
                )
                after = await _used(connection, one, other)
                for load in loads:
                    load.demand_success()
                await asyncio.sleep(_SETTLED)
                lags = await _lags(connection, due)
        finally:
            await connection.close()
    return _lines(size, before, after, lags, len(due.at))


async def _used(connection: Any, *replicas: Running) -> Used:
    row = await connection.fetchrow(
        "SELECT xact_commit, tup_inserted + tup_updated + tup_deleted AS rows, pg_backend_pid() AS pid, "
        "pg_current_wal_lsn() - '0/0'::pg_lsn AS wal FROM pg_stat_database WHERE datname = current_database()"
    )
    return Used(
        at=fleet.now(),
        replicas=[one.cpu for one in replicas],
        database=_of_all_backends(row["pid"]),
        transactions=row["xact_commit"],
        rows=row["rows"],
        wal=int(row["wal"]),
    )


def _of_all_backends(backend: int) -> float:
    """Seconds of processor time of the whole database server, those of its processes that ended included."""
    server = _fields(backend)[1]
    ticks = sum(int(one) for one in _fields(int(server))[11:15])
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = _fields(int(path.name))
        except FileNotFoundError:
            continue
        if fields[1] == server:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def _fields(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


async def _lags(connection: Any, due: Due) -> list[float]:
    """Seconds from when each EVSE was to change until the change was committed, of those that did."""
    rows = await connection.fetch("SELECT evse, pg_xact_commit_timestamp(xmin) AS at FROM presented_change")
    return [(row["at"] - due.at[row["evse"]]).total_seconds() for row in rows if row["evse"] in due.at]


def _lines(size: int, before: Used, after: Used, lags: list[float], expected: int) -> list[Line]:
    seconds = (after.at - before.at).total_seconds()
    changes = expected / seconds
    replicas = [(now - then) / seconds for then, now in zip(before.replicas, after.replicas, strict=True)]
    database = (after.database - before.database) / seconds
    wal = (after.wal - before.wal) / seconds
    transactions = (after.transactions - before.transactions) / seconds
    rows = (after.rows - before.rows) / seconds
    used = ", ".join(f"replica {number} {share * 100:.0f} %" for number, share in enumerate(replicas, 1))
    times = SIX_MILLION / size
    cores = {"the replicas": sum(replicas) * times, "PostgreSQL": database * times}
    bottleneck = max(cores, key=lambda name: cores[name])
    return [
        Line(
            scenario=12,
            what=f"{size:,} EVSEs, {REPORTS} reports and {EDGES} beginnings of windows a second, PostgreSQL, two "
            "replicas: from report or edge to committed change, p99",
            figures=(part(lags, 0.99),),
            unit="s",
            ours=f"median {part(lags, 0.5) * 1000:,.0f} ms, {changes:,.0f} changes/s; of a core: {used}",
            beside=f"PostgreSQL: {database * 100:.0f} % of a core, {transactions:,.0f} transactions/s, "
            f"{rows:,.0f} rows written/s, {wal / 1e6:,.1f} MB WAL/s",
            note="one round, without partners (what they cost: #9)"
            + ("" if len(lags) >= expected else f"; {expected - len(lags):,} of {expected:,} changes were not seen"),
        ),
        Line(
            scenario=12,
            what=f"the same for {SIX_MILLION:,} EVSEs with as many changes for each: {changes * times:,.0f} a second",
            figures=(sum(cores.values()),),
            unit="cores",
            ours=f"the replicas {cores['the replicas']:,.1f} cores, each uses at most one",
            beside=f"PostgreSQL {cores['PostgreSQL']:,.1f} cores, {rows * times:,.0f} rows written/s, "
            f"{wal * times / 1e6:,.0f} MB WAL/s",
            note=f"extrapolated, as if cost grew with changes alone (#11 says whether it does); "
            f"processor time of {bottleneck} is the bottleneck",
        ),
    ]


SCENARIO: Final = Scenario(12, "A large fleet on two replicas", run)
