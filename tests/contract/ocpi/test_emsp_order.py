"""Whether what comes follows upon what came: `last_updated` rises, and nothing about one EVSE comes twice at once."""

import asyncio
from typing import Any

import pytest

from tests.contract.ocpi.sending import (
    HERE,
    PLACE,
    Sender,
    a_patch,
    a_period,
    said,
    sending,
    whole_evse,
    whole_location,
)

LATER = [a_period()]
Request = tuple[str, str, dict[str, Any]]


def patch(second: float, **told: Any) -> Request:
    return "PATCH", HERE, a_patch(second, **told)


def put(second: float, **different: Any) -> Request:
    return "PUT", HERE, whole_evse(second=second, **different)


def put_place(second: float, **different: Any) -> Request:
    return "PUT", PLACE, whole_location(second=second, **different)


async def objections(sender: Sender, *requests: Request) -> list[str]:
    for method, path, body in requests:
        await sender.send(method, path, body=body)
    return sender.emsp.wrong


@pytest.mark.parametrize(
    "requests",
    [
        (patch(1, status="BLOCKED"), patch(1, status="BLOCKED")),
        (patch(1, status="BLOCKED"), patch(1, status_schedule=LATER), patch(1, status="BLOCKED")),
        (patch(1, status_schedule=LATER), patch(1, status="BLOCKED"), patch(1, status_schedule=LATER)),
        (patch(1, status="BLOCKED"), put(1, status="BLOCKED"), patch(1, status="BLOCKED")),
        (patch(1, status_schedule=LATER), put(1, status_schedule=LATER), put(1, status_schedule=LATER)),
        (put(1, status_schedule=None), patch(1, status_schedule=[])),
        (put(1), patch(1, status_schedule=LATER), put(1)),
        (put_place(2, evses=[whole_evse()]), put(1)),
        (put_place(1), put_place(1)),
    ],
    ids=repr,
)
async def test_the_same_may_be_told_again_and_the_aspects_share_a_time(requests: tuple[Request, ...]) -> None:
    async with sending() as sender:
        assert await objections(sender, *requests) == []


@pytest.mark.parametrize(
    ("requests", "objection"),
    [
        ((patch(1, status="BLOCKED"), patch(0.999, status="BLOCKED")), "went back"),
        ((patch(1, status="BLOCKED"), patch(0, status_schedule=LATER)), "went back"),
        ((patch(1, status_schedule=LATER), put(0, status_schedule=LATER)), "went back"),
        ((put(1), patch(0, status="BLOCKED")), "went back"),
        ((patch(1, status="BLOCKED"), patch(1, status="RESERVED")), "status BLOCKED and RESERVED have the same"),
        ((patch(1, status_schedule=LATER), patch(1, status_schedule=[])), "status_schedule"),
        ((put(1), patch(1, status="BLOCKED")), "status AVAILABLE and BLOCKED have the same"),
        ((patch(1, status_schedule=LATER), put(1, status_schedule=[])), "status_schedule"),
        ((put(1, status_schedule=None), patch(1, status_schedule=LATER)), "status_schedule"),
        ((put(1), put(1, floor_level="1")), "the rest"),
        ((put(1), put_place(2, evses=[whole_evse()])), "went back"),
        ((put_place(1), put_place(0)), "XPO-LARKENAU: last_updated went back"),
        ((put_place(1), put_place(1, name="Larkenau")), "location"),
    ],
    ids=lambda one: str(one)[:60],
)
async def test_what_is_older_or_changes_without_a_new_time_is_wrong(
    requests: tuple[Request, ...], objection: str
) -> None:
    async with sending() as sender:
        (found,) = await objections(sender, *requests)
        assert objection in found


async def test_a_failure_does_not_let_a_sender_go_back() -> None:
    async with sending() as sender:
        sender.emsp.faults.script("500")
        (found,) = await objections(sender, patch(2, status="BLOCKED"), patch(1, status="RESERVED"))
        assert "went back" in found


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (patch(1, status="BLOCKED"), patch(1, status_schedule=LATER)),
        (patch(1, status="BLOCKED"), put(1, status="BLOCKED")),
        (put(1), patch(1, status_schedule=[])),
        (put_place(1), put_place(1)),
    ],
    ids=repr,
)
async def test_two_requests_about_one_thing_at_once_are_wrong(first: Request, second: Request) -> None:
    async with sending() as sender:
        sender.emsp.delay = 60
        tasks = [asyncio.create_task(sender.send(method, path, body=body)) for method, path, body in (first, second)]
        done, waiting = await asyncio.wait(tasks, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        assert [said(one.result()) for one in done] == [(200, 2001)]
        assert "two requests under way at once" in sender.emsp.wrong[0]
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
