"""What an eMSP has after what it was sent: a PUT replaces all, a PATCH changes some."""

import pytest

from app.channels.ocpi.simulator import Behaviour
from tests.contract.ocpi.sending import KEY, PLACE, a_period, at, said, sending, whole_evse

OTHER = "XPO-LARKENAU/1001-2"
THERE = f"{PLACE}/1001-2"


async def test_the_put_of_a_location_wipes_the_evses_that_it_does_not_name() -> None:
    async with sending() as sender:
        await sender.put_location(0)
        await sender.put_evse(1, status_schedule=[a_period()])
        await sender.put_evse(1, THERE, uid="1001-2", status="BLOCKED")
        await sender.put_evse(1, "/DE/XPO/ELSEWHERE/1", uid="1")
        assert sender.emsp.schedules == {KEY: [a_period()]}
        await sender.put_location(2, evses=[whole_evse(second=2, uid="1001-2")])
        assert sender.emsp.shown == {OTHER: "AVAILABLE", "ELSEWHERE/1": "AVAILABLE"}
        assert (sender.emsp.schedules, sender.emsp.wiped) == ({}, [KEY])
        await sender.patch(2.5, THERE, status="RESERVED")
        (read,) = (await sender.get(PLACE)).json()["data"]["evses"]
        assert read["status"] == "RESERVED"
        assert "evses" not in sender.emsp.locations["XPO-LARKENAU"]
        await sender.put_location(3)
        assert sender.emsp.shown == {"ELSEWHERE/1": "AVAILABLE"}
        assert sender.emsp.wiped == [KEY, OTHER]
        assert "evses" not in (await sender.get(PLACE)).json()["data"]
        assert sender.emsp.wrong == []


async def test_the_put_of_an_evse_clears_what_it_leaves_out_and_a_patch_does_not() -> None:
    async with sending() as sender:
        await sender.put_evse(1, status_schedule=[a_period()], floor_level="1")
        await sender.patch(2, status="BLOCKED")
        assert sender.emsp.schedules == {KEY: [a_period()]}
        assert sender.emsp.evses[KEY]["floor_level"] == "1"
        await sender.put_evse(3, status="BLOCKED")
        assert sender.emsp.schedules == {}
        assert "floor_level" not in sender.emsp.evses[KEY]


async def test_the_location_moves_with_its_evse() -> None:
    async with sending() as sender:
        await sender.put_location(1)
        await sender.patch(5, status="BLOCKED")
        assert sender.emsp.locations["XPO-LARKENAU"]["last_updated"] == at(5)


async def test_an_evse_that_is_removed_stays_as_removed() -> None:
    async with sending() as sender:
        await sender.patch(1, status="REMOVED")
        assert sender.emsp.shown == {KEY: "REMOVED"}


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
async def test_who_knows_only_what_it_was_put_says_so(version: str) -> None:
    async with sending(version, known=set(), behaviour=Behaviour(strict_locations=True)) as sender:
        assert said(await sender.patch(1, status="BLOCKED")) == (404, 2003)
        assert said(await sender.put_evse(1, status="BLOCKED")) == (404, 2003)
        assert sender.emsp.shown == {}
        assert said(await sender.put_location(1)) == (200, 1000)
        assert said(await sender.patch(1, status="BLOCKED")) == (404, 2003)
        assert said(await sender.put_evse(1, status="BLOCKED")) == (200, 1000)
        assert said(await sender.patch(2, status="RESERVED")) == (200, 1000)
        await sender.put_location(3)
        assert said(await sender.patch(4, status="BLOCKED")) == (404, 2003)
        assert sender.emsp.wrong == []


async def test_who_knows_an_evse_has_its_location_too() -> None:
    async with sending(known={OTHER}, behaviour=Behaviour(strict_locations=True)) as sender:
        assert said(await sender.put_evse()) == (200, 1000)
        assert said(await sender.put_evse(path="/DE/XPO/XPO-LARK/1", uid="1")) == (404, 2003)


@pytest.mark.parametrize(("word", "http"), [("422", 422), ("2001", 200)])
async def test_who_cannot_read_schedules_refuses_whatever_has_one(word: str, http: int) -> None:
    async with sending(behaviour=Behaviour(rejects_schedules=word)) as sender:  # type: ignore[arg-type]
        for answer in (
            await sender.patch(1, status_schedule=[]),
            await sender.put_evse(1, status_schedule=[]),
            await sender.put_location(1, evses=[whole_evse(second=1, status_schedule=[])]),
        ):
            assert answer.status_code == http
            assert answer.json().get("status_code") == (2001 if http == 200 else None)
        assert sender.emsp.shown == {}
        assert said(await sender.patch(2, status="BLOCKED")) == (200, 1000)
        assert said(await sender.put_evse(2, status="BLOCKED")) == (200, 1000)
        assert sender.emsp.wrong == []


async def test_who_demands_a_uid_in_a_patch_takes_none_without() -> None:
    async with sending(behaviour=Behaviour(demands_uid=True)) as sender:
        assert said(await sender.patch(1, status="BLOCKED")) == (200, 2001)
        assert said(await sender.patch(1, status_schedule=[])) == (200, 2001)
        assert sender.emsp.shown == {}
        assert said(await sender.patch(1, uid="1001-1", status="BLOCKED")) == (200, 1000)
        assert sender.emsp.wrong == []
