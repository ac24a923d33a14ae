"""What a partner is owed, what it acknowledged, and what was said to it: with an app that really listens."""

import time
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.channels.driver_app.settings import fresh_secret
from app.channels.driver_app.simulator import AppReceiver
from app.demo.listening import listening
from tests.clock import START
from tests.integration.api.calls import EVSE, PARTNERS, Client, eventually, get, good, plan, refusal, register

APP = f"{PARTNERS}/app"
SINCE = "2026-03-01T08:00:00.000Z"


class TickingClock:
    """Goes on from where the other clocks of the tests stand: what is put off for a moment needs moments to pass."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        return START + timedelta(milliseconds=int(self.monotonic() * 1000))

    def monotonic(self) -> float:
        return time.monotonic() - self._began


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
async def receiver(admin: Client, clock: TickingClock) -> AsyncGenerator[AppReceiver]:
    """A driver app that is told of the fleet; the partner is called `app`."""
    secret = fresh_secret()
    receiver = AppReceiver(clock, secret)
    async with listening(receiver.app) as url:
        configuration = {"url": f"{url}/webhook", "secret": secret}
        good(await admin.post(PARTNERS, json={"name": "app", "channel": "driver_app", "configuration": configuration}))
        yield receiver
        good(await admin.patch(APP, json={"paused": True}))
    assert receiver.wrong == []


async def until_nothing_is_owed(admin: Client, shared: int) -> Any:
    async def settled() -> Any:
        partner = await get(admin, APP)
        return partner if (partner["shared"], partner["owed"]) == (shared, 0) else None

    return await eventually(settled)


async def until_shown(receiver: AppReceiver, status: str) -> None:
    async def shown() -> bool:
        return receiver.shown.get(EVSE) == status

    await eventually(shown)


async def test_what_was_acknowledged_is_told_with_the_partners_own_words(
    admin: Client, sensor: Client, receiver: AppReceiver
) -> None:
    await register(admin)
    await until_nothing_is_owed(admin, shared=1)
    await plan(sensor, EVSE, "MAINTENANCE")
    await until_shown(receiver, "OUT_OF_SERVICE")
    partner = await until_nothing_is_owed(admin, shared=1)

    assert partner["lastSuccessAt"] >= SINCE
    assert (partner["failures"], partner["lastError"]) == (0, None)
    assert await get(admin, f"{APP}/deliveries") == [], "nothing is owed"
    [delivery] = await get(admin, f"{APP}/deliveries", owedOnly="false")
    assert (delivery["evseId"], delivery["aspect"]) == (EVSE, "status")
    assert delivery["acked"] == delivery["want"]
    assert delivery["ackedAt"] >= SINCE
    assert (delivery["inFlight"], delivery["suspect"], delivery["rejected"]) == (False, False, False)
    newest, *older = await get(admin, f"{APP}/attempts")
    assert (newest["evseId"], newest["said"], newest["outcome"]) == (EVSE, "OUT_OF_SERVICE", "Delivered")
    assert newest["version"] == delivery["acked"]
    assert older
    assert len(await get(admin, f"{APP}/attempts", limit=1)) == 1


async def test_one_evse_is_told_again_when_asked_for(admin: Client, receiver: AppReceiver) -> None:
    await register(admin)
    await register(admin, "DE*ABC*E2")
    await until_nothing_is_owed(admin, shared=2)
    said = len(receiver.received)
    good(await admin.post(f"{APP}/resend", json={"evseId": "deabce2"}))

    async def told_again() -> bool:
        return len(receiver.received) > said

    await eventually(told_again)
    assert [evse_id for _, evse_id, _, _ in receiver.received[said:]] == ["DE*ABC*E2"]


async def test_only_what_is_shared_can_be_told_again(admin: Client, receiver: AppReceiver) -> None:
    await register(admin, deploymentState="STOCK")
    answer = await admin.post(f"{APP}/resend", json={"evseId": EVSE})
    refusal(answer, 404, "evse-not-found", pointer="/evseId")
    answer = await admin.post(f"{APP}/resend", json={"evseId": "DE*ABC*E404"})
    refusal(answer, 404, "evse-not-found", pointer="/evseId")


async def test_what_a_paused_partner_is_owed_is_listed_in_pages_and_sent_when_it_goes_on(
    admin: Client, receiver: AppReceiver
) -> None:
    good(await admin.patch(APP, json={"paused": True}))
    evse_ids = [f"DE*ABC*E{number}" for number in range(5)]
    for evse_id in evse_ids:
        await register(admin, evse_id)

    async def all_owed() -> bool:
        return bool((await get(admin, APP))["owed"] == 5)

    await eventually(all_owed)
    assert receiver.received == []

    answer = await admin.get(f"{APP}/deliveries", params={"limit": 2})
    pages = [[one["evseId"] for one in good(answer)]]
    while "next" in answer.links:
        answer = await admin.get(answer.links["next"]["url"])
        pages.append([one["evseId"] for one in good(answer)])
    assert pages == [evse_ids[:2], evse_ids[2:4], evse_ids[4:]]

    good(await admin.patch(APP, json={"paused": False}))
    await until_nothing_is_owed(admin, shared=5)
    assert sorted(evse_id for _, evse_id, _, _ in receiver.received) == evse_ids


async def test_a_partner_that_is_away_is_held_back_and_it_is_said_why(admin: Client, receiver: AppReceiver) -> None:
    receiver.fault = "500"
    await register(admin)

    async def failed() -> Any:
        partner = await get(admin, APP)
        return partner if partner["failures"] else None

    partner = await eventually(failed)
    assert (partner["owed"], partner["suspect"]) == (1, 1), "perhaps it was applied"
    assert "500" in partner["lastError"]
    assert partner["holdUntil"] > SINCE
    attempt, *_ = await get(admin, f"{APP}/attempts")
    assert attempt["outcome"] == "Unknown"
    assert "500" in attempt["answer"]
    [delivery] = await get(admin, f"{APP}/deliveries")
    assert (delivery["acked"], delivery["suspect"]) == (None, True)

    receiver.fault = None
    mended = good(await admin.patch(APP, json={}))
    assert (mended["failures"], mended["holdUntil"]) == (0, None), "whoever touches a partner has mended something"
    await until_shown(receiver, "UNKNOWN")


@pytest.mark.usefixtures("receiver")
async def test_a_query_that_cannot_be_read_is_named(admin: Client, subtests: pytest.Subtests) -> None:
    for path, parameter, value in (
        ("deliveries", "limit", "0"),
        ("deliveries", "owedOnly", "perhaps"),
        ("deliveries", "cursor", "nonsense"),
        ("attempts", "limit", "201"),
    ):
        with subtests.test(f"{path} {parameter}"):
            refusal(await admin.get(f"{APP}/{path}", params={parameter: value}), 400, parameter=parameter)


async def test_how_long_news_take_is_told_and_what_was_never_news_does_not_count(
    admin: Client, receiver: AppReceiver
) -> None:
    await register(admin)
    await until_shown(receiver, "UNKNOWN")
    partner = await until_nothing_is_owed(admin, shared=1)
    assert partner["delay"]["of"] == 0, "it was new to the partner, not news"
    assert (partner["state"], partner["acknowledged"], partner["waitingSince"]) == ("good", 1, None)

    receiver._delay = 0.2
    await plan(admin)
    await until_shown(receiver, "OCCUPIED")
    partner = await until_nothing_is_owed(admin, shared=1)
    delay = partner["delay"]
    assert delay["of"] == 1
    assert 200 <= delay["medianMs"] == delay["p99Ms"] == delay["longestMs"] < 10_000
    receiver._delay = 0
    good(await admin.post(f"{APP}/resend", json={}))
    await until_nothing_is_owed(admin, shared=1)
    assert (await get(admin, APP))["delay"]["of"] == 1


async def test_since_when_a_partner_waits_for_the_oldest_news(admin: Client, receiver: AppReceiver) -> None:
    await register(admin)
    await until_shown(receiver, "UNKNOWN")
    await until_nothing_is_owed(admin, shared=1)
    good(await admin.patch(APP, json={"paused": True}))
    await plan(admin)

    async def waiting() -> Any:
        partner = await get(admin, APP)
        return partner if partner["waitingSince"] and partner["owed"] else None

    partner = await eventually(waiting)
    assert (partner["state"], partner["owed"], partner["acknowledged"]) == ("paused", 1, 0)
    again = await get(admin, APP)
    assert again["waitingSince"] == partner["waitingSince"], "looking changes nothing"
    good(await admin.patch(APP, json={"paused": False}))
    assert (await until_nothing_is_owed(admin, shared=1))["waitingSince"] is None


@pytest.mark.parametrize(("fault", "state"), [("410", "refusing"), ("429", "failing")])
async def test_a_refusal_of_us_is_told_from_a_failure(
    admin: Client, receiver: AppReceiver, fault: Any, state: str
) -> None:
    receiver.fault = fault
    for number in range(3):
        await register(admin, f"DE*ABC*E{number}")

    async def failed() -> Any:
        partner = await get(admin, APP)
        return partner if partner["failures"] else None

    partner = await eventually(failed)
    assert (partner["state"], partner["failures"], partner["parked"]) == (state, 1, 0), "the partner, not each EVSE"
    receiver.fault = None
    assert good(await admin.patch(APP, json={}))["state"] == "good"
    await until_nothing_is_owed(admin, shared=3)
