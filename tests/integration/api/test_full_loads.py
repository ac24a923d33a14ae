"""Asking for everything at a partner to be replaced, and looking at how that went."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.channels.oicp.simulator import Hub
from app.clock import SystemClock
from app.demo.listening import listening
from tests.clock import FrozenClock
from tests.integration.api.calls import PARTNERS, Client, get, good, refusal

HUB = f"{PARTNERS}/hub/full-load"


async def add(admin: Client, url: str, **more: Any) -> None:
    configuration = {"baseUrl": url, "operatorId": "DE*ABC", **more}
    good(await admin.post(PARTNERS, json={"name": "hub", "channel": "oicp", "configuration": configuration}))


async def test_one_that_is_asked_for_is_made_and_told_of(admin: Client, clock: FrozenClock) -> None:
    hub = Hub(SystemClock())
    good(await admin.put("/v2/evses/DE*ABC*E1", json={"deploymentState": "PRODUCTION"}))
    async with listening(hub.app) as url:
        await add(admin, url, ownsAllStatuses=True, fullLoadAt="03:30", timeZone="Europe/Berlin")
        asked = await admin.post(HUB, json={})
        assert asked.status_code == 202
        assert asked.json()["askedAt"] is not None
        async with asyncio.timeout(30):
            while (told := await get(admin, HUB))["acceptedAt"] is None:
                clock.advance(timedelta(seconds=0.1))  # a lane looks once a second
                await asyncio.sleep(0.02)
        assert told | {"acceptedAt": ""} == {
            "daily": "03:30 Europe/Berlin",
            "askedAt": None,
            "force": False,
            "underWay": False,
            "acceptedAt": "",
            "acceptedCount": 1,
            "doubtfulUntil": None,
            "nextAt": "2026-03-02T02:30:00.000Z",
            "lastError": None,
        }
    assert hub.shown == {"DE*ABC*E1": "Unknown"}
    assert "fullLoad" in {one.action for one in hub.received}


@pytest.mark.parametrize("more", [{}, {"ownsAllStatuses": False}])
async def test_where_others_push_too_it_is_refused(admin: Client, more: dict[str, Any]) -> None:
    await add(admin, "http://127.0.0.1:9", **more)
    assert (await get(admin, HUB))["daily"] is None
    problem = refusal(await admin.post(HUB, json={}), 409, "not-ours-to-replace")
    assert "ownsAllStatuses" in problem["detail"]


async def test_a_partner_of_another_kind_has_none(admin: Client) -> None:
    app = {"name": "hub", "channel": "driver_app", "configuration": {"url": "http://127.0.0.1:9/hook"}}
    good(await admin.post(PARTNERS, json=app))
    assert (await get(admin, HUB))["daily"] is None
    refusal(await admin.post(HUB, json={"force": True}), 409, "not-ours-to-replace")


async def test_a_partner_that_is_not_there_has_none(admin: Client) -> None:
    refusal(await admin.get(HUB), 404, "partner-not-found")
    refusal(await admin.post(HUB, json={}), 404, "partner-not-found")


async def test_only_those_who_run_the_service_may(admin: Client, sensor: Client) -> None:
    await add(admin, "http://127.0.0.1:9", ownsAllStatuses=True)
    refusal(await sensor.get(HUB), 403, "forbidden")
    refusal(await sensor.post(HUB, json={}), 403, "forbidden")
