"""Ending temporary statuses, by id and by EVSE."""

from datetime import timedelta

import pytest

from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, EVSES, STATUSES, Client, get, good, ids, plan, refusal, register


@pytest.fixture(autouse=True)
async def _evse(admin: Client) -> None:
    await register(admin)


async def end_on_evse(client: Client, **query: str) -> list[int]:
    return ids(good(await client.delete(STATUSES, params={"evseId": EVSE, **query})))


async def test_ending_takes_effect_at_once_and_is_told(sensor: Client, clock: FrozenClock) -> None:
    one = await plan(sensor)
    clock.advance(timedelta(minutes=5))

    answer = await sensor.delete(f"{STATUSES}/{one['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    ended = await get(sensor, f"{STATUSES}/{one['id']}")
    assert ended["state"] == "ended"
    assert ended["endedAt"] == "2026-03-01T08:05:00.000Z"
    assert ended["endedBy"] == one["createdBy"]
    assert ended["validTo"] is None, "as it was asked for"
    assert (await get(sensor, f"{EVSES}/{EVSE}"))["presented"]["driverApp"]["status"] == "UNKNOWN"


async def test_ending_again_changes_nothing(sensor: Client, clock: FrozenClock) -> None:
    address = f"{STATUSES}/{(await plan(sensor))['id']}"
    await sensor.delete(address)
    ended = await get(sensor, address)
    clock.advance(timedelta(hours=1))
    assert (await sensor.delete(address)).status_code == 204
    assert await get(sensor, address) == ended


async def test_a_planned_one_never_begins(booking: Client, clock: FrozenClock) -> None:
    one = await plan(booking, EVSE, "RESERVED", validFrom="2026-03-01T09:00:00Z")
    await booking.delete(f"{STATUSES}/{one['id']}")
    clock.advance(timedelta(hours=2))
    assert (await get(booking, f"{EVSES}/{EVSE}"))["presented"]["oicp"]["status"] == "Unknown"


async def test_anothers_status_looks_as_if_it_did_not_exist(admin: Client, sensor: Client, booking: Client) -> None:
    address = f"{STATUSES}/{(await plan(booking))['id']}"
    refusal(await sensor.delete(address), 404, "temporary-status-not-found")
    assert (await get(booking, address))["state"] == "active"
    assert (await admin.delete(address)).status_code == 204
    refusal(await admin.delete(f"{STATUSES}/4711"), 404, "temporary-status-not-found")


async def test_by_evse_only_what_is_in_effect_now_and_was_made_with_this_key(sensor: Client, booking: Client) -> None:
    mine = await plan(sensor)
    planned = await plan(sensor, validFrom="2026-03-02T00:00:00Z")
    theirs = await plan(booking)
    assert await end_on_evse(sensor) == [mine["id"]]
    assert ids(await get(sensor, STATUSES, activeOnly="false", state="ended")) == [mine["id"]]
    assert (await get(sensor, f"{STATUSES}/{planned['id']}"))["state"] == "planned"
    assert (await get(booking, f"{STATUSES}/{theirs['id']}"))["state"] == "active"


async def test_by_evse_the_answer_tells_what_was_ended(sensor: Client) -> None:
    await plan(sensor)
    ended = good(await sensor.delete(STATUSES, params={"evseId": "deabce1"}))
    assert [(one["evseId"], one["state"], one["endReason"]) for one in ended] == [(EVSE, "ended", "deleted")]
    assert await end_on_evse(sensor) == [], "there is nothing left"


async def test_by_evse_planned_ones_only_when_they_are_included(sensor: Client) -> None:
    now = await plan(sensor)
    planned = await plan(sensor, validFrom="2026-03-02T00:00:00Z")
    assert await end_on_evse(sensor, includePlanned="true") == [now["id"], planned["id"]]
    assert (await get(sensor, f"{STATUSES}/{planned['id']}"))["state"] == "ended"


async def test_by_evse_one_kind_only(sensor: Client) -> None:
    await plan(sensor, EVSE, "BLOCKED")
    reserved = await plan(sensor, EVSE, "RESERVED")
    assert await end_on_evse(sensor, temporaryStatus="reserved") == [reserved["id"]]


async def test_by_evse_an_admin_ends_everybodys(admin: Client, sensor: Client, booking: Client) -> None:
    expected = [(await plan(sensor))["id"], (await plan(booking))["id"], (await plan(admin))["id"]]
    assert await end_on_evse(admin) == expected


async def test_by_evse_other_evses_are_left_alone(admin: Client, sensor: Client) -> None:
    await register(admin, "DE*ABC*E11")
    other = await plan(sensor, "DE*ABC*E11")
    assert await end_on_evse(sensor) == []
    assert (await get(sensor, f"{STATUSES}/{other['id']}"))["state"] == "active"


async def test_by_evse_a_query_that_is_not_understood_ends_nothing(sensor: Client, subtests: pytest.Subtests) -> None:
    await plan(sensor)
    wrong = [
        ({}, 400, "evseId"),
        ({"evseId": "nonsense"}, 400, "evseId"),
        ({"evseId": "DE*ABC*E404"}, 404, "evseId"),
        ({"evseId": EVSE, "temporaryStatus": "CLOSED"}, 400, "temporaryStatus"),
        ({"evseId": EVSE, "includePlanned": "perhaps"}, 400, "includePlanned"),
        ({"evseId": EVSE, "temporarystatus": "RESERVED"}, 400, "temporarystatus"),
    ]
    for query, status, parameter in wrong:
        with subtests.test(**query):
            refusal(await sensor.delete(STATUSES, params=query), status, parameter=parameter)
    assert len(await get(sensor, STATUSES)) == 1
