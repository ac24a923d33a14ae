"""Saying something about an EVSE for a while."""

from datetime import timedelta

from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, EVSES, NOW, STATUSES, Client, get, plan, refusal, register


async def test_what_was_planned_is_told_whole(admin: Client, sensor: Client) -> None:
    await register(admin)

    told = await plan(sensor, "DE*ABC*E1", "MAINTENANCE", validTo="2026-03-01T10:00:00Z", reason="new cable")

    created_by = told.pop("createdBy")
    assert len(created_by) == 10
    assert told == {
        "id": 1,
        "evseId": "DE*ABC*E1",
        "temporaryStatus": "MAINTENANCE",
        "validFrom": NOW,
        "validTo": "2026-03-01T10:00:00.000Z",
        "appliesWhen": "always",
        "reason": "new cable",
        "ref": None,
        "state": "active",
        "createdAt": NOW,
        "updatedAt": NOW,
        "revision": 1,
        "endedAt": None,
        "endedBy": None,
        "endReason": None,
        "batchId": None,
        "overlaps": [],
        "shown": {
            "driverApp": {"status": "OUT_OF_SERVICE", "because": "temporary status 1 (MAINTENANCE): new cable"},
            "oicp": {"status": "OutOfService", "because": "temporary status 1 (MAINTENANCE): new cable"},
            "ocpi": {"status": "INOPERATIVE", "because": "temporary status 1 (MAINTENANCE): new cable"},
        },
    }


async def test_a_creation_answers_201(admin: Client, sensor: Client) -> None:
    await register(admin)
    answer = await sensor.post(STATUSES, json={"evseId": EVSE, "temporaryStatus": "BLOCKED"})
    assert answer.status_code == 201


async def test_the_kind_may_be_written_in_any_case_and_is_answered_in_upper_case(admin: Client, sensor: Client) -> None:
    await register(admin)
    assert (await plan(sensor, EVSE, "Maintenance"))["temporaryStatus"] == "MAINTENANCE"


async def test_a_start_left_out_or_null_or_past_means_now(admin: Client, sensor: Client) -> None:
    await register(admin)
    assert (await plan(sensor))["validFrom"] == NOW
    assert (await plan(sensor, validFrom=None))["validFrom"] == NOW
    assert (await plan(sensor, validFrom="2026-03-01T07:59:59Z"))["validFrom"] == NOW


async def test_an_end_left_out_or_null_means_until_deleted(admin: Client, sensor: Client) -> None:
    await register(admin)
    assert (await plan(sensor))["validTo"] is None
    assert (await plan(sensor, validTo=None))["validTo"] is None


async def test_times_may_have_any_offset_and_are_answered_in_utc(admin: Client, sensor: Client) -> None:
    await register(admin)
    told = await plan(sensor, validFrom="2026-03-01T23:30:00+05:30", validTo="2026-03-01T13:00:00.5-08:00")
    assert told["validFrom"] == "2026-03-01T18:00:00.000Z"
    assert told["validTo"] == "2026-03-01T21:00:00.500Z"


async def test_what_is_finer_than_a_millisecond_is_cut_off_and_never_rounded_up(admin: Client, sensor: Client) -> None:
    await register(admin)
    assert (await plan(sensor, validTo="2026-03-01T09:59:59.999999Z"))["validTo"] == "2026-03-01T09:59:59.999Z"


async def test_a_future_start_is_planned_and_shows_nothing_yet(admin: Client, booking: Client) -> None:
    await register(admin)
    told = await plan(booking, EVSE, "RESERVED", validFrom="2026-03-01T09:00:00Z", validTo="2026-03-01T10:00:00Z")
    assert told["state"] == "planned"
    assert told["shown"]["oicp"] == {"status": "Unknown", "because": "the charger has never reported a status"}


async def test_the_strongest_is_shown_and_the_others_are_named_as_overlaps(admin: Client, sensor: Client) -> None:
    await register(admin)
    long = await plan(sensor, EVSE, "MAINTENANCE", validTo="2026-03-01T12:00:00Z")
    before = await plan(sensor, EVSE, "RESERVED", validTo="2026-03-01T09:00:00Z")
    over = await plan(sensor, EVSE, "BLOCKED", validTo="2026-03-01T09:00:00Z")
    await sensor.delete(f"{STATUSES}/{over['id']}")

    told = await plan(sensor, EVSE, "RESERVED", validFrom="2026-03-01T09:00:00Z", validTo="2026-03-01T10:00:00Z")

    assert [one["id"] for one in before["overlaps"]] == [long["id"]]
    assert told["overlaps"] == [
        {
            "id": long["id"],
            "temporaryStatus": "MAINTENANCE",
            "validFrom": NOW,
            "validTo": "2026-03-01T12:00:00.000Z",
        }
    ], "back to back is no overlap, and neither is one that is over"
    assert told["shown"]["ocpi"]["status"] == "INOPERATIVE"


async def test_one_that_applies_when_idle_does_not_hide_a_car_that_charges(admin: Client, sensor: Client) -> None:
    await register(admin)
    await admin.put(f"{EVSES}/{EVSE}/actual-status", json={"status": "Charging"})
    told = await plan(sensor, appliesWhen="idle")
    assert told["shown"]["driverApp"] == {"status": "CHARGING", "because": "the charger reports Charging"}


async def test_in_stock_it_is_accepted_and_shown_to_nobody(admin: Client, sensor: Client) -> None:
    await register(admin, deploymentState="STOCK")
    told = await plan(sensor)
    assert told["state"] == "active"
    assert {one["status"] for one in told["shown"].values()} == {None}


async def test_a_read_right_after_shows_the_write(
    admin: Client, sensor: Client, reader: Client, clock: FrozenClock
) -> None:
    await register(admin)
    for hour in range(5):
        clock.advance(timedelta(hours=1))
        told = await plan(sensor, reason=f"car {hour}")
        read = await get(reader, f"{STATUSES}/{told['id']}")
        assert read == {name: value for name, value in told.items() if name not in {"overlaps", "shown"}}
        assert read in await get(reader, STATUSES)
        assert read in (await get(reader, f"{EVSES}/{EVSE}"))["temporaryStatuses"]


async def test_an_evse_that_is_not_registered_is_not_found(sensor: Client) -> None:
    answer = await sensor.post(STATUSES, json={"evseId": "DE*ABC*E404", "temporaryStatus": "BLOCKED"})
    refusal(answer, 404, "evse-not-found", pointer="/evseId")


async def test_an_evse_id_that_fits_several_evses_is_refused(admin: Client, sensor: Client) -> None:
    await register(admin, "DE*ABC*E1*23", uid="a")
    await register(admin, "DE*ABC*E12*3", uid="b")
    answer = await sensor.post(STATUSES, json={"evseId": "DEABCE123", "temporaryStatus": "BLOCKED"})
    problem = refusal(answer, 409, "ambiguous-evse", pointer="/evseId")
    assert "DE*ABC*E1*23" in problem["detail"]
    assert (await plan(sensor, "DE*ABC*E12*3"))["evseId"] == "DE*ABC*E12*3"
