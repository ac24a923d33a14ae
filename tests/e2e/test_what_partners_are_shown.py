"""Both tables of the design, row by row, through the running service and over real sockets to all three partners."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack

import httpx
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.clock import SystemClock
from app.demo.audience import OPERATOR, Audience
from app.demo.listening import listening
from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.principal import Role
from app.main import create_app
from app.service import Service
from app.settings import Settings
from app.store import keys

# Written out once more, as the design has it: what the code's own tables say is what is under test.
TEMPORARY = {
    "MAINTENANCE": ("OUT_OF_SERVICE", "OutOfService", "INOPERATIVE"),
    "COMMISSIONING": ("OUT_OF_SERVICE", "OutOfService", "PLANNED"),
    "BLOCKED": ("OCCUPIED", "Occupied", "BLOCKED"),
    "RESERVED": ("OCCUPIED", "Reserved", "RESERVED"),
}
ACTUAL = {
    "Available": ("AVAILABLE", "Available", "AVAILABLE"),
    "Preparing": ("CHARGING", "Occupied", "CHARGING"),
    "Charging": ("CHARGING", "Occupied", "CHARGING"),
    "SuspendedEV": ("CHARGING", "Occupied", "CHARGING"),
    "SuspendedEVSE": ("CHARGING", "Occupied", "CHARGING"),
    "Finishing": ("CHARGING", "Occupied", "CHARGING"),
    "Occupied": ("OCCUPIED", "Occupied", "BLOCKED"),
    "Reserved": ("OCCUPIED", "Reserved", "RESERVED"),
    "Unavailable": ("OUT_OF_SERVICE", "OutOfService", "INOPERATIVE"),
    "Faulted": ("OUT_OF_SERVICE", "OutOfService", "OUTOFORDER"),
    "AVAILABLE": ("AVAILABLE", "Available", "AVAILABLE"),
    "CHARGING": ("CHARGING", "Occupied", "CHARGING"),
    "BLOCKED": ("OCCUPIED", "Occupied", "BLOCKED"),
    "RESERVED": ("OCCUPIED", "Reserved", "RESERVED"),
    "INOPERATIVE": ("OUT_OF_SERVICE", "OutOfService", "INOPERATIVE"),
    "OUTOFORDER": ("OUT_OF_SERVICE", "OutOfService", "OUTOFORDER"),
    "PLANNED": ("OUT_OF_SERVICE", "OutOfService", "PLANNED"),
    "UNKNOWN": ("UNKNOWN", "Unknown", "UNKNOWN"),
}
AVAILABLE = ACTUAL["Available"]
SITE = "SITE1"


class Running:
    """A service on a socket, its API, and the partners who listen."""

    def __init__(self, api: httpx.AsyncClient, audience: Audience) -> None:
        self.api = api
        self.audience = audience

    async def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        answer = await self.api.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer

    async def add_partners(self) -> None:
        for partner in self.audience.partners():
            await self.call("POST", "/v2/partners", partner)

    async def register(self, evse_id: str, status: str | None = None) -> None:
        fields = {"deploymentState": "PRODUCTION", "locationId": SITE, "uid": uid(evse_id)}
        await self.call("PUT", f"/v2/evses/{evse_id}", fields)
        if status is not None:
            await self.call("PUT", f"/v2/evses/{evse_id}/actual-status", {"status": status})

    async def until_shown(self, expected: Mapping[str, tuple[str | None, ...]]) -> None:
        """Wait until app, hub and eMSP show what is expected; fail with the difference."""

        def differences() -> list[str]:
            shown = self.audience.shown()
            seen = {one: tuple(shown[name].get(one) for name in ("app", "hub", "emsp")) for one in expected}
            return [f"{one}: {seen[one]}, not {must}" for one, must in expected.items() if seen[one] != must]

        await eventually(lambda: not differences(), differences)
        assert self.audience.objections() == {"app": [], "hub": [], "emsp": []}


def uid(evse_id: str) -> str:
    return evse_id.replace("*", "-")


async def eventually(reached: Callable[[], bool], explain: Callable[[], object], seconds: float = 20) -> None:
    for _ in range(int(seconds / 0.05)):
        if reached():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"not within {seconds} s: {explain()}")


def evse_id(number: int) -> str:
    return f"{OPERATOR}*E{number}*1"


@pytest.fixture
async def running(database_url: str) -> AsyncGenerator[Running]:
    clock = SystemClock()
    audience = Audience(clock, {f"{SITE}/{uid(evse_id(number))}": evse_id(number) for number in range(200)})
    service = Service(Settings(database_url=database_url, secret_key=SecretStr(Fernet.generate_key().decode())))
    async with AsyncExitStack() as stack:
        for name in ("app", "hub", "emsp"):
            await audience.arrive(name)
        stack.push_async_callback(audience.close)
        url = await stack.enter_async_context(listening(create_app(service)))
        key_id, key = new_key()
        stored = ApiKey(
            id=key_id,
            name="test",
            role=Role.ADMIN,
            digest=digest_of(key),
            created_by="test",
            created_at=clock.now(),
        )
        async with service.database.write() as connection:
            await keys.add(connection, stored)
        headers = {"Authorization": f"Bearer {key}"}
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=10))
        yield Running(api, audience)


async def test_every_row_of_both_tables_reaches_every_partner(running: Running):
    await running.add_partners()
    expected: dict[str, tuple[str | None, ...]] = {}
    for number, (kind, shows) in enumerate(TEMPORARY.items(), start=1):
        await running.register(evse_id(number), "Charging")
        body = {"evseId": evse_id(number), "temporaryStatus": kind}
        await running.call("POST", "/v2/temporary-evse-statuses", body)
        expected[evse_id(number)] = shows
    for number, (word, shows) in enumerate(ACTUAL.items(), start=100):
        await running.register(evse_id(number), word)
        expected[evse_id(number)] = shows
    await running.register(evse_id(190))
    expected[evse_id(190)] = ("UNKNOWN", "Unknown", "UNKNOWN")

    await running.until_shown(expected)

    for one, must in expected.items():
        presented = (await running.call("GET", f"/v2/evses/{one}")).json()["presented"]
        assert tuple(presented[channel]["status"] for channel in ("driverApp", "oicp", "ocpi")) == must


async def test_an_evse_in_stock_is_mentioned_to_nobody_whatever_is_planned_for_it(running: Running):
    await running.add_partners()
    await running.call("PUT", f"/v2/evses/{evse_id(1)}", {"locationId": SITE, "uid": uid(evse_id(1))})
    body = {"evseId": evse_id(1), "temporaryStatus": "MAINTENANCE"}
    made = (await running.call("POST", "/v2/temporary-evse-statuses", body)).json()
    await running.register(evse_id(2), "Available")
    await running.until_shown({evse_id(2): AVAILABLE})

    assert {one.evse_id for one in running.audience.heard()} == {evse_id(2)}
    assert {one["status"] for one in made["shown"].values()} == {None}

    await running.register(evse_id(1))
    await running.until_shown({evse_id(1): TEMPORARY["MAINTENANCE"]})


@pytest.mark.parametrize("state", ["DEPRECATED", "STOCK"])
async def test_leaving_production_is_told_to_all_it_was_shared_with_and_coming_back_too(running: Running, state: str):
    await running.add_partners()
    await running.register(evse_id(1), "Available")
    await running.until_shown({evse_id(1): AVAILABLE})

    await running.call("PUT", f"/v2/evses/{evse_id(1)}", {"deploymentState": state})
    await running.until_shown({evse_id(1): ("REMOVED", None, "REMOVED")})

    await running.register(evse_id(1))
    await running.until_shown({evse_id(1): AVAILABLE})


async def test_a_new_partner_is_told_what_its_channel_says(running: Running):
    await running.register(evse_id(1), "Available")
    app, hub, emsp = running.audience.partners()
    emsp["configuration"]["initialPush"] = False
    # A change may be noticed a moment after it was made. Once the app shows it, it is none to those who are added then.
    await running.call("POST", "/v2/partners", app)
    await running.until_shown({evse_id(1): ("AVAILABLE", None, None)})
    for partner in (hub, emsp):
        await running.call("POST", "/v2/partners", partner)
    await running.register(evse_id(2), "Available")  # told by when they were introduced, too

    await running.until_shown({evse_id(2): AVAILABLE, evse_id(1): ("AVAILABLE", None, None)})
    await running.call("PUT", f"/v2/evses/{evse_id(1)}/actual-status", {"status": "Charging"})
    await running.until_shown({evse_id(1): ACTUAL["Charging"]})
