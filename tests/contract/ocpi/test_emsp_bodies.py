"""What may be in a PATCH and in a PUT: each of these is wrong in one way, and what is right passes in every version."""

from typing import Any

import pytest

from app.channels.ocpi.converting import evse_object, location_object
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.periods import Period
from app.channels.ocpi.simulator import Behaviour
from app.channels.ocpi.status import Status
from app.domain.location import PublishedLocation
from tests.contract.ocpi.given import NOW, an_evse
from tests.contract.ocpi.published import published_evse, published_location
from tests.contract.ocpi.sending import (
    HERE,
    KEY,
    PLACE,
    VERSIONS,
    a_patch,
    a_period,
    at,
    said,
    sending,
    whole_evse,
    whole_location,
)

PERIODS = [a_period("09:00", "10:00"), a_period("10:00", "11:00", "BLOCKED"), a_period("12:00", None, "REMOVED")]


@pytest.mark.parametrize("version", VERSIONS)
async def test_everything_that_a_cpo_may_send_passes_and_can_be_read_back(version: str) -> None:
    async with sending(version) as sender:
        location, evse = whole_location(version), whole_evse(version, 1, status_schedule=PERIODS)
        for answer in (
            await sender.send("PUT", PLACE, body=location),
            await sender.send("PUT", HERE, body=evse),
            await sender.patch(2, status="CHARGING"),
            await sender.patch(2, status_schedule=PERIODS[1:]),
            await sender.patch(3, status_schedule=[]),
            await sender.patch(4, uid="1001-1", status="REMOVED"),
        ):
            assert said(answer) == (200, 1000)
        assert sender.emsp.wrong == []
        assert sender.emsp.shown == {KEY: "REMOVED"}
        assert sender.emsp.schedules == {}
        stored = {**evse, "status": "REMOVED", "status_schedule": [], "last_updated": at(4)}
        assert (await sender.get()).json()["data"] == stored
        assert (await sender.get(f"{HERE}/1")).json()["data"] == stored["connectors"][0]
        assert (await sender.get(PLACE)).json()["data"] == {**location, "last_updated": at(4), "evses": [stored]}
        assert said(await sender.get("/DE/XPO/ELSEWHERE")) == (404, 2003)
        assert said(await sender.get(f"{HERE}/2")) == (404, 2003)
        assert sender.emsp.wrong == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("body", "objection"),
    [
        (a_patch(status="AVAILABLE", status_schedule=[]), "in one PATCH"),
        (a_patch(status=None), "status None"),
        (a_patch(status_schedule=None), "not a list"),
        (a_patch(status_schedule=a_period()), "not a list"),
        (a_patch(status_schedule=["09:00"]), "[0] is not an object"),
        (a_patch(status_schedule=[{**a_period(), "reason": "MAINTENANCE"}]), "has reason"),
        (a_patch(status_schedule=[a_period(status="MAINTENANCE")]), "[0]: status 'MAINTENANCE'"),
        (a_patch(status_schedule=[{"status": "BLOCKED"}]), "no status_schedule[0].period_begin"),
        (a_patch(status_schedule=[a_period("09:00", "09:00")]), "not after it begins"),
        (a_patch(status_schedule=[a_period("09:00", "08:00")]), "not after it begins"),
        (a_patch(status_schedule=PERIODS[1::-1]), "not sorted"),
        (a_patch(status_schedule=[a_period("09:00", "10:01"), PERIODS[1]]), "overlap"),
        (a_patch(status_schedule=[a_period("09:00", None), PERIODS[1]]), "overlap"),
        (a_patch(status_schedule=[{**a_period(), "period_begin": "2026-11-21T09:00:00"}]), "not UTC with Z"),
        (a_patch(status_schedule=[{**a_period(), "period_end": "2026-11-21T11:00:00+01:00"}]), "not UTC with Z"),
        (a_patch(status="AVAILABLE", connectors=[]), "connectors"),
        (a_patch(status="AVAILABLE", floor_level="mezzanine"), "floor_level"),
    ],
    ids=lambda one: str(one)[:60],
)
async def test_a_wrong_patch_is_told_apart(version: str, body: dict[str, Any], objection: str) -> None:
    async with sending(version) as sender:
        assert said(await sender.send(body=body)) == (200, 2001)
        (found,) = sender.emsp.wrong
        assert objection in found
        assert not sender.emsp.evses


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("different", "objection"),
    [
        ({"uid": "1001-2"}, "the uid in the body"),
        ({"connectors": []}, "connectors"),
        ({"status": "OUT_OF_SERVICE"}, "status"),
        ({"status_schedule": a_period()}, "status_schedule"),
        ({"status_schedule": PERIODS[1::-1]}, "not sorted"),
        ({"last_updated": "2026-11-21T08:30:00"}, "not UTC with Z"),
        ({"evse_id": "x" * 49}, "evse_id"),
    ],
    ids=lambda one: str(one)[:60],
)
async def test_a_wrong_evse_is_told_apart(version: str, different: dict[str, Any], objection: str) -> None:
    async with sending(version) as sender:
        assert said(await sender.put_evse(**different)) == (200, 2001)
        (found,) = sender.emsp.wrong
        assert objection in found
        assert not sender.emsp.evses


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("different", "objection"),
    [
        ({"id": "ELSEWHERE"}, "the id in the body"),
        ({"address": None}, "address"),
        ({"last_updated": "2026-11-21T08:30:00"}, "not UTC with Z"),
        ({"evses": [{"uid": "1001-1"}]}, "evses[0]"),
        ({"evses": "later"}, "older than that of its EVSE"),
        ({"evses": "twice"}, "twice"),
    ],
    ids=lambda one: str(one)[:60],
)
async def test_a_wrong_location_is_told_apart(version: str, different: dict[str, Any], objection: str) -> None:
    by_name = {"later": [whole_evse(version, 1)], "twice": [whole_evse(version)] * 2}
    different = {name: by_name.get(str(value), value) for name, value in different.items()}
    async with sending(version) as sender:
        assert said(await sender.put_location(**different)) == (200, 2001)
        (found,) = sender.emsp.wrong
        assert objection in found
        assert not sender.emsp.locations


@pytest.mark.parametrize("different", [{"country_code": "NL"}, {"party_id": "ABC"}])
async def test_a_location_belongs_to_the_party_in_the_url(different: dict[str, Any]) -> None:
    async with sending() as sender:
        await sender.put_location(**different)
        assert "country_code and party_id in the body" in sender.emsp.wrong[0]


@pytest.mark.parametrize("version", VERSIONS)
async def test_another_versions_object_is_told_apart(version: str) -> None:
    other = "2.1.1" if version != "2.1.1" else "2.2.1"
    async with sending(version) as sender:
        assert said(await sender.send("PUT", HERE, body=whole_evse(other))) == (200, 2001)
        assert said(await sender.send("PUT", PLACE, body=whole_location(other))) == (200, 2001)
        assert len(sender.emsp.wrong) == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_field_that_the_version_does_not_have_is_wrong_but_in_2_3_0(version: str) -> None:
    async with sending(version) as sender:
        connector = {**whole_evse(version)["connectors"][0], "colour": "red"}
        await sender.patch(1, status="BLOCKED", reason="MAINTENANCE")
        await sender.put_evse(2, connectors=[connector])
        await sender.put_location(2, solar=True)
        if version == "2.3.0":
            assert sender.emsp.wrong == []
            assert dict(sender.emsp.unknown) == {"reason": 1, "connectors.colour": 1, "solar": 1}
        else:
            assert [one.partition(": ")[2] for one in sender.emsp.wrong] == [
                "unknown fields reason",
                "unknown fields connectors.colour",
                "unknown fields solar",
            ]


async def test_fields_that_were_imported_may_pass() -> None:
    async with sending(passes={"solar", "colour"}) as sender:
        connector = {**whole_evse()["connectors"][0], "colour": "red"}
        await sender.put_location(solar=True)
        await sender.put_evse(connectors=[connector])
        assert sender.emsp.wrong == []
        assert dict(sender.emsp.unknown) == {"solar": 1, "connectors.colour": 1}


@pytest.mark.parametrize("source", VERSIONS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_what_was_imported_in_one_version_is_right_in_the_words_of_each(version: str, source: str) -> None:
    release = RELEASES[version]
    evse = an_evse(ocpi_object=published_evse(source, own=1), ocpi_version=source, location="L1")
    published = PublishedLocation(
        country="DE", party="XPO", id="L1", ocpi_object=published_location(source, own=1), ocpi_version=source
    )
    schedule = [Period(NOW, None, Status.PLANNED)]
    written = evse_object(release, evse, status=Status.INOPERATIVE, schedule=schedule, last_updated=NOW)
    location = location_object(release, published, last_updated=NOW)
    assert written is not None
    assert location is not None
    async with sending(version, passes={"own"}, behaviour=Behaviour(strict_locations=True)) as sender:
        assert said(await sender.send("PUT", "/DE/XPO/L1", body=location)) == (200, 1000)
        assert said(await sender.send("PUT", "/DE/XPO/L1/1001-1", body=written)) == (200, 1000)
        assert sender.emsp.wrong == []
        assert sender.emsp.unknown == ({"own": 2} if version == source else {})
