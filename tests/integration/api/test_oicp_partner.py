"""Hubject as a partner, seen through the API: with a simulated Hubject that really listens."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.simulator import Hub
from app.demo.listening import listening
from tests.integration.api.calls import EVSE, PARTNERS, Client, eventually, get, good, register
from tests.integration.api.test_deliveries import TickingClock

HUB = f"{PARTNERS}/hubject"


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
async def hub(admin: Client, clock: TickingClock) -> AsyncGenerator[Hub]:
    """A Hubject that is told of one EVSE; the partner is called `hubject`."""
    hub = Hub(clock)
    await register(admin)
    async with listening(hub.app) as url:
        configuration = {"baseUrl": url, "operatorId": "DE*ABC"}
        good(await admin.post(PARTNERS, json={"name": "hubject", "channel": "oicp", "configuration": configuration}))
        good(await admin.post(f"{HUB}/resend", json={}))
        yield hub
        good(await admin.patch(HUB, json={"paused": True}))
    assert hub.wrong == []


async def attempts(admin: Client) -> list[dict[str, Any]]:
    async def any_yet() -> Any:
        return await get(admin, f"{HUB}/attempts")

    found: list[dict[str, Any]] = await eventually(any_yet)
    return found


async def test_hubjects_number_of_the_request_is_told_with_the_attempt(admin: Client, hub: Hub) -> None:
    attempt, *_ = await attempts(admin)
    assert (attempt["evseId"], attempt["outcome"]) == (EVSE, "Delivered")
    assert len(attempt["reference"]) == 36
    assert attempt["answer"] == f"success; Process-ID {attempt['reference']}"


async def test_what_will_soon_keep_hubject_from_being_told_is_shown(
    admin: Client, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await get(admin, HUB))["concerns"] == []
    runs_out = "The client certificate runs out in 3 days."
    monkeypatch.setattr(OicpChannel, "concerns", lambda _self, _partner, _at: [runs_out])
    assert (await get(admin, HUB))["concerns"] == [runs_out]
    assert [one["concerns"] for one in await get(admin, PARTNERS)] == [[runs_out]]
