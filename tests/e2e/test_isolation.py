"""One partner's trouble is its own: the others are told as soon as they were before."""

import asyncio
import statistics
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import httpx
import msgspec
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.channels.oicp.hub_rules import acknowledged
from app.clock import SystemClock
from app.demo.audience import OPERATOR, SECRET, TOKEN, Audience
from app.demo.listening import listening
from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.principal import Role
from app.main import create_app
from app.service import Service
from app.settings import Settings
from app.store import keys
from tests.e2e.troubled import Trouble, Troubled

EVSES: Final = 33  #: more than any partner has requests under way at once, so that one that hangs is full
PROBES: Final = 16
EVSE_IDS: Final = [f"{OPERATOR}*E{number}*1" for number in range(EVSES)]
HEALTHY: Final = ("app", "hub", "emsp")
#: What these three show when a charger says a word, or nothing yet.
SHOWN: Final = {
    None: ("UNKNOWN", "Unknown", "UNKNOWN"),
    "Available": ("AVAILABLE", "Available", "AVAILABLE"),
    "Charging": ("CHARGING", "Occupied", "CHARGING"),
}
#: Seconds that a partner which hangs is waited for. Whoever had to wait for it, too, would be told no sooner.
PATIENCE: Final = 60.0
RATIO: Final = 5
#: Or this many seconds, for the median and for the worst: a busy machine may need them, and waits for nobody yet.
FLOORS: Final[Sequence[tuple[Callable[[list[float]], float], float]]] = ((statistics.median, 0.5), (max, 5.0))

_CLOCK: Final = SystemClock()
_HUB_SAYS: Final = msgspec.json.encode(acknowledged())
_EMSP_SAYS: Final = msgspec.json.encode({"status_code": 1000, "timestamp": "2026-03-01T08:00:00Z"})
#: Who gets into which trouble: every kind once at an app, and the worst of them at the other channels too.
TROUBLES: Final[dict[str, tuple[str, Trouble, bytes]]] = {
    "hanging": ("driver_app", "hangs", b"{}"),
    "refusing": ("driver_app", "refuses", b"{}"),
    "failing": ("driver_app", "fails", b"{}"),
    "babbling": ("driver_app", "answers garbage", b"{}"),
    "distrusting": ("driver_app", "distrusts", b"{}"),
    "hanging-hub": ("oicp", "hangs", _HUB_SAYS),
    "hanging-emsp": ("ocpi", "hangs", _EMSP_SAYS),
}


class Running:
    """A service on a socket, three partners who are always well, and those who get into trouble."""

    def __init__(self, api: httpx.AsyncClient, audience: Audience, troubled: dict[str, Troubled]) -> None:
        self.api = api
        self.audience = audience
        self.troubled = troubled

    async def call(self, method: str, path: str, body: object) -> None:
        answer = await self.api.request(method, path, json=body)
        assert answer.is_success, answer.text

    async def prepare(self) -> None:
        for partner in [*self.audience.partners(), *map(self._configured, self.troubled)]:
            await self.call("POST", "/v2/partners", partner)
        fields = {"deploymentState": "PRODUCTION", "locationId": "SITE1"}
        for one in EVSE_IDS:
            await self.call("PUT", f"/v2/evses/{one}", fields | {"uid": one.replace("*", "-")})
        await self._until_shown(EVSE_IDS, None)

    async def everything_changes(self, word: str) -> None:
        """Have every charger say `word` at once, and wait until the healthy partners have it."""
        for evse_id in EVSE_IDS:
            await self._report(evse_id, word)
        await self._until_shown(EVSE_IDS, word)

    async def delays(self, word: str) -> dict[str, list[float]]:
        """Have one charger after the other say `word`, and give the seconds until each healthy partner had it."""
        delays: dict[str, list[float]] = {name: [] for name in HEALTHY}
        for evse_id in EVSE_IDS[:PROBES]:
            changed = _CLOCK.now()
            await self._report(evse_id, word)
            await self._until_shown([evse_id], word)
            last = {heard.partner: heard.at for heard in self.audience.heard() if heard.evse_id == evse_id}
            for name in HEALTHY:
                delays[name].append((last[name] - changed).total_seconds())
        return delays

    async def _report(self, evse_id: str, word: str) -> None:
        await self.call("PUT", f"/v2/evses/{evse_id}/actual-status", {"status": word})

    async def _until_shown(self, evse_ids: Sequence[str], word: str | None) -> None:
        expected = dict(zip(HEALTHY, SHOWN[word], strict=True))
        async with asyncio.timeout(PATIENCE):
            while True:
                shown = self.audience.shown()
                if all(shown[name].get(one) == status for name, status in expected.items() for one in evse_ids):
                    return
                await asyncio.sleep(0.005)

    def _configured(self, name: str) -> dict[str, Any]:
        channel, _, _ = TROUBLES[name]
        url = self.troubled[name].url
        configurations: dict[str, dict[str, Any]] = {
            "driver_app": {"url": f"{url}/webhook", "secret": SECRET},
            "oicp": {"baseUrl": url, "operatorId": OPERATOR},
            "ocpi": {"url": f"{url}/ocpi", "token": TOKEN, "countryCode": "DE", "partyId": "EMS", "initialPush": True},
        }
        return {"name": name, "channel": channel, "configuration": configurations[channel]}


@pytest.fixture
async def running(database_url: str) -> AsyncGenerator[Running]:
    audience = Audience(_CLOCK, {f"SITE1/{one.replace('*', '-')}": one for one in EVSE_IDS})
    troubled = {name: Troubled(well) for name, (_, _, well) in TROUBLES.items()}
    service = Service(
        Settings(
            database_url=database_url,
            secret_key=SecretStr(Fernet.generate_key().decode()),
            request_timeout=timedelta(seconds=PATIENCE),
            lease=timedelta(seconds=4 * PATIENCE),
            settle=timedelta(seconds=5 * PATIENCE),
            # In a hurry, so that those in trouble are asked again and again all the while.
            back_off_first=timedelta(seconds=0.1),
            back_off_longest=timedelta(seconds=0.3),
        )
    )
    async with AsyncExitStack() as stack:
        for name in HEALTHY:
            await audience.arrive(name)
        stack.push_async_callback(audience.close)
        url = await stack.enter_async_context(listening(create_app(service)))
        for one in troubled.values():
            await one.arrive()
            stack.push_async_callback(one.leave)  # before the service stops, or it would wait for those that hang
        key_id, key = new_key()
        at = _CLOCK.now()
        admin = ApiKey(id=key_id, name="test", role=Role.ADMIN, digest=digest_of(key), created_by="test", created_at=at)
        async with service.database.write() as connection:
            await keys.add(connection, admin)
        headers = {"Authorization": f"Bearer {key}"}
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=60))
        yield Running(api, audience, troubled)


@pytest.mark.timeout(300)
async def test_partners_that_hang_refuse_fail_or_babble_leave_the_others_as_fast_as_they_were(running: Running) -> None:
    await running.prepare()
    before = await running.delays("Available")

    began = _CLOCK.monotonic()
    asked = {name: one.asked for name, one in running.troubled.items()}
    for name, (_, trouble, _) in TROUBLES.items():
        await running.troubled[name].get_into(trouble)
    await running.everything_changes("Charging")
    after = await running.delays("Available")

    assert _CLOCK.monotonic() - began < PATIENCE, "so late that the service had given up those that hang"
    # Nobody is as fast for want of trouble: all but those who refuse to be asked were asked in vain.
    assert {name for name, one in running.troubled.items() if one.asked == asked[name]} == {"refusing"}
    for name in HEALTHY:
        for measure, floor in FLOORS:
            usual, troubled = measure(before[name]), measure(after[name])
            assert troubled <= max(RATIO * usual, floor), f"{name}: {troubled} s, where {usual} s are usual"
