"""A real service, killed for real (kill -9): what was accepted is kept, and partners end up with what is true."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Sized
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.channels.driver_app.settings import fresh_secret
from app.channels.driver_app.simulator import AppReceiver
from app.clock import SystemClock
from app.demo.listening import listening
from app.domain.instant import rfc3339
from tests.e2e.serving_process import ServingProcess, admin_key, calling

KILLS = 2
CLIENTS = 8
HOUR = timedelta(hours=1)


@pytest.fixture
async def key(database_url: str) -> str:
    return await admin_key(database_url)


@pytest.fixture
async def victim(database_url: str, tmp_path: Path) -> AsyncGenerator[ServingProcess]:
    one = ServingProcess(database_url, tmp_path / "serve.log")
    await one.start()
    yield one
    await one.kill()


async def register(client: httpx.AsyncClient, evse_id: str) -> None:
    (await client.put(f"/v2/evses/{evse_id}", json={"deploymentState": "PRODUCTION"})).raise_for_status()
    (await client.put(f"/v2/evses/{evse_id}/actual-status", json={"status": "Available"})).raise_for_status()


def has_grown(accepted: Sized, before: int) -> bool:
    return len(accepted) > before


async def until(holds: Callable[[], bool], what: Callable[[], Any]) -> None:
    try:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - a process elsewhere makes it hold
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"it never came to hold: {what()}")


async def test_whatever_was_answered_with_201_is_there_after_a_kill_at_any_moment(
    victim: ServingProcess, key: str
) -> None:
    accepted: list[int] = []

    async def posts() -> None:
        asked = {"evseId": "DE*ABC*E1", "temporaryStatus": "RESERVED"}
        async with calling(victim.url, key) as client:
            with contextlib.suppress(httpx.TransportError):
                while True:
                    answer = await client.post("/v2/temporary-evse-statuses", json=asked)
                    assert answer.status_code == 201, answer.text
                    accepted.append(answer.json()["id"])

    async with calling(victim.url, key) as client:
        await register(client, "DE*ABC*E1")
    for _ in range(KILLS):
        before = len(accepted)
        posting = [asyncio.create_task(posts()) for _ in range(CLIENTS)]
        await until(partial(has_grown, accepted, before), lambda: "not one was accepted")
        await asyncio.sleep(random.uniform(0, 0.3))
        await victim.kill()
        await asyncio.gather(*posting)
        await victim.start()
    assert len(accepted) == len(set(accepted)) >= KILLS
    async with calling(victim.url, key) as client:
        kept: set[int] = set()
        path = "/v2/temporary-evse-statuses?activeOnly=false&limit=500"
        while path:
            page = await client.get(path)
            page.raise_for_status()
            kept |= {one["id"] for one in page.json()}
            path = page.links.get("next", {}).get("url", "")
    assert set(accepted) <= kept


async def test_windows_that_began_or_ended_while_the_service_was_dead_reach_the_partner_right(
    victim: ServingProcess, key: str
) -> None:
    over, begun, running, ahead = (f"DE*ABC*E{number}" for number in range(1, 5))
    secret = fresh_secret()
    receiver = AppReceiver(SystemClock(), secret)

    def shows(**expected: str) -> Callable[[], bool]:
        return lambda: receiver.shown == dict(zip((over, begun, running, ahead), expected.values(), strict=True))

    async with listening(receiver.app) as app, calling(victim.url, key) as client:

        async def plan(evse_id: str, begin: datetime, end: datetime) -> None:
            times = {"validFrom": rfc3339(begin), "validTo": rfc3339(end)}
            asked = {"evseId": evse_id, "temporaryStatus": "BLOCKED", **times}
            (await client.post("/v2/temporary-evse-statuses", json=asked)).raise_for_status()

        for one in (over, begun, running, ahead):
            await register(client, one)
        partner = {"name": "app", "channel": "driver_app", "configuration": {"url": f"{app}/webhook", "secret": secret}}
        (await client.post("/v2/partners", json=partner)).raise_for_status()
        now = SystemClock().now()
        await plan(running, now, now + HOUR)
        free, occupied = "AVAILABLE", "OCCUPIED"
        await until(shows(over=free, begun=free, running=occupied, ahead=free), lambda: receiver.shown)

        begin = SystemClock().now() + timedelta(seconds=1.5)
        end = begin + timedelta(seconds=0.5)
        await plan(over, begin, end)
        await plan(begun, begin, begin + HOUR)
        await plan(ahead, begin + HOUR, begin + 2 * HOUR)
        await asyncio.sleep(0.5)  # long enough for it to have gone back to waiting for them
        await victim.kill()
        assert SystemClock().now() < begin
        while SystemClock().now() < end:  # noqa: ASYNC110 - both pass while nobody is there
            await asyncio.sleep(0.02)
        await victim.start()
        restarted = len(receiver.received)
        await until(shows(over=free, begun=occupied, running=occupied, ahead=free), lambda: receiver.shown)
        await asyncio.sleep(1.8)  # longer than it takes to settle what was under way
        assert shows(over=free, begun=occupied, running=occupied, ahead=free)()

    # What was over before anybody could be told is never told; what goes on does not flicker.
    assert occupied not in {status for _, evse_id, status, _ in receiver.received if evse_id == over}
    assert free not in {status for _, evse_id, status, _ in receiver.received[restarted:] if evse_id == running}
    assert receiver.wrong == []


async def test_a_service_killed_in_the_middle_of_its_deliveries_finishes_them_when_it_is_back(
    victim: ServingProcess, key: str
) -> None:
    secret = fresh_secret()
    receiver = AppReceiver(SystemClock(), secret, delay=0.05)
    sites = [f"DE*ABC*E{number}" for number in range(40)]
    async with listening(receiver.app) as app, calling(victim.url, key) as client:
        await asyncio.gather(*(register(client, one) for one in sites))
        partner = {"name": "app", "channel": "driver_app", "configuration": {"url": f"{app}/webhook", "secret": secret}}
        (await client.post("/v2/partners", json=partner)).raise_for_status()
        await until(lambda: len(receiver.shown) >= 10, lambda: receiver.shown)
        items = [{"evseId": one, "status": "Charging"} for one in sites]
        (await client.post("/v2/actual-statuses", json=items)).raise_for_status()
        await asyncio.sleep(random.uniform(0, 0.1))
        await victim.kill()
        await victim.start()
        expected = dict.fromkeys(sites, "CHARGING")
        await until(lambda: receiver.shown == expected, lambda: receiver.shown)
        await asyncio.sleep(1.8)
        assert receiver.shown == expected
    assert receiver.wrong == []
