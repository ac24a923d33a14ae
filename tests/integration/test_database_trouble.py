"""A database that is there and cannot do it: full, read-only, locked, or other transactions are in the way."""

import asyncio
import gc
import random
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from structlog.testing import capture_logs

from app.clock import SystemClock
from app.domain.instant import rfc3339
from app.store import engines
from app.store.database import Database
from app.store.tables import metadata
from tests.builders import stored
from tests.integration.replica import Replica, admin_key, eventually, replica
from tests.integration.scripted_channel import ScriptedChannel

FIRST, SECOND = "DE*ABC*E1", "DE*ABC*E2"
NEW_PARTNER = {"name": "other", "channel": "scripted", "configuration": {}}
_FAULT = """
CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('faults') <= {times} THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{state}'; END IF;
    RETURN NULL;
END $$
"""


@asynccontextmanager
async def working(database_url: str) -> AsyncGenerator[Replica]:
    """A service with EVSEs that show AVAILABLE to a partner."""
    database = Database(database_url)
    key = await admin_key(database)
    await database.close()
    channel = ScriptedChannel()
    with capture_logs():
        async with replica(database_url, key, channel) as one:
            for evse_id in (FIRST, SECOND):
                await one.register(evse_id)
            await one.add_partner()
            await eventually(lambda: [*channel.shown.values()] == ["AVAILABLE", "AVAILABLE"])
            yield one


def assert_told_to_come_back(answer: httpx.Response, says: str) -> None:
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1"), answer.text
    problem = answer.json()
    assert problem["type"] == "urn:evse-status:problem:unavailable"
    assert says in problem["detail"]


# PostgreSQL


async def fail(database: Database, table: str, state: str, times: int) -> None:
    """Have the next inserts into `table` fail, as another transaction may make them fail."""
    async with database.write() as connection:
        await connection.execute(text("CREATE SEQUENCE faults"))
        await connection.exec_driver_sql(_FAULT.format(times=times, state=state))
        await connection.execute(text(f"CREATE TRIGGER fault AFTER INSERT ON {table} EXECUTE FUNCTION fault()"))


async def mend(database: Database, table: str) -> None:
    async with database.write() as connection:
        await connection.execute(text(f"DROP TRIGGER fault ON {table}"))


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("40001", "in the way"),
        ("40P01", "in the way"),
        ("55P03", "in the way"),
        ("53100", "disk is full"),
        ("25006", "cannot be written to"),
        ("57014", "away"),
    ],
)
async def test_no_fault_of_the_database_is_an_internal_error(postgresql_url: str, state: str, says: str) -> None:
    async with working(postgresql_url) as one:
        database = one.service.database
        await fail(database, "temporary_status", state, times=99)
        assert_told_to_come_back(await one.plan(FIRST), says)
        await mend(database, "temporary_status")
        assert (await one.plan(FIRST)).status_code == 201
        assert len(await one.planned()) == 1


async def test_a_change_that_others_were_in_the_way_of_once_is_tried_again(postgresql_url: str) -> None:
    async with working(postgresql_url) as one:
        await fail(one.service.database, "temporary_status", "40P01", times=1)
        answers = await asyncio.gather(*(one.plan(evse) for evse in (FIRST, SECOND) * 3))
        assert {answer.status_code for answer in answers} == {201}
        assert {each["id"] for each in await one.planned()} == {answer.json()["id"] for answer in answers}


async def test_a_partner_that_others_were_in_the_way_of_is_not_half_there(postgresql_url: str) -> None:
    async with working(postgresql_url) as one:
        await fail(one.service.database, "audit", "40P01", times=3)
        assert_told_to_come_back(await one.api.post("/v2/partners", json=NEW_PARTNER), "in the way")
        assert_told_to_come_back(await one.api.patch("/v2/partners/app", json={"paused": True}), "in the way")
        assert_told_to_come_back(await one.api.delete("/v2/partners/app"), "in the way")
        partners = await one.call("GET", "/v2/partners")
        assert [(each["name"], each["paused"]) for each in partners] == [("app", False)]
        assert (await one.api.post("/v2/partners", json=NEW_PARTNER)).is_success


# SQLite


@pytest.fixture
def embedded_url(sqlite_template: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'evse-status.db')}"


@asynccontextmanager
async def pragma(database: Database, while_it_lasts: str, afterwards: str) -> AsyncGenerator[None]:
    for value in (while_it_lasts, afterwards):
        async with database._writer.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.execute_fetchall(f"PRAGMA {value}")  # in no transaction, which could not begin
        if value is while_it_lasts:
            yield


@asynccontextmanager
async def full(database: Database) -> AsyncGenerator[None]:
    async with database.read() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
    async with pragma(database, f"max_page_count={pages}", "max_page_count=1000000"):
        yield


@asynccontextmanager
async def read_only(database: Database) -> AsyncGenerator[None]:
    async with pragma(database, "query_only=1", "query_only=0"):
        yield


@asynccontextmanager
async def locked(database: Database) -> AsyncGenerator[None]:
    """Somebody else holds its lock, for longer than we wait."""
    with sqlite3.connect(str(database.path), isolation_level=None) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        yield
        foreign.execute("ROLLBACK")
    foreign.close()


@pytest.mark.parametrize(
    ("trouble", "says"), [(full, "disk is full"), (read_only, "cannot be written to"), (locked, "in the way")]
)
async def test_what_was_accepted_is_kept_and_it_goes_on_when_an_embedded_database_works_again(
    embedded_url: str, monkeypatch: pytest.MonkeyPatch, trouble: Any, says: str
) -> None:
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 100)
    async with working(embedded_url) as one:
        over = SystemClock().now() + timedelta(seconds=1)
        accepted = [(await one.plan(FIRST, validTo=rfc3339(over))).json()["id"]]
        async with trouble(one.service.database):
            while (answer := await one.plan(SECOND, reason="x" * 500)).is_success:  # a disk does not fill at once
                accepted.append(answer.json()["id"])
            assert_told_to_come_back(answer, says)
            await eventually(lambda: SystemClock().now() > over + timedelta(seconds=1))
            assert_told_to_come_back(await one.plan(SECOND, reason="x" * 500), says)
            shown = (await one.call("GET", f"/v2/evses/{FIRST}"))["presented"]["scripted"]["status"]
            assert shown == "AVAILABLE"  # reading goes on
            assert {each["id"] for each in await one.planned()} == set(accepted)
        accepted.append((await one.plan(SECOND)).raise_for_status().json()["id"])
        await eventually(lambda: one.channel.statuses == ["AVAILABLE", "BLOCKED"])
        assert {each["id"] for each in await one.planned()} == set(accepted)


# Cancelled tasks


# A connection in the middle of which somebody was cancelled is thrown away, not closed: Python 3.13 remarks on it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_task_that_is_cancelled_in_a_transaction_lets_go_of_it(database: Database) -> None:
    chance = random.Random(3)
    chore = metadata.tables["chore"]

    async def writes(name: str) -> None:
        async with database.write() as connection:
            for half in ("first", "second"):
                await connection.execute(chore.insert().values(name=f"{name} {half}", last_run_at=SystemClock().now()))
                await connection.execute(select(chore))
                await asyncio.sleep(0)

    for number in range(60):
        tasks = [asyncio.create_task(writes(f"{number} {one}")) for one in range(4)]
        await asyncio.sleep(chance.uniform(0, 0.01))
        for _ in range(2):
            for task in tasks:
                if chance.random() < 0.6:
                    task.cancel()
            await asyncio.sleep(chance.choice([0, 0.001]))
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(5):
            await writes(f"{number} after")
    names = [row["name"] for row in await stored(database, "chore")]
    whole = {name.rpartition(" ")[0] for name in names}
    assert len(names) == 2 * len(whole)
    assert {f"{number} after" for number in range(60)} <= whole
    gc.collect()  # here, where it is expected, and not in some later test


async def test_not_even_one_whose_traceback_is_kept(embedded_url: str) -> None:
    """A cursor in it keeps a connection alive that has been closed, and with it its transaction."""
    database = Database(embedded_url)
    kept: list[BaseException] = []

    async def counts_for_ever() -> None:
        numbers = "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up LIMIT 200000) SELECT n FROM up"
        try:
            async with database.write() as connection:
                while True:
                    await connection.exec_driver_sql(numbers)
        except asyncio.CancelledError as error:
            kept.append(error)
            raise

    for _ in range(5):
        task = asyncio.create_task(counts_for_ever())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5), database.write() as connection:
            await connection.execute(select(func.count()).select_from(metadata.tables["chore"]))
    await database.close()
