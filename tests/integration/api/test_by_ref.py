"""Temporary statuses under the caller's own reference: a booking's number, or a sensor's lease."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, STATUSES, Client, get, good, ids, refusal, register

BY_REF = f"{STATUSES}/by-ref"


@pytest.fixture(autouse=True)
async def _evse(admin: Client) -> None:
    await register(admin)


async def put(client: Client, ref: str, kind: str = "BLOCKED", **asked: Any) -> httpx.Response:
    return await client.put(f"{BY_REF}/{ref}", json={"evseId": EVSE, "temporaryStatus": kind, **asked})


async def test_the_first_creates_and_the_next_replaces(booking: Client) -> None:
    first = await put(booking, "B-1", "RESERVED", validFrom="2026-03-01T09:00:00Z")
    second = await put(booking, "B-1", "RESERVED", validFrom="2026-03-01T10:00:00Z")
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    assert second.json()["ref"] == "B-1"
    assert (await get(booking, f"{BY_REF}/B-1"))["validFrom"] == "2026-03-01T10:00:00.000Z"
    assert len(await get(booking, STATUSES, activeOnly="false")) == 1


async def test_a_lease_lasts_while_it_is_renewed_and_ends_with_the_sensor(sensor: Client, clock: FrozenClock) -> None:
    made = good(await put(sensor, "bay-7", validTo="2026-03-01T08:02:00Z"))
    clock.advance(timedelta(minutes=1))
    renewed = good(await put(sensor, "bay-7", validTo="2026-03-01T08:03:00Z"))
    assert renewed["id"] == made["id"]
    assert renewed["validFrom"] == made["validFrom"], "what has begun keeps its start"
    clock.advance(timedelta(minutes=2))
    assert await get(sensor, STATUSES) == []
    again = await put(sensor, "bay-7", validTo="2026-03-01T08:05:00Z")
    assert again.status_code == 201
    assert again.json()["id"] != made["id"], "what has been shown is never rewritten"


async def test_what_has_begun_and_becomes_another_kind_is_ended_and_followed_by_a_new_one(booking: Client) -> None:
    old = good(await put(booking, "B-1", "RESERVED"))
    new = good(await put(booking, "B-1", "MAINTENANCE"))
    assert (await get(booking, f"{STATUSES}/{old['id']}"))["endReason"] == "replaced"
    assert (await get(booking, f"{BY_REF}/B-1"))["id"] == new["id"]


async def test_a_reference_belongs_to_one_key(sensor: Client, booking: Client, admin: Client) -> None:
    mine = good(await put(sensor, "7"))
    theirs = good(await put(booking, "7"))
    assert mine["id"] != theirs["id"]
    assert (await get(sensor, f"{BY_REF}/7"))["id"] == mine["id"]
    refusal(await admin.get(f"{BY_REF}/7"), 404, "temporary-status-not-found")
    assert (await admin.delete(f"{BY_REF}/7")).status_code == 204
    assert len(await get(admin, STATUSES)) == 2


async def test_ending_is_idempotent_and_the_reference_is_free_again(sensor: Client) -> None:
    first = good(await put(sensor, "bay-7"))
    for _ in range(2):
        answer = await sensor.delete(f"{BY_REF}/bay-7")
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await get(sensor, f"{BY_REF}/bay-7"))["state"] == "ended"
    second = await put(sensor, "bay-7")
    assert second.status_code == 201
    assert ids(await get(sensor, STATUSES)) == [second.json()["id"]]
    assert second.json()["id"] != first["id"]


async def test_ending_what_never_was_is_fine_and_looking_at_it_is_not(sensor: Client) -> None:
    assert (await sensor.delete(f"{BY_REF}/never")).status_code == 204
    refusal(await sensor.get(f"{BY_REF}/never"), 404, "temporary-status-not-found")


async def test_a_refused_replacement_leaves_the_old_one_as_it_was(sensor: Client, subtests: pytest.Subtests) -> None:
    await put(sensor, "bay-7", validTo="2026-03-01T09:00:00Z")
    before = await get(sensor, f"{BY_REF}/bay-7")
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"validTo": "2026-03-01T07:00:00Z"}, 422, "/validTo"),
        ({"validTo": "2026-03-01T09:00:00"}, 400, "/validTo"),
        ({"evseId": "DE*ABC*E404"}, 404, "/evseId"),
        ({"temporaryStatus": "CLOSED"}, 400, "/temporaryStatus"),
    ]
    for different, status, pointer in wrong:
        with subtests.test(**different):
            body = {"evseId": EVSE, "temporaryStatus": "BLOCKED", **different}
            refusal(await sensor.put(f"{BY_REF}/bay-7", json=body), status, pointer=pointer)
    assert await get(sensor, f"{BY_REF}/bay-7") == before


async def test_a_reference_has_the_characters_of_a_path_and_no_others(
    sensor: Client, subtests: pytest.Subtests
) -> None:
    for ref in ("a", "A.b_c~d:e@f-1", "x" * 128):
        assert good(await put(sensor, ref))["ref"] == ref
    for ref in ("a b", "a%0A", "%00", "%C3%A4", "%EF%BC%91", "x" * 129, "a+b", "a*b"):
        for method in ("PUT", "GET", "DELETE"):
            with subtests.test(f"{method} {ref}"):
                body = {"evseId": EVSE, "temporaryStatus": "BLOCKED"} if method == "PUT" else None
                answer = await sensor.request(method, f"{BY_REF}/{ref}", json=body)
                refusal(answer, 400, "malformed-value", parameter="ref")
    assert len(await get(sensor, STATUSES)) == 3
