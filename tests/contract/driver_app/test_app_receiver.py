import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
from standardwebhooks import Webhook

from app.channels.driver_app.mapping import ACTUAL, KIND, AppStatus
from app.channels.driver_app.simulator import AppReceiver
from app.channels.outcomes import Delivered, Refused
from app.demo.listening import listening
from app.domain.evse import Evse
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind
from tests.contract.driver_app.support import AT, OTHER_SECRET, SECRET, clock_at, connected, evse, notice

EVSE_ID = "DE*ABC*E1234*1"


async def test_every_row_of_the_tables_arrives_at_the_app() -> None:
    gone = dict.fromkeys(Gate, AppStatus.REMOVED)
    rows: list[tuple[What, AppStatus]] = [*KIND.items(), *ACTUAL.items(), *gone.items()]
    receiver = AppReceiver(clock_at(), SECRET)
    async with listening(receiver.app) as base, connected(f"{base}/webhook", clock_at()) as connection:
        for version, (what, shown) in enumerate(rows, start=1):
            message = connection.translate(notice(what, version, until=AT + timedelta(hours=1)))
            assert await connection.deliver(message) == Delivered("HTTP 204")
            assert message.said == shown
            assert receiver.shown == {EVSE_ID: shown}
            assert receiver.received[-1] == (AT, EVSE_ID, shown, version)
    assert receiver.wrong == []


async def test_a_partner_may_be_given_its_own_table() -> None:
    receiver = AppReceiver(clock_at(), SECRET)
    mapping = {"BLOCKED": "UNKNOWN", "actual.BLOCKED": "CHARGING"}
    async with (
        listening(receiver.app) as base,
        connected(f"{base}/webhook", clock_at(), mapping=mapping) as connection,
    ):
        said = [connection.translate(notice(what)).said for what in (Kind.BLOCKED, ActualStatus.BLOCKED, Kind.RESERVED)]
        assert said == ["UNKNOWN", "CHARGING", "OCCUPIED"]
        await connection.deliver(connection.translate(notice(Kind.BLOCKED)))
    assert receiver.shown == {EVSE_ID: "UNKNOWN"}


async def deliver_all(receiver: AppReceiver, *notices: Any) -> list[Any]:
    async with listening(receiver.app) as base, connected(f"{base}/webhook", clock_at()) as connection:
        return [await connection.deliver(connection.translate(one)) for one in notices]


async def test_a_repeat_is_fine_and_an_older_version_is_wrong_and_not_shown() -> None:
    receiver = AppReceiver(clock_at(), SECRET)
    await deliver_all(receiver, notice(Kind.BLOCKED, 2), notice(Kind.BLOCKED, 2), notice(ActualStatus.CHARGING, 1))
    assert receiver.wrong == [f"{EVSE_ID}: version 1 after 2"]
    assert receiver.shown == {EVSE_ID: "OCCUPIED"}
    assert [version for *_, version in receiver.received] == [2, 2, 1]


async def test_the_time_of_the_last_change_may_not_go_back_either() -> None:
    receiver = AppReceiver(clock_at(), SECRET)
    await deliver_all(receiver, notice(version=1), notice(version=2, last_updated=AT - timedelta(seconds=1)))
    assert receiver.wrong == [f"{EVSE_ID}: 2026-11-21T07:59:59.250Z after 2026-11-21T08:00:00.250Z"]


async def test_an_evse_that_was_removed_and_registered_anew_is_counted_anew() -> None:
    receiver = AppReceiver(clock_at(), SECRET)
    anew: Evse = evse(key=2)
    await deliver_all(receiver, notice(version=5), notice(Gate.REMOVED, 6), notice(version=1, about=anew))
    assert receiver.wrong == []
    assert receiver.shown == {EVSE_ID: "AVAILABLE"}


async def test_a_webhook_signed_with_another_secret_is_refused() -> None:
    receiver = AppReceiver(clock_at(), OTHER_SECRET)
    [outcome] = await deliver_all(receiver, notice())
    assert isinstance(outcome, Refused)
    assert receiver.wrong == ["no signature fits the secret and the body"]
    assert receiver.shown == {}


async def test_a_webhook_from_more_than_five_minutes_ago_is_refused_by_the_receivers_own_clock() -> None:
    receiver = AppReceiver(clock_at(AT + timedelta(minutes=5, seconds=1)), SECRET)
    [outcome] = await deliver_all(receiver, notice())
    assert isinstance(outcome, Refused)
    assert "too far" in receiver.wrong[0]


async def test_two_requests_at_once_about_one_evse_are_wrong_and_about_two_are_not() -> None:
    receiver = AppReceiver(clock_at(), SECRET, delay=0.2)
    other = notice(about=evse("DE*ABC*E1234*2", key=2))
    async with listening(receiver.app) as base, connected(f"{base}/webhook", clock_at()) as connection:
        first = asyncio.create_task(connection.deliver(connection.translate(notice(version=1))))
        while not receiver.received:  # noqa: ASYNC110 - a receiver tells nobody
            await asyncio.sleep(0.005)
        await asyncio.gather(
            connection.deliver(connection.translate(notice(version=2))), connection.deliver(connection.translate(other))
        )
        await first
    assert receiver.wrong == [f"{EVSE_ID}: two requests at once"]


def event(**changed: Any) -> dict[str, Any]:
    data = {"evseId": EVSE_ID, "status": "AVAILABLE", "temporaryStatus": None, "until": None, "version": 1}
    time = "2026-11-21T08:00:00.250Z"
    whole = {
        "specversion": "1.0",
        "id": "a",
        "source": "/s",
        "type": "evse.status.presented",
        "subject": EVSE_ID,
        "time": time,
        "datacontenttype": "application/json",
        "data": data | {"lastUpdated": time} | changed.pop("data", {}),
    }
    return {key: value for key, value in (whole | changed).items() if value is not ...}


NOT_OURS = [
    (event(specversion="0.3"), "specversion"),
    (event(specversion=...), "specversion"),
    (event(extra=1), "extra"),
    (event(id="b"), "webhook-id"),
    (event(type="evse.status"), "type"),
    (event(subject="DE*ABC*E1234*2"), "subject"),
    (event(time="2026-11-21T08:00:00+00:00"), "time"),
    (event(data={"status": "INOPERATIVE"}), "status"),
    (event(data={"temporaryStatus": "CLOSED"}), "temporaryStatus"),
    (event(data={"version": 0}), "version"),
    (event(data={"until": "tomorrow"}), "until"),
    (event(data={"reason": "x"}), "reason"),
    (event(data={"status": "REMOVED", "temporaryStatus": "BLOCKED"}), "removed"),
]


async def test_the_receiver_refuses_events_that_are_not_exactly_ours() -> None:
    receiver = AppReceiver(clock_at(), SECRET)
    async with listening(receiver.app) as base, httpx.AsyncClient(trust_env=False) as client:

        async def post(body: dict[str, Any]) -> int:
            text = json.dumps(body)
            headers = {
                "content-type": "application/cloudevents+json",
                "webhook-id": "a",
                "webhook-timestamp": str(int(AT.timestamp())),
                "webhook-signature": Webhook(SECRET).sign("a", AT, text),
            }
            return (await client.post(f"{base}/webhook", content=text, headers=headers)).status_code

        assert await post(event()) == 204
        for body, complaint in NOT_OURS:
            assert await post(body) == 400
            assert complaint in receiver.wrong[-1]
    assert len(receiver.wrong) == len(NOT_OURS)
