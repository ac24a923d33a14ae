"""A real service, killed for real (kill -9): what was accepted is kept, and partners end up with what is true."""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from app.channels.driver_app.settings import fresh_secret
from app.channels.driver_app.simulator import AppReceiver
from app.clock import SystemClock
from app.demo.listening import free_port, listening
from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.instant import rfc3339
from app.domain.principal import Role
from app.store import keys
from app.store.database import Database

KILLS = 2
CLIENTS = 8
HOUR = timedelta(hours=1)


class Victim:
    """`evse-status serve` in a process of its own, which can be killed and started again on the same database."""

    def __init__(self, database_url: str, log: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = log
        self._environment = os.environ | {
            "EVSE_STATUS_DATABASE_URL": database_url,
            "EVSE_STATUS_SECRET_KEY": Fernet.generate_key().decode("ascii"),
            # As by default, but in a hurry.
            "EVSE_STATUS_REQUEST_TIMEOUT": "PT0.4S",
            "EVSE_STATUS_LEASE": "PT1.3S",
            "EVSE_STATUS_SETTLE": "PT1.4S",
            "EVSE_STATUS_BACK_OFF_FIRST": "PT0.1S",
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        words = [sys.executable, "-m", "app.cli", "serve", "--port", self.url.rpartition(":")[2]]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*words, env=self._environment, stdout=log, stderr=log)
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client, asyncio.timeout(20):
            while True:
                assert self._process.returncode is None, self._log.read_text()
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/health/ready")).is_success:
                        return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def key(database_url: str) -> str:
    """An admin's API key."""
    key_id, key = new_key()
    at = SystemClock().now()
    made = ApiKey(id=key_id, name="crash", role=Role.ADMIN, digest=digest_of(key), created_by="test", created_at=at)
    database = Database(database_url)
    async with database.write() as connection:
        await keys.add(connection, made)
    await database.close()
    return key


@pytest.fixture
async def victim(database_url: str, tmp_path: Path) -> AsyncGenerator[Victim]:
    one = Victim(database_url, tmp_path / "serve.log")
    await one.start()
    yield one
    await one.kill()


@asynccontextmanager
async def calling(victim: Victim, key: str) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=victim.url, headers=headers, trust_env=False, timeout=10) as client:
        yield client


async def register(client: httpx.AsyncClient, evse_id: str) -> None:
    (await client.put(f"/v2/evses/{evse_id}", json={"deploymentState": "PRODUCTION"})).raise_for_status()
    (await client.put(f"/v2/evses/{evse_id}/actual-status", json={"status": "Available"})).raise_for_status()


async def until(holds: Callable[[], bool], what: Callable[[], Any]) -> None:
    try:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - a process elsewhere makes it hold
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"it never came to hold: {what()}")


async def test_whatever_was_answered_with_201_is_there_after_a_kill_at_any_moment(victim: Victim, key: str) -> None:
    accepted: list[int] = []

    async def posts() -> None:
        asked = {"evseId": "DE*ABC*E1", "temporaryStatus": "RESERVED"}
        async with calling(victim, key) as client:
            with contextlib.suppress(httpx.TransportError):
                while True:
                    answer = await client.post("/v2/temporary-evse-statuses", json=asked)
                    assert answer.status_code == 201, answer.text
                    accepted.append(answer.json()["id"])

    async with calling(victim, key) as client:
        await register(client, "DE*ABC*E1")
    for _ in range(KILLS):
        before = len(accepted)
        posting = [asyncio.create_task(posts()) for _ in range(CLIENTS)]
        await until(lambda known=before: len(accepted) > known, lambda: "not one was accepted")  # type: ignore[misc]
        await asyncio.sleep(random.uniform(0, 0.3))
        await victim.kill()
        await asyncio.gather(*posting)
        await victim.start()
    assert len(accepted) == len(set(accepted)) >= KILLS
    async with calling(victim, key) as client:
        kept: set[int] = set()
        path = "/v2/temporary-evse-statuses?activeOnly=false&limit=500"
        while path:
            page = await client.get(path)
            page.raise_for_status()
            kept |= {one["id"] for one in page.json()}
            path = page.links.get("next", {}).get("url", "")
    assert set(accepted) <= kept


async def test_windows_that_began_or_ended_while_the_service_was_dead_reach_the_partner_right(
    victim: Victim, key: str
) -> None:
    over, begun, running, ahead = (f"DE*ABC*E{number}" for number in range(1, 5))
    secret = fresh_secret()
    receiver = AppReceiver(SystemClock(), secret)

    def shows(**expected: str) -> Callable[[], bool]:
        return lambda: receiver.shown == dict(zip((over, begun, running, ahead), expected.values(), strict=True))

    async with listening(receiver.app) as app, calling(victim, key) as client:

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
    victim: Victim, key: str
) -> None:
    secret = fresh_secret()
    receiver = AppReceiver(SystemClock(), secret, delay=0.05)
    sites = [f"DE*ABC*E{number}" for number in range(40)]
    async with listening(receiver.app) as app, calling(victim, key) as client:
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
