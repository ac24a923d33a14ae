"""An eMSP that pulls: what it makes of the pages, all of them or those of a delta."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from app.channels.ocpi.emsp_view import compare
from app.channels.ocpi.release import Party
from app.channels.transport import LARGEST_ANSWER
from tests.contract.ocpi.offering import Page, a_site, on, pulling
from tests.contract.ocpi.sending import VERSIONS, a_period, at, whole_evse, whole_location


@pytest.mark.parametrize("version", VERSIONS)
async def test_all_pages_make_one_view(version: str) -> None:
    async with pulling(version) as pull:
        view = await pull()
        assert pull.emsp.wrong == []
        assert list(view.locations) == [f"LOC{number}" for number in range(5)]
        assert view.shown == {f"LOC{number}/{number}-{one}": "AVAILABLE" for number in range(5) for one in (1, 2)}
        assert view.latest == at(1)
        pages = [query for path, query, _ in pull.publisher.asked if path.endswith("/locations")]
        assert pages == [{}, {"offset": "2"}, {"offset": "4"}]


async def test_only_the_module_itself_is_told_from_whom_and_for_whom() -> None:
    async with pulling() as pull:
        await pull(to=Party("DE", "XPO"), limit=1)
        for path, _, headers in pull.publisher.asked:
            routed = {name for name in headers if name.startswith("ocpi-")}
            assert len(routed) == (4 if path.endswith("/locations") else 0)
        ids = [headers["x-request-id"] for _, _, headers in pull.publisher.asked]
        assert len(set(ids)) == len(ids) == 7
        assert pull.emsp.wrong == []


async def test_nothing_at_all_is_an_empty_view() -> None:
    async with pulling(sites=0) as pull:
        view = await pull()
        assert (view.locations, view.evses, view.latest) == ({}, {}, None)
        assert (await pull(since=view)).latest is None
        assert pull.emsp.wrong == []


async def test_a_page_may_be_larger_than_what_a_partner_answers_to_a_push() -> None:
    async with pulling() as pull:
        evses = [whole_evse(second=1, uid=f"{one}") for one in range(1000)]
        pull.publisher.locations = [whole_location(second=1, evses=evses)]
        view = await pull()
        assert len(view.evses) == 1000
        assert sum(len(f"{one}") for one in evses) > LARGEST_ANSWER
        assert pull.emsp.wrong == []


async def test_a_delta_pull_changes_what_changed_and_keeps_the_rest() -> None:
    async with pulling() as pull:
        before = await pull()
        pull.publisher.locations[3] = a_site("2.2.1", 3, 7, status="BLOCKED", status_schedule=[a_period()])
        pull.publisher.locations.append(a_site("2.2.1", 9, 8))
        pull.publisher.asked.clear()
        after = await pull(since=before)
        assert pull.publisher.asked[-1][1]["date_from"] == at(1)
        assert pull.emsp.wrong == []
        assert (after.shown["LOC3/3-1"], after.shown["LOC0/0-1"]) == ("BLOCKED", "AVAILABLE")
        assert after.schedules == {"LOC3/3-1": [a_period()], "LOC3/3-2": [a_period()]}
        assert after.latest == at(8)
        assert compare(after, await pull()) == []
        assert len(compare(before, after)) == 6


async def test_a_location_that_is_on_two_pages_is_there_twice() -> None:
    async with pulling(sites=3) as pull:
        pull.publisher.locations[2] = pull.publisher.locations[0]
        view = await pull()
        assert list(view.locations) == ["LOC0", "LOC1"]
        assert len(view.evses) == 4
        assert [one.partition(": ")[2] for one in pull.emsp.wrong] == ["Location LOC0 is there twice"]


async def test_a_list_that_changes_while_it_is_read_is_nobodys_fault() -> None:
    async with pulling(sites=4) as pull:

        def one_more_in_front(page: Page) -> None:
            if page.what == "locations" and len(pull.publisher.locations) == 4:
                pull.publisher.locations.insert(0, a_site("2.2.1", 7))

        pull.publisher.twist = one_more_in_front
        await pull()
        assert pull.emsp.wrong == []


async def test_the_link_to_the_next_page_keeps_what_was_asked_for() -> None:
    async with pulling() as pull:
        before = await pull()

        def forget(page: Page) -> None:
            if "Link" in page.headers:
                page.headers["Link"] = page.headers["Link"].replace("date_from", "since").replace("limit", "most")

        pull.publisher.twist = forget
        await pull(since=before, limit=2)
        assert any("loses date_from=" in one for one in pull.emsp.wrong)
        assert any("loses limit=2" in one for one in pull.emsp.wrong)


DELTA: list[tuple[Callable[[list[dict[str, Any]]], Any], str]] = [
    (lambda all_: all_[0]["evses"][0].update(status="BLOCKED"), "EVSE LOC0/0-1: changed, and last_updated is still"),
    (lambda all_: all_[0]["evses"][0].update(status="BLOCKED"), "Location LOC0: an EVSE changed, and last_updated"),
    (lambda all_: all_[0].update(name="new"), "Location LOC0: changed, and last_updated is still"),
    (lambda all_: all_[0]["evses"][0].update(last_updated=at(0), status="BLOCKED"), "EVSE LOC0/0-1: last_updated went"),
    (lambda all_: all_[0]["evses"].pop(), "EVSE LOC0/0-2 vanished"),
    (lambda all_: all_.reverse(), "another order"),
    (lambda all_: all_.insert(0, a_site("2.2.1", 9)), "another order"),
]


async def test_what_changes_moves_in_time_and_nothing_vanishes() -> None:
    async with pulling() as pull:
        untouched = deepcopy(pull.publisher.locations)
        before = await pull()
        await pull(since=before)
        assert pull.emsp.wrong == []
        for change, objection in DELTA:
            pull.publisher.locations = deepcopy(untouched)
            change(pull.publisher.locations)
            del pull.emsp.wrong[:]
            await pull(since=before)
            assert any(objection in one for one in pull.emsp.wrong), (objection, pull.emsp.wrong)


async def test_an_evse_that_stands_elsewhere_now_has_not_vanished() -> None:
    async with pulling() as pull:
        before = await pull()
        moved = pull.publisher.locations[0]["evses"].pop()
        pull.publisher.locations[1]["evses"].append(moved)
        for site in pull.publisher.locations[:2]:
            site["last_updated"] = at(2)
        after = await pull(since=before)
        assert (moved["uid"], pull.emsp.wrong) == ("0-2", [])
        assert "LOC1/0-2" in after.shown
        assert "LOC0/0-2" not in after.shown


async def test_what_is_older_than_what_was_asked_for_is_wrong() -> None:
    async with pulling() as pull:
        before = await pull()
        old = {**a_site("2.2.1", 9, 0), "last_updated": "2020-01-01T00:00:00.000Z"}
        pull.publisher.twist = on("locations", lambda page: page.envelope.update(data=[old]))
        await pull(since=before)
        assert any("LOC9 is of" in one and "before date_from" in one for one in pull.emsp.wrong)
