"""Many temporary statuses in one call: each judged by itself, all written together."""

from typing import Any

import httpx
import pytest

from app.api.batch_shapes import MOST_ITEMS
from tests.integration.api.calls import EVSE, STATUSES, Client, get, good, ids, refusal, register

BATCH = f"{STATUSES}/batch"
ITEM = {"evseId": EVSE, "temporaryStatus": "BLOCKED"}


@pytest.fixture(autouse=True)
async def _evse(admin: Client) -> None:
    await register(admin)


async def post(client: Client, *items: dict[str, Any]) -> httpx.Response:
    return await client.post(BATCH, json={"items": items})


async def test_each_is_judged_by_itself_and_answered_in_its_place(sensor: Client) -> None:
    answer = await post(
        sensor,
        ITEM,
        {**ITEM, "evseId": "DE*ABC*E404"},
        {**ITEM, "validTo": "2026-03-01T07:00:00Z"},
        {**ITEM, "validTo": "tomorrow"},
        {**ITEM, "evseId": "nonsense"},
        {**ITEM, "temporaryStatus": "MAINTENANCE", "validFrom": "2026-03-01T09:00:00Z"},
    )
    items = good(answer)["items"]
    assert [one["status"] for one in items] == [201, 404, 422, 400, 400, 201]
    assert [one["pointer"] for one in items] == [None, "/evseId", "/validTo", "/validTo", "/evseId", None]
    assert items[1]["type"] == "urn:evse-status:problem:evse-not-found"
    assert items[1]["detail"] == "no EVSE DE*ABC*E404 is registered"
    assert items[1]["id"] is None
    assert [one["evseId"] for one in items[:2]] == [EVSE, "DE*ABC*E404"]
    assert ids(await get(sensor, STATUSES, activeOnly="false")) == [items[0]["id"], items[5]["id"]]


async def test_all_may_be_refused(sensor: Client) -> None:
    items = good(await post(sensor, {**ITEM, "evseId": "DE*ABC*E404"}, {**ITEM, "validTo": "x"}))["items"]
    assert [one["status"] for one in items] == [404, 400]


async def test_a_batch_that_did_nothing_may_be_tried_again_under_its_key(sensor: Client, admin: Client) -> None:
    body, key = {"items": [{**ITEM, "evseId": "DE*ABC*E404"}]}, {"Idempotency-Key": "a"}
    assert [one["status"] for one in good(await sensor.post(BATCH, json=body, headers=key))["items"]] == [404]
    await register(admin, "DE*ABC*E404")
    first = await sensor.post(BATCH, json=body, headers=key)
    assert [one["status"] for one in good(first)["items"]] == [201]
    again = await sensor.post(BATCH, json=body, headers=key)
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")


async def test_what_was_planned_by_one_is_an_evses_own_for_the_next(admin: Client, sensor: Client) -> None:
    await register(admin, "DE*ABC*E2")
    items = good(await post(sensor, ITEM, {**ITEM, "evseId": "DE*ABC*E2"}, ITEM))["items"]
    evse = await get(admin, f"/v2/evses/{EVSE}")
    assert ids(evse["temporaryStatuses"]) == [items[0]["id"], items[2]["id"]]


async def test_a_batch_gets_no_further_than_the_brake_lets_single_calls(admin: Client, sensor: Client) -> None:
    evses = [f"DE*ABC*E{number}" for number in range(1, 13)]
    for one in evses[1:]:
        await register(admin, one)
    items = good(await post(sensor, *({**ITEM, "evseId": one} for one in evses)))["items"]
    assert [one["status"] for one in items] == [201] * 5 + [429] * 7
    assert {one["type"] for one in items[5:]} == {"urn:evse-status:problem:blast-radius"}


async def test_a_batch_at_its_limits(sensor: Client) -> None:
    assert len(good(await post(sensor, *[ITEM] * MOST_ITEMS))["items"]) == MOST_ITEMS
    refusal(await post(sensor, *[ITEM] * (MOST_ITEMS + 1)), 400, pointer="/items")
    refusal(await post(sensor), 400, pointer="/items")
    assert len(await get(sensor, STATUSES, limit=500)) == MOST_ITEMS


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([ITEM], ""),
        ({}, "/items"),
        ({"items": ITEM}, "/items"),
        ({"items": [ITEM, {**ITEM, "temporaryStatus": "CLOSED"}]}, "/items/1/temporaryStatus"),
        ({"items": [{**ITEM, "colour": "red"}]}, "/items/0/colour"),
        ({"items": [{**ITEM, "sourceVersion": 1}]}, "/items/0/sourceVersion"),
        ({"items": [ITEM], "atomic": "all"}, "/atomic"),
        ({"items": [ITEM], "evseIds": [EVSE]}, "/evseIds"),
        ({"items": [ITEM], "temporaryStatus": "BLOCKED"}, "/temporaryStatus"),
        ({"items": [ITEM], "appliesWhen": "always"}, "/appliesWhen"),
        ({"evseIds": [EVSE], "temporaryStatus": "BLOCKED", "operator": "DE*ABC"}, "/operator"),
        ({"evseIds": [EVSE]}, "/temporaryStatus"),
        ({"evseIds": [], "temporaryStatus": "BLOCKED"}, "/evseIds"),
        ({"evseIds": [EVSE, EVSE.lower()], "temporaryStatus": "BLOCKED"}, "/evseIds/1"),
        ({"evseIds": [EVSE], "temporaryStatus": "BLOCKED", "countryCode": "DE"}, "/countryCode"),
        ({"evseIds": [EVSE], "temporaryStatus": "BLOCKED", "validTo": "tomorrow"}, "/validTo"),
        ({"operator": "nobody", "temporaryStatus": "BLOCKED"}, "/operator"),
        ({"locationId": "", "temporaryStatus": "BLOCKED"}, "/locationId"),
        ({"locationId": "LOC1\u202e", "temporaryStatus": "BLOCKED"}, "/locationId"),
    ],
)
async def test_what_cannot_be_read_refuses_the_whole(sensor: Client, body: object, pointer: str) -> None:
    refusal(await sensor.post(BATCH, json=body), 400, pointer=pointer)
    assert await get(sensor, STATUSES) == []


async def test_a_body_may_have_a_megabyte(sensor: Client) -> None:
    padding = " " * (1024 * 1024 - len('{"items": []}') - len(str(ITEM)))
    body = f'{{"items": [{str(ITEM).replace(chr(39), chr(34))}]{padding}}}'
    json = {"Content-Type": "application/json"}
    assert len(body) == 1024 * 1024
    good(await sensor.post(BATCH, content=body, headers=json))
    refusal(await sensor.post(BATCH, content=body + " ", headers=json), 413, "too-large")


async def test_a_reader_plans_nothing_at_all(reader: Client) -> None:
    refusal(await post(reader, ITEM), 403, "forbidden")
