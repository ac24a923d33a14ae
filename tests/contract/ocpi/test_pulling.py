"""An eMSP that pulls, and what it objects to: each of these answers is wrong in one way."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import pytest

from app.channels.ocpi.emsp_view import compare
from app.channels.ocpi.pulling import PullFailed
from app.channels.ocpi.release import Party
from app.channels.ocpi.simulator import Emsp
from app.channels.transport import LARGEST_ANSWER
from app.demo.listening import listening
from tests.contract.ocpi.given import TOKEN, StoppedClock
from tests.contract.ocpi.offering import Page, Publisher
from tests.contract.ocpi.sending import VERSIONS, a_period, at, whole_evse, whole_location


def a_site(version: str, number: int, second: float = 1, **different: Any) -> dict[str, Any]:
    evses = [whole_evse(version, second, uid=f"{number}-{one}", **different) for one in (1, 2)]
    return whole_location(version, second, id=f"LOC{number}", evses=evses)


class Pull:
    """One side that publishes, and one that pulls from it."""

    def __init__(self, publisher: Publisher, emsp: Emsp, url: str) -> None:
        self.publisher = publisher
        self.emsp = emsp
        self.url = url

    async def __call__(self, **how: Any) -> Any:
        return await self.emsp.pull(self.url, TOKEN, **how)


@asynccontextmanager
async def pulling(version: str = "2.2.1", sites: int = 5, **different: Any) -> AsyncGenerator[Pull]:
    publisher = Publisher(version, [a_site(version, number) for number in range(sites)])
    async with listening(publisher) as base:
        emsp = Emsp(StoppedClock(), TOKEN, version=version, **different)
        yield Pull(publisher, emsp, f"{base}/ocpi/versions")


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


def on(what: str, twist: Callable[[Page], Any]) -> Callable[[Page], None]:
    def twisted(page: Page) -> None:
        if page.what == what:
            twist(page)

    return twisted


def headers(**different: str | None) -> Callable[[Page], None]:
    def twist(page: Page) -> None:
        for name, value in different.items():
            written = name.replace("_", "-")
            page.headers = {one: kept for one, kept in page.headers.items() if one.lower() != written.lower()}
            if value is not None:
                page.headers[written] = value

    return on("locations", twist)


def envelope(**different: Any) -> Callable[[Page], None]:
    return on("locations", lambda page: page.envelope.update(different))


def first(twist: Callable[[dict[str, Any]], Any]) -> Callable[[Page], None]:
    """Twist the first Location of a page."""

    def twisted(page: Page) -> None:
        page.envelope = deepcopy(page.envelope)
        twist(page.envelope["data"][0])

    return on("locations", twisted)


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda one: one.pop(name)


WRONG: list[tuple[Callable[[Page], None], str]] = [
    (headers(content_type="text/plain"), "Content-Type is text/plain"),
    (headers(x_request_id=None), "x-request-id is None"),
    (headers(x_correlation_id="other"), "x-correlation-id is 'other'"),
    (headers(ocpi_to_party_id="XPO"), "ocpi-to-party-id is 'XPO'"),
    (headers(x_total_count=None), "no X-Total-Count"),
    (headers(x_total_count="many"), "X-Total-Count is 'many'"),
    (headers(x_total_count="4"), "5 Locations came, and X-Total-Count is 4"),
    (headers(x_limit="0"), "X-Limit is '0'"),
    (headers(x_limit="1"), "2 Locations on a page, more than 1"),
    (headers(link=None), "2 Locations came, and X-Total-Count is 5"),
    (headers(link="<http://127.0.0.1/>; rel=prev"), "leads to no next page"),
    (envelope(timestamp=None), "timestamp"),
    (envelope(timestamp="2026-11-21T08:30:00+01:00"), "timestamp"),
    (envelope(status_message=7), "status_message"),
    (envelope(paging={}), "the envelope has paging"),
    (first(without("address")), "Location LOC0: address: missing"),
    (first(without("id")), "id: missing"),
    (first(lambda one: one.update(colour="red")), "unknown field colour"),
    (first(lambda one: one.update(last_updated=at(0))), "is older than that of its EVSE"),
    (first(lambda one: one.update(last_updated="2026-11-21T08:30:01")), "not UTC with Z"),
    (first(lambda one: one["evses"][0].pop("connectors")), "evses[0].connectors: missing"),
    (first(lambda one: one["evses"][0].update(uid="0-2")), "0-2 is in it twice"),
    (
        first(lambda one: one["evses"][0].update(status_schedule=[a_period(end=None), a_period("12:00", None)])),
        "they overlap",
    ),
    (on("versions", lambda page: page.envelope.update(timestamp=None)), "timestamp"),
    (on("details", lambda page: page.headers.pop("x-request-id")), "x-request-id is None"),
]


async def test_every_answer_is_judged() -> None:
    async with pulling() as pull:
        for twist, objection in WRONG:
            pull.publisher.twist = twist
            del pull.emsp.wrong[:]
            await pull()
            assert any(objection in one for one in pull.emsp.wrong), (objection, pull.emsp.wrong)


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
        old = a_site("2.2.1", 9, 0)
        pull.publisher.twist = on("locations", lambda page: page.envelope.update(data=[old]))
        await pull(since=before)
        assert any("LOC9 is of" in one and "before date_from" in one for one in pull.emsp.wrong)


def body(what: str, written: bytes, status: int = 200) -> Callable[[Page], None]:
    def twist(page: Page) -> None:
        page.body, page.status = written, status

    return on(what, twist)


def data(what: str, value: Any) -> Callable[[Page], None]:
    return on(what, lambda page: page.envelope.update(data=value))


UNREADABLE: list[tuple[Callable[[Page], None], str]] = [
    (body("versions", b"<html>"), "no JSON"),
    (body("locations", b"[]"), "no envelope"),
    (body("locations", b'{"status_code":2001}'), "OCPI 2001"),
    (body("locations", b'{"status_code":1000,"data":[]}', 500), "HTTP 500"),
    (body("locations", b'{"status_code":1000}'), "no data"),
    (data("versions", {}), "where a list"),
    (data("versions", []), "names OCPI 2.2.1 0 times"),
    (data("versions", [{"version": "2.2.1", "url": "/ocpi"}]), "is no URL"),
    (data("details", {"version": "2.1.1"}), "details of something else"),
    (data("details", {"version": "2.2.1", "endpoints": []}), "0 endpoints"),
    (data("locations", {}), "no list of Locations"),
    (headers(link='<http://elsewhere.example/>; rel="next"'), "where our token is not for"),
]


async def test_what_cannot_be_read_is_no_view() -> None:
    async with pulling() as pull:
        for twist, why in UNREADABLE:
            pull.publisher.twist = twist
            with pytest.raises(PullFailed, match=why):
                await pull()
        pull.publisher.twist = headers(link=f'<{pull.url.replace("versions", "2.2.1/locations")}>; rel="next"')
        with pytest.raises(PullFailed, match="circle"):
            await pull()
        pull.publisher.twist = lambda _page: None
        with pytest.raises(PullFailed, match="HTTP 401"):
            await pull.emsp.pull(pull.url, "another token")
        with pytest.raises(PullFailed, match="could not connect"):
            await pull.emsp.pull("http://127.0.0.1:1/ocpi/versions", TOKEN)
