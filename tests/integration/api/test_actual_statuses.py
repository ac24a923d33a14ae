"""What chargers really do, reported one at a time and by the thousand."""

from datetime import timedelta
from typing import Any

import pytest

from app.service import Service
from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, EVSES, NOW, REPORTS, Client, get, good, refusal, register

HERE = f"{EVSES}/{EVSE}"
REPORT = f"{HERE}/actual-status"
WORDS = {
    "Available": "AVAILABLE",
    "SuspendedEV": "CHARGING",
    "Occupied": "BLOCKED",
    "Unavailable": "INOPERATIVE",
    "Faulted": "OUTOFORDER",
    "AVAILABLE": "AVAILABLE",
    "OUTOFORDER": "OUTOFORDER",
}


async def test_words_of_ocpp_and_ocpi_are_understood_and_kept(admin: Client, subtests: pytest.Subtests) -> None:
    await register(admin)
    for reported, actual in WORDS.items():
        with subtests.test(reported):
            told = good(await admin.put(REPORT, json={"status": reported}))
            assert told == {
                "evseId": EVSE,
                "actualStatus": actual,
                "reported": reported,
                "observedAt": NOW,
                "applied": True,
            }
            evse = await get(admin, HERE)
            assert (evse["actualStatus"], evse["reported"], evse["observedAt"]) == (actual, reported, NOW)
            assert evse["presented"]["driverApp"]["why"] == f"the charger reports {reported}"


async def test_older_is_ignored_equal_counts_and_too_far_ahead_means_now(admin: Client) -> None:
    await register(admin)
    tells = [
        ("Charging", "2026-03-01T08:55:00+01:00", True, "CHARGING", "2026-03-01T07:55:00.000Z"),
        ("Available", "2026-03-01T07:54:59.999Z", False, "CHARGING", "2026-03-01T07:55:00.000Z"),
        ("Faulted", "2026-03-01T07:55:00Z", True, "OUTOFORDER", "2026-03-01T07:55:00.000Z"),
        ("Charging", "2026-03-01T08:05:00.001Z", True, "CHARGING", NOW),
        ("Available", "2026-03-01T08:05:00Z", True, "AVAILABLE", "2026-03-01T08:05:00.000Z"),
    ]
    for reported, observed_at, applied, actual, kept in tells:
        told = good(await admin.put(REPORT, json={"status": reported, "observedAt": observed_at}))
        assert (told["applied"], told["actualStatus"], told["observedAt"]) == (applied, actual, kept), observed_at


async def test_ocpis_removed_deprecates_the_evse(admin: Client) -> None:
    await register(admin)
    await admin.put(REPORT, json={"status": "Charging"})
    assert good(await admin.put(REPORT, json={"status": "REMOVED"}))["actualStatus"] == "CHARGING"
    assert (await get(admin, HERE))["deploymentState"] == "DEPRECATED"


async def test_a_report_that_cannot_be_read_is_refused_by_its_field(admin: Client, subtests: pytest.Subtests) -> None:
    await register(admin)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"status": "Sleeping"}, "/status"),
        ({"status": "available"}, "/status"),
        ({"status": "Available\n"}, "/status"),
        ({"status": None}, "/status"),
        ({"status": ""}, "/status"),
        ({"status": "x" * 41}, "/status"),
        ({}, "/status"),
        ({"status": "Available", "observedAt": "2026-03-01T08:00:00"}, "/observedAt"),
        ({"status": "Available", "observedAt": 1772352000}, "/observedAt"),
        ({"status": "Available", "connector": 1}, "/connector"),
    ]
    for body, pointer in wrong:
        with subtests.test(str(body)):
            refusal(await admin.put(REPORT, json=body), 400, pointer=pointer)
    assert (await get(admin, HERE))["reported"] is None
    answer = await admin.put(f"{EVSES}/DE*ABC*E404/actual-status", json={"status": "Available"})
    refusal(answer, 404, "evse-not-found", parameter="evseId")


async def test_each_of_many_reports_is_judged_by_itself_in_order(admin: Client, clock: FrozenClock) -> None:
    await register(admin)
    await admin.put(REPORT, json={"status": "Available"})
    clock.advance(timedelta(minutes=1))
    reports = [
        {"evseId": EVSE, "status": "Faulted", "observedAt": "2026-03-01T07:00:00Z"},
        {"evseId": "DE*ABC*E404", "status": "Available"},
        {"evseId": "nonsense", "status": "Available"},
        {"evseId": EVSE, "status": "Sleeping"},
        {"evseId": EVSE, "status": "Available", "observedAt": "2026-03-01T08:00:00"},
        {"evseId": EVSE, "status": "Charging"},
    ]

    results = good(await admin.post(REPORTS, json=reports))

    assert [one["evseId"] for one in results] == [one["evseId"] for one in reports]
    assert [(one["status"], one["applied"], one["type"], one["pointer"]) for one in results] == [
        (200, False, None, None),
        (404, False, "urn:evse-status:problem:evse-not-found", "/evseId"),
        (400, False, "urn:evse-status:problem:malformed-evse-id", "/evseId"),
        (400, False, "urn:evse-status:problem:malformed-value", "/status"),
        (400, False, "urn:evse-status:problem:malformed-time", "/observedAt"),
        (200, True, None, None),
    ]
    assert all(one["detail"] for one in results[1:5])
    assert (await get(admin, HERE))["actualStatus"] == "CHARGING"


async def test_a_thousand_at_once_and_not_one_more(admin: Client) -> None:
    await register(admin)
    reports = [{"evseId": EVSE, "status": "Charging" if number % 2 else "Available"} for number in range(1000)]
    results = good(await admin.post(REPORTS, json=reports))
    assert len(results) == 1000
    assert all(one["applied"] for one in results)
    assert (await get(admin, HERE))["actualStatus"] == "CHARGING", "equal times: the last one wins"

    answer = await admin.post(REPORTS, json=[*reports, {"evseId": EVSE, "status": "Available"}])
    refusal(answer, 400, pointer="")
    assert (await get(admin, HERE))["actualStatus"] == "CHARGING"


async def test_many_reports_with_one_malformed_are_refused_whole(admin: Client, subtests: pytest.Subtests) -> None:
    await register(admin)
    wrong: list[tuple[Any, str]] = [
        ([{"evseId": EVSE, "status": "Available"}, {"evseId": EVSE, "status": None}], "/1/status"),
        ([{"evseId": EVSE, "status": "Available"}, {"evseId": EVSE}], "/1/status"),
        ([{"evseId": EVSE, "status": "Available"}, {"evseId": EVSE, "status": "Available", "x": 1}], "/1/x"),
        ([{"evseId": EVSE, "status": "Available"}, 5], "/1"),
        ({"evseId": EVSE, "status": "Available"}, ""),
        (None, ""),
    ]
    for body, pointer in wrong:
        with subtests.test(str(body)):
            answer = (
                await admin.request("POST", REPORTS, json=body)
                if body is not None
                else await admin.post(REPORTS, content=b"null", headers={"Content-Type": "application/json"})
            )
            refusal(answer, 400, pointer=pointer)
    assert (await get(admin, HERE))["reported"] is None
    assert good(await admin.post(REPORTS, json=[])) == []


async def test_each_of_many_reports_is_told_that_nothing_can_be_written(service: Service, admin: Client) -> None:
    await register(admin)
    await service.writer.stop()
    reports = [{"evseId": EVSE, "status": "Charging"}, {"evseId": "nonsense", "status": "Charging"}]
    results = good(await admin.post(REPORTS, json=reports))
    assert [(one["status"], one["applied"]) for one in results] == [(503, False), (400, False)]
    assert good(await admin.post(REPORTS, json=[])) == []
