"""That each trouble is what it says, over a socket: what is answered, and what is applied when."""

import asyncio
from typing import get_args

import httpx
import pytest

from app.channels.ocpi.emsp_behaviour import REQUEST_KINDS, Behaviour, Trouble
from app.channels.ocpi.emsp_body import Change
from app.channels.ocpi.emsp_late import LateChanges
from app.channels.ocpi.judging import Address
from tests.contract.ocpi.sending import (
    KEY,
    PLACE,
    Sender,
    hang_up,
    said,
    sending,
    sending_over_a_socket,
    until,
)

ANSWERED: dict[Trouble, tuple[int, int | None]] = {
    "401": (401, 2000),
    "429": (429, 2000),
    "500": (500, 3000),
    "503": (503, 3000),
    "2000": (200, 2000),
    "2001": (200, 2001),
    "2003": (404, 2003),
    "3000": (200, 3000),
    "502": (502, None),
    "garbage": (200, None),
    "bad-json": (200, None),
}
APPLIED: set[Trouble] = {"cut", "slow"}
APPLIED_LATER: set[Trouble] = {"late", "late-500", "late-silent"}


def test_all_troubles_are_here() -> None:
    assert {*ANSWERED, *APPLIED, *APPLIED_LATER} == set(get_args(Trouble))


@pytest.mark.parametrize("trouble", ANSWERED)
async def test_a_no_of_any_kind_applies_nothing(trouble: Trouble) -> None:
    async with sending() as sender:
        sender.emsp.faults.script(trouble)
        answer = await sender.send()
        http, ocpi = ANSWERED[trouble]
        assert answer.status_code == http
        if ocpi is None:
            with pytest.raises(ValueError):
                answer.json()
        else:
            assert answer.json()["status_code"] == ocpi
        assert answer.headers.get("Retry-After") == ("1" if trouble in {"429", "503"} else None)
        assert (sender.emsp.shown, sender.emsp.wrong) == ({}, [])
        assert said(await sender.send()) == (200, 1000)


async def test_a_partner_may_ask_to_retry_without_saying_when() -> None:
    async with sending(behaviour=Behaviour(retry_after=None)) as sender:
        sender.emsp.fault = "429"
        assert "Retry-After" not in (await sender.send()).headers


async def test_what_is_cut_off_was_applied() -> None:
    async with sending_over_a_socket() as sender:
        sender.emsp.faults.script("cut")
        with pytest.raises(httpx.RemoteProtocolError):
            await sender.send()
        assert sender.emsp.shown == {KEY: "AVAILABLE"}


async def test_who_is_slow_has_applied_it_before_the_answer() -> None:
    async with sending_over_a_socket() as sender:
        sender.emsp.fault = "slow"
        await hang_up(sender)
        assert sender.emsp.shown == {KEY: "AVAILABLE"}
        sender.emsp.slow_by = 0.01
        assert said(await sender.send()) == (200, 1000)


@pytest.mark.parametrize("trouble", sorted(APPLIED_LATER))
async def test_what_is_late_comes_over_what_is_newer(trouble: Trouble) -> None:
    async with sending_over_a_socket() as sender:
        sender.emsp.late_by = 3600
        sender.emsp.faults.script(trouble)
        await unanswered(sender, trouble, status="BLOCKED")
        assert (sender.emsp.shown, sender.emsp.pending) == ({}, 1)
        assert said(await sender.patch(2, status="CHARGING")) == (200, 1000)
        assert sender.emsp.shown == {KEY: "CHARGING"}
        sender.emsp.apply_pending()
        assert (sender.emsp.shown, sender.emsp.pending) == ({KEY: "BLOCKED"}, 0)
        assert [one.status for one in sender.emsp.received] == ["CHARGING", "BLOCKED"]
        assert sender.emsp.wrong == []


async def unanswered(sender: Sender, trouble: Trouble, **told: str) -> None:
    """Send as of the first second, and have it not answered as it was hoped."""
    if trouble == "late":
        with pytest.raises(httpx.RemoteProtocolError):
            await sender.patch(1, **told)
    elif trouble == "late-500":
        assert said(await sender.patch(1, **told)) == (500, 3000)
    else:
        await hang_up(sender, body={"last_updated": "2026-11-21T08:30:01.000Z", **told})
        await until(lambda: not sender.emsp.under_way)


async def test_who_compares_times_drops_what_is_late_and_older() -> None:
    async with sending(behaviour=Behaviour(checks_order=True)) as sender:
        sender.emsp.late_by = 3600
        sender.emsp.faults.script("late-500", None, "late-500")
        await sender.patch(1, status="BLOCKED")
        await sender.patch(2, status="CHARGING")
        await sender.patch(3, status="RESERVED")
        sender.emsp.apply_pending()
        assert sender.emsp.shown == {KEY: "RESERVED"}
        assert [one.status for one in sender.emsp.received] == ["CHARGING", "RESERVED"]


async def test_settled_means_that_everything_late_has_come() -> None:
    async with sending() as sender:
        await sender.emsp.settled()  # nothing to wait for
        sender.emsp.faults.script("late-500", "late-500")
        sender.emsp.late_by = 3600
        await sender.put_location(1)
        sender.emsp.late_by = 0.01
        await sender.patch(1, f"{PLACE}2/1", status="BLOCKED")
        settled = asyncio.create_task(sender.emsp.settled())
        await until(lambda: sender.emsp.shown)
        assert (sender.emsp.pending, settled.done()) == (1, False)
        sender.emsp.apply_pending()
        await asyncio.wait_for(settled, 30)
        assert (sender.emsp.pending, len(sender.emsp.shown), len(sender.emsp.locations)) == (0, 1, 1)
        assert sender.emsp.wrong == []


async def test_settled_is_not_only_the_first_of_two() -> None:
    applied: list[str] = []
    late = LateChanges(lambda change: applied.append(change.key))
    for location, seconds in (("soon", 0.01), ("hours later", 3600)):
        late.put_off(Change("PUT location", Address("DE", "XPO", location), {}), seconds)
    none_left = asyncio.create_task(late.none_left())
    await until(lambda: applied == ["soon"])
    await asyncio.sleep(0.01)
    assert not none_left.done()
    late.apply_all()
    await asyncio.wait_for(none_left, 30)
    assert applied == ["soon", "hours later"]


async def test_a_location_that_comes_late_wipes_what_came_before_it() -> None:
    async with sending() as sender:
        sender.emsp.late_by = 3600
        sender.emsp.faults_of["PUT location"].script("late-500")
        await sender.put_location(1)
        await sender.put_evse(2)
        assert sender.emsp.shown == {KEY: "AVAILABLE"}
        sender.emsp.apply_pending()
        assert sender.emsp.shown == {}
        assert sender.emsp.wiped == [KEY]


async def test_one_kind_of_requests_may_be_in_trouble_alone() -> None:
    async with sending() as sender:
        sender.emsp.faults_of["PATCH schedule"].always = "500"
        sender.emsp.faults_of["GET"].script("503")
        sender.emsp.faults.script("3000")
        assert said(await sender.patch(1, status_schedule=[])) == (500, 3000)
        assert said(await sender.patch(1, status="BLOCKED")) == (200, 3000)
        assert said(await sender.patch(1, status="BLOCKED")) == (200, 1000)
        assert said(await sender.get()) == (503, 3000)
        assert said(await sender.get()) == (200, 1000)
        assert said(await sender.patch(2, status_schedule=[])) == (500, 3000)
        sender.emsp.faults_of["PATCH schedule"].peace()
        assert said(await sender.patch(2, status_schedule=[])) == (200, 1000)
        kinds = [(one.kind, one.trouble) for one in sender.emsp.requests]
        assert kinds == [
            ("PATCH schedule", "500"),
            ("PATCH status", "3000"),
            ("PATCH status", None),
            ("PATCH schedule", "500"),
            ("PATCH schedule", None),
        ]


async def drawn(seed: int) -> list[Trouble | None]:
    async with sending() as sender:
        sender.emsp.faults.draw({None: 5, "500": 3, "3000": 2}, seed)
        for second in range(100):
            await sender.patch(second, status="BLOCKED")
        return [one.trouble for one in sender.emsp.requests]


async def test_what_is_drawn_is_the_same_for_the_same_seed() -> None:
    first, again, other = await drawn(1), await drawn(1), await drawn(2)
    assert first == again != other
    assert 30 < first.count(None) < 70
    assert set(first) == {None, "500", "3000"}


@pytest.mark.parametrize("kind", REQUEST_KINDS)
async def test_every_kind_of_request_can_fail(kind: str) -> None:
    async with sending() as sender:
        await sender.put_location(0)
        await sender.put_evse(0)
        faults = {name: one for name, one in sender.emsp.faults_of.items() if name == kind}
        for one in faults.values():
            one.always = "3000"
        answers = {
            "PATCH status": await sender.patch(1, status="BLOCKED"),
            "PATCH schedule": await sender.patch(1, status_schedule=[]),
            "PUT evse": await sender.put_evse(1, status="BLOCKED"),
            "PUT location": await sender.put_location(1),
            "GET": await sender.get(PLACE),
        }
        assert {name for name, answer in answers.items() if said(answer) != (200, 1000)} == {kind}
