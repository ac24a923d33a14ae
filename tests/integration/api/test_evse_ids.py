"""Every way to write an EVSE ID in an address."""

import pytest

from tests.integration.api.calls import EVSES, REPORTS, STATUSES, Client, get, plan, refusal, register


async def test_every_form_finds_the_evse_as_registered(admin: Client, subtests: pytest.Subtests) -> None:
    await register(admin, "De*AbC*E12*3")
    for written in (
        "De*AbC*E12*3",
        "DE*ABC*E12*3",
        "de*abc*e12*3",
        "DE%2AABC%2AE12%2A3",
        "de%2aabc%2ae12%2a3",
        "DEABCE123",
        "deabce123",
    ):
        with subtests.test(written):
            assert (await get(admin, f"{EVSES}/{written}"))["evseId"] == "De*AbC*E12*3"
            assert (await register(admin, written))["evseId"] == "De*AbC*E12*3"
            reported = await admin.put(f"{EVSES}/{written}/actual-status", json={"status": "Available"})
            assert reported.json()["evseId"] == "De*AbC*E12*3"
    assert len(await get(admin, EVSES)) == 1


async def test_written_with_separators_it_is_found_but_registered_as_the_charger_that_it_spells(admin: Client) -> None:
    await register(admin, "DE*ABC*E12*3")
    assert (await get(admin, f"{EVSES}/DE*ABC*E123"))["evseId"] == "DE*ABC*E12*3"
    assert (await register(admin, "DE*ABC*E123"))["evseId"] == "DE*ABC*E123"
    assert len(await get(admin, EVSES)) == 2


async def test_the_din_form_is_found_with_and_without_its_plus(admin: Client, subtests: pytest.Subtests) -> None:
    await register(admin, "+49*810*000*438", countryCode="DE", partyId="810")
    for written in ("+49*810*000*438", "%2B49*810*000*438", "%2B49%2A810%2A000%2A438", "49*810*000*438"):
        with subtests.test(written):
            assert (await get(admin, f"{EVSES}/{written}"))["evseId"] == "+49*810*000*438"
    with subtests.test("as a query parameter a plus must be escaped: unescaped it means a blank"):
        assert await get(admin, STATUSES, evseId="+49*810*000*438") == []
        refusal(await admin.get(f"{STATUSES}?evseId=+49*810*000*438"), 400, parameter="evseId")


async def test_separators_count_where_they_are_written(admin: Client) -> None:
    await register(admin, "DE*ABC*E1*23", uid="a")
    await register(admin, "DE*ABC*E12*3", uid="b")
    assert (await get(admin, f"{EVSES}/DE*ABC*E1*23"))["uid"] == "a"
    assert (await get(admin, f"{EVSES}/de*abc*e12*3"))["uid"] == "b"
    refusal(await admin.get(f"{EVSES}/DEABCE123"), 409, "ambiguous-evse", parameter="evseId")
    refusal(await admin.get(f"{EVSES}/DE*ABC*E123*"), 404, "evse-not-found", parameter="evseId")


async def test_what_is_no_evse_id_is_refused_wherever_it_is_written(admin: Client, subtests: pytest.Subtests) -> None:
    await register(admin)
    for written, escaped in (
        ("DE*ABC*E1\n", "DE*ABC*E1%0A"),
        (" DE*ABC*E1", "%20DE*ABC*E1"),
        ("DE*ABC*E\uff11", "DE*ABC*E%EF%BC%91"),
        ("D\u0131*ABC*E1", "D%C4%B1*ABC*E1"),
        ("DE*ABC*E1\x00", "DE*ABC*E1%00"),
        ("DE*ABC*X1", "DE*ABC*X1"),
        ("x" * 49, "x" * 49),
        ("DE*ABC*E" + "1" * 31, "DE*ABC*E" + "1" * 31),
    ):
        with subtests.test(escaped):
            refusal(await admin.get(f"{EVSES}/{escaped}"), 400, "malformed-evse-id", parameter="evseId")
            answer = await admin.put(f"{EVSES}/{escaped}", json={})
            refusal(answer, 400, "malformed-evse-id", parameter="evseId")
            answer = await admin.put(f"{EVSES}/{escaped}/actual-status", json={"status": "Available"})
            refusal(answer, 400, "malformed-evse-id", parameter="evseId")
            answer = await admin.get(STATUSES, params={"evseId": written})
            refusal(answer, 400, "malformed-evse-id", parameter="evseId")
            answer = await admin.post(STATUSES, json={"evseId": written, "temporaryStatus": "BLOCKED"})
            refusal(answer, 400, pointer="/evseId")
            answer = await admin.put(f"{STATUSES}/by-ref/r", json={"evseId": written, "temporaryStatus": "BLOCKED"})
            refusal(answer, 400, pointer="/evseId")
    assert len(await get(admin, EVSES)) == 1
    assert await get(admin, STATUSES) == []


async def test_bytes_that_are_no_utf_8_are_no_evse_id(admin: Client) -> None:
    refusal(await admin.get(f"{EVSES}/DE*ABC*E%FF"), 400, "malformed-evse-id", parameter="evseId")


async def test_one_of_many_reports_may_use_any_form(admin: Client) -> None:
    await register(admin)
    await plan(admin)
    reports = [{"evseId": written, "status": "Available"} for written in ("de*abc*e1", "DEABCE1")]
    answer = await admin.post(REPORTS, json=reports)
    assert [(one["evseId"], one["status"]) for one in answer.json()] == [("de*abc*e1", 200), ("DEABCE1", 200)]
