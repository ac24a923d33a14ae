"""Changing a temporary status that is not over."""

from datetime import timedelta
from typing import Any

import pytest

from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, STATUSES, Client, get, good, plan, refusal, register

WINDOW = {"validFrom": "2026-03-01T09:00:00Z", "validTo": "2026-03-01T10:00:00Z"}


@pytest.fixture
async def one(admin: Client, booking: Client) -> str:
    """The address of a reservation from 9 to 10 that `booking` made; it is 8 now."""
    await register(admin)
    return f"{STATUSES}/{(await plan(booking, EVSE, 'RESERVED', reason='Ms Curie', **WINDOW))['id']}"


async def change(client: Client, address: str, **changes: Any) -> Any:
    return good(await client.patch(address, json=changes))


async def test_what_is_left_out_stays(booking: Client, one: str) -> None:
    before = await get(booking, one)
    changed = await change(booking, one, validTo="2026-03-01T11:00:00Z")
    assert {name for name in before if before[name] != changed[name]} == {"validTo", "revision"}
    assert changed["validTo"] == "2026-03-01T11:00:00.000Z"
    assert changed["revision"] == 2


async def test_an_end_of_null_opens_the_end_and_a_reason_of_null_removes_it(booking: Client, one: str) -> None:
    assert (await change(booking, one, validTo=None))["validTo"] is None
    assert (await get(booking, one))["reason"] == "Ms Curie"
    assert (await change(booking, one, reason=None))["reason"] is None
    assert (await get(booking, one))["validTo"] is None


async def test_an_empty_change_changes_nothing(booking: Client, one: str, clock: FrozenClock) -> None:
    before = await get(booking, one)
    clock.advance(timedelta(minutes=1))
    assert (await change(booking, one))["revision"] == 1
    assert await get(booking, one) == before


async def test_null_is_refused_where_a_value_is_needed(booking: Client, one: str, subtests: pytest.Subtests) -> None:
    before = await get(booking, one)
    for field in ("temporaryStatus", "validFrom", "appliesWhen"):
        with subtests.test(field):
            refusal(await booking.patch(one, json={field: None}), 400, pointer=f"/{field}")
    assert await get(booking, one) == before


async def test_everything_about_a_planned_one_may_change(booking: Client, one: str) -> None:
    changed = await change(
        booking,
        one,
        temporaryStatus="blocked",
        validFrom="2026-03-01T12:00:00+01:00",
        validTo="2026-03-01T13:00:00+01:00",
        appliesWhen="idle",
        reason="moved",
    )
    assert changed["temporaryStatus"] == "BLOCKED"
    assert (changed["validFrom"], changed["validTo"]) == ("2026-03-01T11:00:00.000Z", "2026-03-01T12:00:00.000Z")
    assert (changed["appliesWhen"], changed["reason"]) == ("idle", "moved")


async def test_the_answer_names_overlaps_and_what_is_shown(admin: Client, booking: Client, one: str) -> None:
    other = await plan(booking, EVSE, "MAINTENANCE", validTo="2026-03-01T09:30:00Z")
    await plan(admin, EVSE, "BLOCKED", validTo="2026-03-01T09:30:00Z")
    changed = await change(booking, one, reason="same")
    overlaps = [(overlap["id"], overlap["temporaryStatus"]) for overlap in changed["overlaps"]]
    assert overlaps == [(other["id"], "MAINTENANCE"), (None, "BLOCKED")]
    assert changed["shown"]["driverApp"]["status"] == "OUT_OF_SERVICE"


async def test_what_has_begun_keeps_its_start_and_its_kind(booking: Client, one: str, clock: FrozenClock) -> None:
    clock.advance(timedelta(hours=1))
    answer = await booking.patch(one, json={"validFrom": "2026-03-01T09:30:00Z"})
    refusal(answer, 409, "has-begun", pointer="/validFrom")
    answer = await booking.patch(one, json={"temporaryStatus": "BLOCKED"})
    refusal(answer, 409, "has-begun", pointer="/temporaryStatus")
    unchanged = await change(booking, one, validFrom="2026-03-01T10:00:00+01:00", temporaryStatus="RESERVED")
    assert unchanged["revision"] == 1
    assert (await change(booking, one, validTo="2026-03-01T10:30:00Z"))["validTo"] == "2026-03-01T10:30:00.000Z"


async def test_what_is_over_stays_as_it_was(booking: Client, one: str, clock: FrozenClock) -> None:
    clock.advance(timedelta(hours=2))
    refusal(await booking.patch(one, json={"validTo": None}), 409, "has-ended")


async def test_a_window_without_time_in_it_is_refused(booking: Client, one: str, subtests: pytest.Subtests) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"validTo": "2026-03-01T09:00:00Z"}, "empty-interval"),
        ({"validTo": "2026-03-01T08:30:00Z"}, "empty-interval"),
        ({"validFrom": "2026-03-01T10:00:00Z"}, "empty-interval"),
        ({"validTo": "2026-02-01T00:00:00Z"}, "already-over"),
    ]
    before = await get(booking, one)
    for changes, slug in wrong:
        with subtests.test(**changes):
            refusal(await booking.patch(one, json=changes), 422, slug, pointer="/validTo")
    assert await get(booking, one) == before


async def test_a_merge_patch_may_be_declared_as_one(booking: Client, one: str) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = await booking.patch(one, content=b'{"reason": "declared"}', headers=headers)
    assert good(answer)["reason"] == "declared"


async def test_another_clients_status_looks_as_if_it_did_not_exist(sensor: Client, booking: Client, one: str) -> None:
    same = {"X-Request-Id": "mine"}
    theirs = await sensor.patch(one, json={"reason": "mine now"}, headers=same)
    nobodys = await sensor.patch(f"{STATUSES}/4711", json={"reason": "mine now"}, headers=same)
    number = one.rpartition("/")[2]
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text == nobodys.text.replace("4711", number)
    assert (await get(booking, one))["reason"] == "Ms Curie"


async def test_an_admin_may_change_everybodys(admin: Client, one: str) -> None:
    assert (await change(admin, one, reason="by the operator"))["reason"] == "by the operator"
