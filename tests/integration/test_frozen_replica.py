"""A replica that freezes in a transaction: the others go on within a second, and it does no harm when it thaws."""

import asyncio
import contextlib
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from app.clock import Clock, SystemClock
from app.schedule.reconcile import Reconciler
from app.store import patience
from app.store.database import Database
from app.store.failures import DatabaseUnavailable
from app.store.writer import Writer
from tests.builders import ADMIN, end, plan, register, stored
from tests.databases import PostgresqlServer
from tests.integration.scripted_channel import Rig, ScriptedChannel, add_partner
from tests.pooling_proxy import PoolingProxy

LIMIT = timedelta(seconds=0.3)  #: so that a test need not wait for long
Answer = TypeVar("Answer")
FLEET = [f"DE*ABC*E{number}" for number in range(6)]


class Halting(Database):
    """A database whose transactions may stand still, for too long, when all but their commit is done."""

    patient: Database  #: the same without a limit, for what a test begins with
    halt: Callable[[], bool] = staticmethod(lambda: False)
    halted = 0

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        async with super().write() as connection:
            yield connection
            if self.halt():
                self.halted += 1
                await asyncio.sleep(2 * LIMIT.total_seconds())


@pytest.fixture(params=[False, True], ids=["direct", "pooled"])
async def halting(request: pytest.FixtureRequest, postgresql: PostgresqlServer) -> AsyncGenerator[Halting]:
    pooled: bool = request.param
    async with postgresql.fresh() as url, PoolingProxy(url).running() as proxy:
        database = Halting(proxy.url if pooled else url, transaction_pooling=pooled, stall=LIMIT)
        database.patient = Database(url)
        yield database
        await database.patient.close()
        await database.close()


async def note(database: Database, name: str) -> None:
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO chore (name, last_run_at) VALUES (:name, now())"), {"name": name})


async def looks(database: Database) -> None:
    """Have another replica look until it finds something due."""
    passes = Reconciler(database, SystemClock())
    async with asyncio.timeout(20):
        while await passes.pass_once() == 0:  # noqa: ASYNC110 - until somebody else lets go
            await asyncio.sleep(0.02)


@asynccontextmanager
async def writing(database: Database, clock: Clock) -> AsyncGenerator[Writer]:
    writer = Writer(database, clock)
    await writer.start()
    yield writer
    await writer.stop()


@asynccontextmanager
async def working(rig: Rig) -> AsyncGenerator[Rig]:
    await rig.dispatcher.start()
    await rig.reconciler.start()
    try:
        yield rig
    finally:
        await rig.reconciler.stop()
        await rig.dispatcher.stop()


def once() -> Callable[[], bool]:
    """In the first transaction to come, and in no other."""
    return itertools.chain([True], itertools.repeat(False)).__next__


def one_in(count: int) -> Callable[[], bool]:
    return itertools.cycle([True, *[False] * (count - 1)]).__next__


async def insists(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Come back as long as the service asks for it, as on a machine so slow that it is cut off by itself."""
    while True:
        with contextlib.suppress(DatabaseUnavailable):
            return await ask()


async def test_a_transaction_that_stands_still_is_cut_off_and_writes_nothing(halting: Halting) -> None:
    halting.halt = once()
    with pytest.raises(DatabaseUnavailable):
        await note(halting, "late")
    assert await stored(halting.patient, "chore") == []
    await insists(lambda: note(halting, "prompt"))
    assert [row["name"] for row in await stored(halting.patient, "chore")] == ["prompt"]


async def test_whatever_it_had_locked_the_others_get(halting: Halting) -> None:
    async with writing(halting.patient, SystemClock()) as writer:
        evse = await register(writer)
    frozen = asyncio.Event()

    async def freezes() -> None:
        async with halting.write() as connection:
            await connection.execute(text("SELECT * FROM presented FOR UPDATE"))
            frozen.set()
            await asyncio.sleep(60)

    stuck = asyncio.create_task(freezes())
    await frozen.wait()
    await insists(lambda: looks(halting))
    assert [(row["evse"], row["version"]) for row in await stored(halting.patient, "presented")] == [(evse.id, 1)]
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)


async def test_what_was_asked_of_it_meanwhile_is_done_once(halting: Halting) -> None:
    async with writing(halting.patient, SystemClock()) as writer:
        await register(writer)
    async with writing(halting, SystemClock()) as writer:
        made = []
        with capture_logs():
            for _ in range(2):
                halting.halt = once()
                made.append(await insists(lambda: plan(writer)))
            halting.halt = once()
            await insists(lambda: end(writer, made[0]))
    assert halting.halted == 3
    rows = await stored(halting.patient, "temporary_status")
    assert [row["id"] for row in rows] == [one.id for one in made]
    assert [row["end_reason"] for row in rows] == ["deleted", None]


async def test_partners_end_up_with_what_is_true_however_often_it_happens(halting: Halting) -> None:
    clock, channel = SystemClock(), ScriptedChannel()
    async with writing(halting.patient, clock) as writer:
        keys = [(await register(writer, one)).id for one in FLEET]
        await add_partner(halting.patient, clock, "app")
    async with writing(halting, clock) as writer, working(Rig(halting, clock, writer, channel)) as rig:
        with capture_logs():
            halting.halt = one_in(5)
            accepted = []
            for _ in range(3):
                asked = (insists(lambda one=one: plan(writer, one, by=ADMIN)) for one in FLEET)  # type: ignore[misc]
                accepted += await asyncio.gather(*asked)
            for one in accepted[::2]:
                await insists(lambda one=one: end(writer, one, by=ADMIN))  # type: ignore[misc]
        assert halting.halted >= 3
        halting.halt = lambda: False
        left = {one.evse for one in accepted[1::2]}
        truth = {("app", key): "BLOCKED" if key in left else "UNKNOWN" for key in keys}
        await rig.until(lambda: channel.shown == truth, within=60)
    assert {row["id"] for row in await stored(halting.patient, "temporary_status")} == {one.id for one in accepted}
    for key in keys:
        versions = [said.version for said in channel.delivered if said.evse == key]
        assert versions == sorted(versions)


async def test_one_that_only_computes_for_long_gets_it_done(halting: Halting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would be cut off at the same point again, and for ever."""
    halting.halt = lambda: True
    async with asyncio.timeout(30):
        await insists(lambda: note(halting, "big"))
    assert [row["name"] for row in await stored(halting.patient, "chore")] == ["big"]
    monkeypatch.setattr(patience, "_FOR_A_WHILE", 0.0)
    halting.halt = once()
    with pytest.raises(DatabaseUnavailable):  # what was not needed for a while is not given for longer
        await note(halting, "bigger")


FREEZES = """
import asyncio, os, signal, sys
from datetime import timedelta
from app.clock import SystemClock
from app.schedule.reconcile import Reconciler
from app.store import presented
from app.store.database import Database
from app.store.failures import DatabaseUnavailable

write = presented.write

async def freeze(connection, resolved):
    presented.write = write
    print("frozen", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    await write(connection, resolved)

async def main():
    presented.write = freeze
    database, patient = Database(sys.argv[1], stall=timedelta(seconds=1)), Database(sys.argv[1])
    passes = Reconciler(database, SystemClock())
    while presented.write is freeze:
        try:
            await passes.pass_once()
        except DatabaseUnavailable:  # once it has thawed, or before, on a machine that is very busy
            print("cut off", flush=True)
    print(await Reconciler(patient, SystemClock()).pass_once(), flush=True)
    await patient.close()
    await database.close()

asyncio.run(main())
"""


@contextmanager
def process_that_freezes(url: str) -> Generator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-c", FREEZES, url], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_a_process_that_is_stopped_for_real_keeps_no_boundary_waiting_and_breaks_nothing_later(
    postgresql_url: str,
) -> None:
    database = Database(postgresql_url)
    async with writing(database, SystemClock()) as writer:
        await asyncio.gather(*(register(writer, one) for one in FLEET))
        await looks(database)
        await asyncio.gather(*(plan(writer, one, by=ADMIN) for one in FLEET))
    with process_that_freezes(postgresql_url) as process:
        while await said_by(process) != "frozen":
            pass
        await looks(database)
        rows = await stored(database, "presented")
        assert {(row["what"], row["version"]) for row in rows} == {("kind:BLOCKED", 2)}
        process.send_signal(signal.SIGCONT)
        assert [await said_by(process), await said_by(process)] == ["cut off", "0"]
    assert await stored(database, "presented") == rows
    assert len(await stored(database, "presented_change")) == 2 * len(FLEET)
    await database.close()


async def said_by(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await asyncio.to_thread(process.stdout.readline)).strip()
