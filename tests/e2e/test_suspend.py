"""A real service that is stopped across a start and an end, as when its machine sleeps, and then goes on."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.channels.driver_app.settings import fresh_secret
from app.channels.driver_app.simulator import AppReceiver
from app.clock import SystemClock
from app.demo.listening import listening
from app.domain.instant import rfc3339
from tests.e2e.serving_process import ServingProcess, admin_key, calling

PATIENCE: Final = 30.0  #: seconds, for a machine that is busy with other tests
HOUR: Final = timedelta(hours=1)
SECOND: Final = timedelta(seconds=1)
#: As by default and in no hurry: here every request is counted, and one that timed out would be sent again.
DURATIONS: Final = {"REQUEST_TIMEOUT": 10 * SECOND, "LEASE": 35 * SECOND, "SETTLE": 90 * SECOND}


@pytest.fixture
async def served(database_url: str, tmp_path: Path) -> AsyncGenerator[ServingProcess]:
    one = ServingProcess(database_url, tmp_path / "serve.log", DURATIONS)
    await one.start()
    yield one
    await one.kill()


@pytest.fixture
async def client(served: ServingProcess, database_url: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with calling(served.url, await admin_key(database_url), patience=PATIENCE) as one:
        yield one


async def call(client: httpx.AsyncClient, method: str, path: str, **body: Any) -> None:
    answer = await client.request(method, path, json=body)
    assert answer.is_success, answer.text


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - a process elsewhere makes it hold
            await asyncio.sleep(0.02)


async def test_a_service_that_slept_across_starts_and_ends_shows_what_is_true_and_says_each_thing_once(
    served: ServingProcess, client: httpx.AsyncClient
) -> None:
    over, begins, runs, ends, never = sites = [f"DE*ABC*E{number}" for number in range(1, 6)]
    free, occupied = "AVAILABLE", "OCCUPIED"
    secret = fresh_secret()
    receiver = AppReceiver(SystemClock(), secret)

    async def block(evse_id: str, begin: datetime, end: datetime) -> None:
        times = {"validFrom": rfc3339(begin), "validTo": rfc3339(end)}
        await call(client, "POST", "/v2/temporary-evse-statuses", evseId=evse_id, temporaryStatus="BLOCKED", **times)

    async with listening(receiver.app) as app:
        started = SystemClock().now()
        for one in sites:
            await call(client, "PUT", f"/v2/evses/{one}", deploymentState="PRODUCTION")
            await call(client, "PUT", f"/v2/evses/{one}/actual-status", status="Available")
        configuration = {"url": f"{app}/webhook", "secret": secret}
        await call(client, "POST", "/v2/partners", name="app", channel="driver_app", configuration=configuration)
        await until(lambda: receiver.shown == dict.fromkeys(sites, free))
        now = SystemClock().now()
        begin = now + 2 * SECOND + 3 * (now - started)  # later where everything takes longer
        end = begin + 0.5 * SECOND
        for one, from_, to in ((runs, now, now + HOUR), (ends, now, end), (over, begin, end)):
            await block(one, from_, to)
        await block(begins, begin, begin + HOUR)
        before = {over: free, begins: free, runs: occupied, ends: occupied, never: free}
        # An app is told until when it holds: one webhook for each window, also for those that lie ahead.
        await until(lambda: Counter(one[1] for one in receiver.received) == dict.fromkeys(sites, 2) | {never: 1})
        assert receiver.shown == before
        await asyncio.sleep(0.3)  # until what it answered is stored
        told = len(receiver.received)

        served.freeze()
        if SystemClock().now() >= begin:
            pytest.skip("this machine is too busy: the windows began before the service could be stopped")
        while SystemClock().now() < end + SECOND:  # noqa: ASYNC110 - both pass while it is stopped
            await asyncio.sleep(0.02)
        assert len(receiver.received) == told
        served.thaw()
        await until(lambda: receiver.shown == before | {begins: occupied, ends: free})
        await asyncio.sleep(1.5)  # for what another sweep would say, were there anything

    # What was over before anybody could be told is said for its `until` alone; it is never shown as occupied.
    since = Counter((evse_id, status) for _, evse_id, status, _ in receiver.received[told:])
    assert since == {(over, free): 1, (begins, occupied): 1, (ends, free): 1}
    assert receiver.wrong == []
