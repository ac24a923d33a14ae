"""What an eMSP that pulls objects to: each of these answers is wrong in one way."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from app.channels.ocpi.pulling import PullFailed
from tests.contract.ocpi.given import TOKEN
from tests.contract.ocpi.offering import Page, on, pulling
from tests.contract.ocpi.sending import a_period, at


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
