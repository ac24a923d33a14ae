"""What a booking system says under its references, with versions: late and repeated, in any order."""

from typing import Any

import httpx
import pytest

from tests.clock import START, FrozenClock
from tests.integration.api.calls import EVSE, STATUSES, Client, get, good, refusal, register

BY_REF = f"{STATUSES}/by-ref"
LARGEST = 2**53 - 1


@pytest.fixture(autouse=True)
async def _evse(admin: Client) -> None:
    await register(admin)


async def put(client: Client, ref: str = "B-1", **asked: Any) -> httpx.Response:
    return await client.put(f"{BY_REF}/{ref}", json={"evseId": EVSE, "temporaryStatus": "RESERVED", **asked})


async def cancel(client: Client, ref: str = "B-1", **query: Any) -> httpx.Response:
    return await client.delete(f"{BY_REF}/{ref}", params=query)


async def test_a_late_event_never_undoes_a_newer_one(booking: Client) -> None:
    good(await put(booking, sourceVersion=3, validFrom="2026-03-01T12:00:00Z"))
    problem = refusal(
        await put(booking, sourceVersion=2, validFrom="2026-03-01T10:00:00Z"),
        409,
        "stale-version",
        pointer="/sourceVersion",
    )
    assert problem["detail"] == "sourceVersion 3 is known already"
    assert (await get(booking, f"{BY_REF}/B-1"))["validFrom"] == "2026-03-01T12:00:00.000Z"
    refusal(await cancel(booking, sourceVersion=2), 409, "stale-version", parameter="sourceVersion")
    assert (await get(booking, f"{BY_REF}/B-1"))["state"] == "planned"


async def test_the_same_event_again_changes_nothing(booking: Client) -> None:
    first = await put(booking, sourceVersion=3, validTo="2026-03-01T12:00:00Z")
    again = await put(booking, sourceVersion=3, validTo="2026-03-01T12:00:00Z")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["revision"] == 1


async def test_a_late_create_never_revives_a_cancelled_booking(booking: Client) -> None:
    good(await put(booking, sourceVersion=1))
    assert (await cancel(booking, sourceVersion=2)).status_code == 204
    for version in (1, 2):
        refusal(await put(booking, sourceVersion=version), 409, "stale-version")
    assert await get(booking, STATUSES) == []
    assert (await put(booking, sourceVersion=3)).status_code == 201


async def test_a_cancel_that_overtakes_its_create_is_remembered(booking: Client) -> None:
    assert (await cancel(booking, sourceVersion=2)).status_code == 204
    refusal(await put(booking, sourceVersion=1), 409, "stale-version")
    assert await get(booking, STATUSES, activeOnly="false") == []


async def test_a_cancel_without_a_version_is_final_for_a_day_for_whoever_sends_versions(
    booking: Client, clock: FrozenClock
) -> None:
    good(await put(booking))
    assert (await cancel(booking)).status_code == 204
    refusal(await put(booking, sourceVersion=9), 409, "stale-version")
    assert (await put(booking)).status_code == 201, "a sensor uses its reference again"
    assert (await cancel(booking)).status_code == 204
    clock.set(START.replace(day=2))
    assert (await put(booking, sourceVersion=9)).status_code == 201


async def test_a_reference_that_carries_a_version_takes_one(booking: Client) -> None:
    good(await put(booking, sourceVersion=1))
    problem = refusal(await put(booking), 409, "stale-version")
    assert "sourceVersion" in problem["detail"]
    refusal(await put(booking, sourceUpdatedAt="2026-03-01T08:00:00Z"), 409, "stale-version")
    assert (await cancel(booking)).status_code == 204, "whoever cancels need not know"


async def test_times_of_the_source_are_compared_as_times(booking: Client) -> None:
    good(await put(booking, sourceUpdatedAt="2026-03-01T09:00:00+02:00"))
    late = await put(booking, sourceUpdatedAt="2026-03-01T06:59:59.999Z")
    refusal(late, 409, "stale-version", pointer="/sourceUpdatedAt")
    late = await cancel(booking, sourceUpdatedAt="2026-03-01T06:59:59.999Z")
    refusal(late, 409, "stale-version", parameter="sourceUpdatedAt")
    assert (await put(booking, sourceUpdatedAt="2026-03-01T07:00:00Z")).status_code == 200
    refusal(await put(booking, sourceVersion=1), 409, "stale-version", pointer="/sourceVersion")


async def test_versions_belong_to_one_key(booking: Client, sensor: Client) -> None:
    good(await put(booking, sourceVersion=9))
    assert (await put(sensor, sourceVersion=1)).status_code == 201


async def test_ending_by_id_leaves_the_reference_as_it_was(booking: Client) -> None:
    made = good(await put(booking, sourceVersion=1))
    assert (await booking.delete(f"{STATUSES}/{made['id']}")).status_code == 204
    assert (await put(booking, sourceVersion=1)).status_code == 201


async def test_what_was_refused_leaves_no_version_behind(booking: Client) -> None:
    good(await put(booking, sourceVersion=1))
    refused = [
        await put(booking, sourceVersion=5, validTo="2026-03-01T07:00:00Z"),
        await put(booking, sourceVersion=5, evseId="DE*ABC*E404"),
        await booking.put(
            f"{BY_REF}/B-1",
            json={"evseId": EVSE, "temporaryStatus": "RESERVED", "sourceVersion": 5},
            headers={"If-None-Match": "*"},
        ),
    ]
    assert [one.status_code for one in refused] == [422, 404, 412]
    assert (await put(booking, sourceVersion=2)).status_code == 200


@pytest.mark.parametrize("version", [0, LARGEST])
async def test_versions_at_their_limits(booking: Client, version: int) -> None:
    assert (await put(booking, sourceVersion=version)).status_code == 201
    assert (await cancel(booking, sourceVersion=version)).status_code == 204


@pytest.mark.parametrize("version", [-1, LARGEST + 1, 10**30, 1.5, "one", True, [1]])
async def test_what_is_no_version_is_refused(booking: Client, version: object) -> None:
    refusal(await put(booking, sourceVersion=version), 400, pointer="/sourceVersion")


@pytest.mark.parametrize("version", ["-1", str(LARGEST + 1), "1" * 30, "1.5", "one", ""])
async def test_what_is_no_version_is_refused_in_the_address_too(booking: Client, version: str) -> None:
    refusal(await cancel(booking, sourceVersion=version), 400, parameter="sourceVersion")


async def test_one_call_says_its_version_once(booking: Client) -> None:
    both: dict[str, Any] = {"sourceVersion": 1, "sourceUpdatedAt": "2026-03-01T08:00:00Z"}
    refusal(await put(booking, **both), 400, "malformed-value", pointer="/sourceUpdatedAt")
    refusal(await cancel(booking, **both), 400, "malformed-value", parameter="sourceUpdatedAt")
    refusal(await put(booking, sourceUpdatedAt="yesterday"), 400, "malformed-time", pointer="/sourceUpdatedAt")
    refusal(await cancel(booking, sourceUpdatedAt="yesterday"), 400, "malformed-time", parameter="sourceUpdatedAt")


async def test_only_what_has_a_reference_has_versions(booking: Client) -> None:
    body = {"evseId": EVSE, "temporaryStatus": "RESERVED", "sourceVersion": 1}
    refusal(await booking.post(STATUSES, json=body), 400, pointer="/sourceVersion")
