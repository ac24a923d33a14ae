"""Registering EVSEs, and the explanation of what is shown for one."""

from datetime import timedelta
from typing import Any

import pytest

from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, EVSES, STATUSES, Client, get, plan, refusal, register

HERE = f"{EVSES}/{EVSE}"


async def test_an_evse_is_in_stock_unless_said_otherwise(admin: Client) -> None:
    answer = await admin.put(HERE, json={})
    assert answer.status_code == 201
    told = answer.json()
    uid = told.pop("uid")
    assert uid
    assert uid.isascii()
    assert told == {
        "evseId": EVSE,
        "deploymentState": "STOCK",
        "locationId": None,
        "countryCode": "DE",
        "partyId": "ABC",
        "actualStatus": "UNKNOWN",
        "reported": None,
        "observedAt": None,
        "presented": {
            channel: {
                "status": None,
                "why": "the EVSE is in deployment state STOCK",
                "temporaryStatusId": None,
                "until": None,
            }
            for channel in ("driverApp", "oicp", "ocpi")
        },
        "temporaryStatuses": [],
        "mayShare": {"locationData": False, "evseStatus": False, "cdrs": False, "sessions": False},
    }
    assert await get(admin, HERE) == told | {"uid": uid}


async def test_what_is_left_out_of_a_change_stays(admin: Client) -> None:
    await register(admin, locationId="LOC1", countryCode="nl", partyId="xyz", uid="3256")
    before = await get(admin, HERE)
    assert (before["countryCode"], before["partyId"], before["uid"]) == ("NL", "XYZ", "3256")

    for unchanged in ({}, {"countryCode": "NL", "partyId": "xyz", "uid": "3256"}):
        # The EVSE is named by its ID alone, so the parts that name it in OCPI need not be repeated.
        answer = await admin.put(HERE, json=unchanged)
        assert (answer.status_code, answer.json()) == (200, before)

    moved = (await admin.put(HERE, json={"locationId": "LOC2"})).json()
    assert moved == before | {"locationId": "LOC2"}
    assert (await admin.put(HERE, json={"locationId": None})).json() == before | {"locationId": None}


async def test_in_production_the_strongest_is_shown_why_and_until_when(admin: Client, sensor: Client) -> None:
    await register(admin)
    await admin.put(f"{HERE}/actual-status", json={"status": "Available"})
    weaker = await plan(sensor, EVSE, "RESERVED", validTo="2026-03-01T12:00:00Z")
    stronger = await plan(sensor, EVSE, "COMMISSIONING", validTo="2026-03-01T10:00:00+01:00", reason="grid test")

    told = await get(sensor, HERE)

    assert {channel: one["status"] for channel, one in told["presented"].items()} == {
        "driverApp": "OUT_OF_SERVICE",
        "oicp": "OutOfService",
        "ocpi": "PLANNED",
    }
    for one in told["presented"].values():
        assert one["why"] == f"temporary status {stronger['id']} (COMMISSIONING): grid test"
        assert one["temporaryStatusId"] == stronger["id"]
        assert one["until"] == "2026-03-01T09:00:00.000Z"
    assert told["actualStatus"] == "AVAILABLE"
    assert [one["id"] for one in told["temporaryStatuses"]] == [weaker["id"], stronger["id"]]
    assert told["mayShare"] == {"locationData": True, "evseStatus": True, "cdrs": True, "sessions": True}


async def test_what_is_shown_changes_at_the_boundary_and_not_before(
    admin: Client, sensor: Client, clock: FrozenClock
) -> None:
    await register(admin)
    await admin.put(f"{HERE}/actual-status", json={"status": "Charging"})
    await plan(sensor, validTo="2026-03-01T09:00:00Z")
    clock.advance(timedelta(hours=1) - timedelta(milliseconds=1))
    assert (await get(sensor, HERE))["presented"]["ocpi"]["status"] == "BLOCKED"
    clock.advance(timedelta(milliseconds=1))
    told = await get(sensor, HERE)
    assert told["presented"]["ocpi"] == {
        "status": "CHARGING",
        "why": "the charger reports Charging",
        "temporaryStatusId": None,
        "until": None,
    }
    assert told["temporaryStatuses"] == []


async def test_what_is_deprecated_is_shown_as_removed(admin: Client, sensor: Client) -> None:
    await register(admin)
    await plan(sensor)
    told = (await admin.put(HERE, json={"deploymentState": "DEPRECATED"})).json()
    assert {channel: one["status"] for channel, one in told["presented"].items()} == {
        "driverApp": "REMOVED",
        "oicp": None,
        "ocpi": "REMOVED",
    }
    assert told["presented"]["ocpi"]["why"] == "the EVSE is in deployment state DEPRECATED"
    assert told["mayShare"] == {"locationData": True, "evseStatus": True, "cdrs": False, "sessions": False}


async def test_what_waited_in_stock_is_shown_when_production_begins(admin: Client, sensor: Client) -> None:
    await register(admin, deploymentState="STOCK")
    one = await plan(sensor)
    assert (await get(sensor, HERE))["temporaryStatuses"][0]["id"] == one["id"]
    await register(admin)
    assert (await get(sensor, HERE))["presented"]["oicp"]["status"] == "Occupied"
    assert (await get(sensor, f"{STATUSES}/{one['id']}"))["revision"] == 1


async def test_what_names_an_evse_in_ocpi_never_changes(admin: Client, subtests: pytest.Subtests) -> None:
    await register(admin)
    before = await get(admin, HERE)
    for field, value in {"countryCode": "NL", "partyId": "XYZ", "uid": "other"}.items():
        with subtests.test(field):
            refusal(await admin.put(HERE, json={field: value}), 409, "evse-conflict", pointer=f"/{field}")
    assert await get(admin, HERE) == before


async def test_a_uid_names_one_evse_only(admin: Client) -> None:
    await register(admin, uid="3256")
    answer = await admin.put(f"{EVSES}/DE*ABC*E2", json={"uid": "3256"})
    refusal(answer, 409, "evse-conflict", pointer="/uid")
    refusal(await admin.get(f"{EVSES}/DE*ABC*E2"), 404, "evse-not-found", parameter="evseId")


async def test_fields_that_cannot_be_read_are_named_and_not_stored(admin: Client, subtests: pytest.Subtests) -> None:
    wrong: list[tuple[str, Any]] = [
        ("deploymentState", "FIELD"),
        ("deploymentState", None),
        ("locationId", ""),
        ("locationId", "x" * 37),
        ("locationId", "LOC1\n"),
        ("locationId", "LOC\u0000"),
        ("locationId", 1),
        ("countryCode", "D"),
        ("countryCode", "DE\n"),
        ("countryCode", "\uff24\uff25"),
        ("countryCode", None),
        ("partyId", "AB\n"),
        ("partyId", "ABCD"),
        ("uid", None),
        ("uid", "a b"),
        ("uid", "a\n"),
        ("evseId", EVSE),
        ("actualStatus", "AVAILABLE"),
        ("a/b~c", 1),
    ]
    for field, value in wrong:
        with subtests.test(field, value=repr(value)):
            pointer = "/" + field.replace("~", "~0").replace("/", "~1")
            refusal(await admin.put(HERE, json={field: value}), 400, "malformed", pointer=pointer)
    assert await get(admin, EVSES) == []
