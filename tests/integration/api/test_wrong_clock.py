"""Callers of a service whose clock is wrong for a while: what they get meanwhile, and that all is well afterwards."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from app.domain.principal import Role
from app.service import Service
from app.store.tables import metadata
from tests.builders import HOUR, MINUTE, stored
from tests.clock import START, FrozenClock
from tests.integration.api.calls import (
    EVSE,
    EVSES,
    STATUSES,
    Client,
    NewClient,
    get,
    good,
    plan,
    refusal,
    register,
)

SECOND: Final = timedelta(seconds=1)
YEARS: Final = timedelta(days=3653)
BY_REF: Final = f"{STATUSES}/by-ref/bay-17"
REPORT: Final = f"{EVSES}/{EVSE}/actual-status"


@pytest.fixture(autouse=True)
async def quietly(admin: Client) -> AsyncGenerator[None]:
    await register(admin)
    with capture_logs():  # the service says that the clock was stepped back
        yield


def renewal(clock_is: Any, minutes: float = 5) -> dict[str, Any]:
    """What a sensor with a good clock of its own sends, again and again."""
    return {"evseId": EVSE, "temporaryStatus": "BLOCKED", "validTo": (clock_is + minutes * MINUTE).isoformat()}


async def test_what_a_clock_that_is_ahead_takes_for_past_is_refused_and_accepted_when_it_is_right(
    service: Service, sensor: Client, clock: FrozenClock
) -> None:
    asked = {"evseId": EVSE, "temporaryStatus": "BLOCKED", "validTo": (START + 30 * MINUTE).isoformat()}
    clock.set(START + YEARS)
    refusal(await sensor.post(STATUSES, json=asked), 422, "already-over", pointer="/validTo")
    assert await stored(service.database, "temporary_status") == []
    clock.set(START)
    assert (await plan(sensor, validTo=asked["validTo"]))["state"] == "active"


async def test_a_lease_that_is_renewed_goes_on_under_the_same_reference_as_soon_as_the_clock_is_right(
    sensor: Client, clock: FrozenClock
) -> None:
    first = good(await sensor.put(BY_REF, json=renewal(START)))
    clock.set(START + MINUTE + YEARS)
    refusal(await sensor.put(BY_REF, json=renewal(START + MINUTE)), 422, "already-over", pointer="/validTo")
    assert (await get(sensor, BY_REF))["state"] == "ended"

    clock.set(START + 2 * MINUTE)
    assert (await get(sensor, BY_REF))["state"] == "active", "it was not ended, it only looked so"
    again = good(await sensor.put(BY_REF, json=renewal(START + 2 * MINUTE)))
    assert (again["id"], again["state"], again["validFrom"]) == (first["id"], "active", first["validFrom"])
    assert again["validTo"] == "2026-03-01T08:07:00.000Z"


async def test_a_lease_that_began_by_a_clock_that_was_ahead_begins_anew_with_the_next_renewal(
    sensor: Client, clock: FrozenClock
) -> None:
    clock.set(START + YEARS)
    begun = good(await sensor.put(BY_REF, json=renewal(START + YEARS)))
    clock.set(START + SECOND)
    assert (await get(sensor, BY_REF))["state"] == "planned"
    again = good(await sensor.put(BY_REF, json=renewal(START + SECOND)))
    assert (again["id"], again["state"]) == (begun["id"], "active")
    assert again["validFrom"] == "2026-03-01T08:00:01.000Z"


async def test_a_lease_by_a_clock_that_is_behind_is_in_force_until_its_end_by_the_right_clock(
    sensor: Client, clock: FrozenClock
) -> None:
    clock.set(START - HOUR)
    good(await sensor.put(BY_REF, json=renewal(START)))
    clock.set(START)
    assert (await get(sensor, BY_REF))["state"] == "active"
    clock.set(START + 5 * MINUTE)
    assert (await get(sensor, BY_REF))["state"] == "ended"


async def test_what_was_ended_by_a_clock_that_was_ahead_cannot_be_changed_into_something_nobody_is_shown(
    sensor: Client, clock: FrozenClock
) -> None:
    one = await plan(sensor, validTo=None)
    clock.set(START + HOUR)
    assert (await sensor.delete(f"{STATUSES}/{one['id']}")).status_code == 204
    clock.set(START + SECOND)
    app = (await get(sensor, f"{EVSES}/{EVSE}"))["presented"]["driverApp"]
    assert (app["status"], app["temporaryStatusId"]) == ("UNKNOWN", None)
    answer = await sensor.patch(f"{STATUSES}/{one['id']}", json={"reason": "still there"})
    refusal(answer, 409, "has-ended")
    ended = await get(sensor, f"{STATUSES}/{one['id']}")
    assert (await sensor.delete(f"{STATUSES}/{one['id']}")).status_code == 204
    assert await get(sensor, f"{STATUSES}/{one['id']}") == ended


async def test_a_key_that_expires_is_good_again_when_the_clock_is_right(
    service: Service, client: NewClient, clock: FrozenClock
) -> None:
    caller = await client(Role.READER)
    async with service.database.write() as connection:
        await connection.execute(update(metadata.tables["api_key"]).values(expires_at=START + 30 * MINUTE))
    assert (await caller.get(EVSES)).is_success
    for step in (HOUR, YEARS):
        clock.set(START + step)
        refusal(await caller.get(EVSES), 401)
        clock.set(START - step)
        assert (await caller.get(EVSES)).is_success
        clock.set(START)
        assert (await caller.get(EVSES)).is_success


@pytest.mark.parametrize(
    ("step", "observed"), [(HOUR, False), (YEARS, True)], ids=["+1h, no observedAt", "+10y, with the backend's"]
)
async def test_a_report_by_a_clock_that_was_ahead_does_not_make_later_ones_older(
    admin: Client, clock: FrozenClock, step: timedelta, *, observed: bool
) -> None:
    def said(status: str, seconds: int) -> dict[str, Any]:
        at = START + seconds * SECOND
        return {"status": status} | ({"observedAt": at.isoformat()} if observed else {})

    clock.set(START + step)
    ahead = good(await admin.put(REPORT, json={"status": "Charging", "observedAt": clock.now().isoformat()}))
    assert ahead["applied"]
    clock.set(START + SECOND)
    for seconds, status in ((1, "Available"), (2, "Faulted"), (3, "Available")):
        clock.set(START + seconds * SECOND)
        answer = good(await admin.put(REPORT, json=said(status, seconds)))
        assert (answer["applied"], answer["reported"]) == (True, status)
        assert answer["observedAt"] == f"2026-03-01T08:00:0{seconds}.000Z"
    late = good(await admin.put(REPORT, json={"status": "Charging", "observedAt": (START + SECOND).isoformat()}))
    assert not late["applied"], "and from then on the newer one counts again"


async def test_a_report_by_a_clock_that_is_behind_counts_as_of_now_and_the_next_is_newer(
    admin: Client, clock: FrozenClock
) -> None:
    for behind in (HOUR, YEARS):
        clock.set(START - behind)
        answer = good(await admin.put(REPORT, json={"status": "Charging", "observedAt": START.isoformat()}))
        assert answer["observedAt"] == (START - behind).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        clock.set(START)
        assert good(await admin.put(REPORT, json={"status": "Available", "observedAt": START.isoformat()}))["applied"]
        async_ahead = {"status": "Charging", "observedAt": (START + 6 * MINUTE).isoformat()}
        assert good(await admin.put(REPORT, json=async_ahead))["observedAt"] == "2026-03-01T08:00:00.000Z"
