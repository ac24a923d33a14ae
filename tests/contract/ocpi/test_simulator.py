"""The simulated eMSP is worth nothing if it lets a wrong request pass: each of these is wrong in one way."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.contract.ocpi.given import TOKEN, StoppedClock
from tests.contract.ocpi.sending import (
    BODY,
    HEADERS,
    HERE,
    PLACE,
    Sender,
    hang_up,
    said,
    sending,
    sending_over_a_socket,
    until,
)


@pytest.fixture
async def sender() -> AsyncGenerator[Sender]:
    async with sending() as sender:
        yield sender


async def test_a_right_request_is_shown_and_answered_with_an_envelope(sender: Sender) -> None:
    answer = await sender.send()
    assert answer.status_code == 200
    assert answer.json() == {
        "status_code": 1000,
        "status_message": "Success",
        "timestamp": "2026-11-21T08:30:00.000Z",
    }
    assert answer.headers["X-Request-ID"] == "request-1"
    assert answer.headers["X-Correlation-ID"] == "correlation-1"
    assert (answer.headers["OCPI-to-party-id"], answer.headers["OCPI-from-party-id"]) == ("XPO", "EMS")
    assert sender.emsp.shown == {"XPO-LARKENAU/1001-1": "AVAILABLE"}
    ((at, key, status, last_updated),) = sender.emsp.received
    assert (key, status, last_updated) == ("XPO-LARKENAU/1001-1", "AVAILABLE", "2026-11-21T08:30:00.000Z")
    assert at == StoppedClock().now()
    assert sender.emsp.wrong == []


WITH_NEWLINE = b64encode(f"{TOKEN}\n".encode()).decode()


@pytest.mark.parametrize(
    ("wrong", "objection", "http"),
    [
        ({"headers": {"Authorization": None}}, "0 Authorization headers", 401),
        ({"headers": {"Authorization": f"Token {TOKEN}"}}, "not in base64", 401),
        ({"headers": {"Authorization": f"Token {WITH_NEWLINE}"}}, "newline", 401),
        ({"headers": {"Authorization": "Token b3RoZXI="}}, "another token", 401),
        ({"headers": {"Authorization": HEADERS["Authorization"].replace("Token", "Bearer")}}, "another token", 401),
        ({"method": "POST"}, "POST, which", 405),
        ({"method": "DELETE"}, "DELETE, which", 405),
        ({"path": PLACE}, "PATCH of something that is not {country_code}", 404),
        ({"path": f"{HERE}/1"}, "PATCH of something that is not {country_code}", 404),
        ({"method": "PUT", "path": f"{HERE}/1"}, "PUT of something that is not {country_code}", 404),
        ({"method": "PUT", "path": "/DE/XPO"}, "PUT of something that is not {country_code}", 404),
        ({"method": "GET", "path": f"{HERE}/1/2"}, "GET of something that is not {country_code}", 404),
        ({"method": "GET"}, "a GET with a body", 400),
        ({"path": f"/{HERE}"}, "not {country_code}", 404),
        ({"path": ""}, "not below", 404),
        ({"path": f"{HERE}/"}, "not {country_code}", 404),
        ({"path": "/DEU/XPO/L/1"}, "DEU/XPO is no country code", 404),
        ({"path": "/DE/XPOO/L/1"}, "DE/XPOO is no country code", 404),
        ({"path": "/DE/XPO/L/a*b"}, "not percent-encoded", 404),
        ({"path": "/DE/XPO/L/%FF"}, "not UTF-8", 404),
        ({"path": f"{HERE}?x=1"}, "a query", 404),
        ({"headers": {"Content-Type": None}}, "content-type", 400),
        ({"headers": {"Content-Type": "text/plain"}}, "Content-Type", 415),
        ({"headers": {"X-Request-ID": None}}, "x-request-id", 400),
        ({"headers": {"X-Correlation-ID": None}}, "x-correlation-id", 400),
        ({"headers": {"X-Correlation-ID": ""}}, "x-correlation-id", 400),
        ({"headers": {"OCPI-to-country-code": None}}, "ocpi-to-country-code", 400),
        ({"headers": {"OCPI-to-party-id": None}}, "ocpi-to-party-id", 400),
        ({"headers": {"OCPI-to-party-id": "XPO"}}, "addressed to DE XPO", 200),
        ({"headers": {"OCPI-from-country-code": None}}, "ocpi-from-country-code", 400),
        ({"headers": {"OCPI-from-party-id": None}}, "ocpi-from-party-id", 400),
        ({"headers": {"OCPI-from-party-id": "TOOLONG"}}, "no party to come from", 200),
        ({"body": b"not JSON"}, "not JSON", 400),
        ({"body": b"[]"}, "not an object", 200),
        ({"body": {**BODY, "reason": "MAINTENANCE"}}, "unknown fields reason", 200),
        ({"body": {**BODY, "uid": "1001-2"}}, "not the one in the URL", 200),
        ({"body": {"last_updated": BODY["last_updated"]}}, "neither a status nor", 200),
        ({"body": {**BODY, "status": "Available"}}, "status 'Available'", 200),
        ({"body": {**BODY, "status": "OUT_OF_SERVICE"}}, "status 'OUT_OF_SERVICE'", 200),
        ({"body": {"status": "AVAILABLE"}}, "no last_updated", 200),
        ({"body": {**BODY, "last_updated": 1795249800}}, "no last_updated", 200),
        ({"body": {**BODY, "last_updated": "2026-11-21T08:30:00+00:00"}}, "not UTC with Z", 200),
        ({"body": {**BODY, "last_updated": "2026-11-21T08:30:00"}}, "not UTC with Z", 200),
        ({"body": {**BODY, "last_updated": "2026-11-21T08:30:00.000000Z"}}, "at most 25 characters", 200),
        ({"body": {**BODY, "last_updated": "2026-02-30T08:30:00Z"}}, "no such time", 200),
    ],
    ids=lambda one: str(one)[:60],
)
async def test_a_wrong_request_is_objected_to_and_changes_nothing(
    sender: Sender, wrong: dict[str, Any], objection: str, http: int
) -> None:
    answer = await sender.send(**wrong)
    assert answer.status_code == http
    assert 2000 <= answer.json()["status_code"] <= 2999
    (found,) = sender.emsp.wrong
    assert objection in found
    assert sender.emsp.shown == {}


async def test_a_request_id_is_used_once(sender: Sender) -> None:
    await sender.send(headers={"X-Request-ID": "same"})
    answer = await sender.send(headers={"X-Request-ID": "same"}, path="/DE/XPO/XPO-LARKENAU/1001-2")
    assert answer.json()["status_code"] == 2001
    assert "was used before" in sender.emsp.wrong[0]


def changed_at(time: str, status: str) -> dict[str, Any]:
    return {"status": status, "last_updated": f"2026-11-21T{time}Z"}


async def test_last_updated_rises_for_each_evse_by_itself(sender: Sender) -> None:
    await sender.send(body=changed_at("08:30:01", "CHARGING"))
    await sender.send(body=changed_at("08:30:00", "BLOCKED"), path="/DE/XPO/XPO-LARKENAU/1001-2")
    assert sender.emsp.wrong == []
    await sender.send(body=changed_at("08:30:00.999", "AVAILABLE"))
    assert "went back" in sender.emsp.wrong[0]
    await sender.send(body=changed_at("08:30:01", "AVAILABLE"))
    assert "same last_updated" in sender.emsp.wrong[1]
    assert sender.emsp.shown["XPO-LARKENAU/1001-1"] == "CHARGING"


async def test_the_same_state_may_be_told_again(sender: Sender) -> None:
    await sender.send()
    await sender.send()
    assert sender.emsp.wrong == []


async def test_two_requests_for_one_evse_at_once_are_wrong_but_not_for_two(sender: Sender) -> None:
    sender.emsp.delay = 0.15
    await asyncio.gather(sender.send(), sender.send(path="/DE/XPO/XPO-LARKENAU/1001-2"))
    assert sender.emsp.wrong == []
    await asyncio.gather(sender.send(), sender.send())
    assert [one for one in sender.emsp.wrong if "two requests under way at once" in one] == sender.emsp.wrong != []


async def test_who_hung_up_is_no_longer_under_way() -> None:
    async with sending_over_a_socket() as sender:
        sender.emsp.fault = "slow"
        await hang_up(sender)
        sender.emsp.fault = None
        await until(lambda: not sender.emsp.under_way)
        assert said(await sender.send()) == (200, 1000)
        assert sender.emsp.wrong == []
