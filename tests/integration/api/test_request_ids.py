"""Every request has an id, in its answer, in its problem and in the log; and the log says no more than it should."""

from typing import Any, cast

import httpx
import pytest
import structlog
from litestar import Litestar
from structlog.testing import capture_logs

from app.api.requests import Requests
from app.domain.api_key import key_id_of
from app.domain.principal import Role
from app.service import Service
from tests.integration.api.calls import EVSES, JSON, STATUSES, Client, NewClient, issue, plan, refusal, register

HEADER = "X-Request-Id"
LONGEST = "x" * 128


@pytest.fixture
def database_url(embedded_url: str) -> str:
    """One database will do: nothing here knows which it is."""
    return embedded_url


def logged() -> Any:
    return capture_logs(processors=[structlog.contextvars.merge_contextvars])


async def test_an_id_that_is_sane_is_taken_over_and_any_other_replaced(reader: Client) -> None:
    for given in ("4711", "a.B_c~d:e/f+g=h@i-j", LONGEST):
        assert (await reader.get(EVSES, headers={HEADER: given})).headers[HEADER] == given
    made = set()
    for given in ("", "a b", LONGEST + "x", "ä", '{"a":1}', "a\tb", "a,b"):
        header = given.encode("latin-1")
        answer = await reader.get(EVSES, headers=[(HEADER.encode(), header)])
        made.add(answer.headers[HEADER])
        assert answer.headers[HEADER] != given
        assert answer.headers[HEADER].isalnum()
    made.add((await reader.get(EVSES)).headers[HEADER])
    assert len(made) == 8


async def test_whatever_is_answered_has_one(
    reader: Client, anonymous: Client, admin: Client, app: Litestar, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/health/live", "/health/ready", "/openapi/openapi.json", "/ocpi/versions", "/metrics"):
        assert (await anonymous.get(path)).headers.get_list(HEADER, split_commas=True)[1:] == [], path
    mine = {HEADER: "mine"}
    assert refusal(await anonymous.get("/nowhere", headers=mine), 404)["requestId"] == "mine"
    assert refusal(await anonymous.get(EVSES, headers=mine), 401)["requestId"] == "mine"
    assert refusal(await reader.delete(EVSES, headers=mine), 405)["requestId"] == "mine"
    assert refusal(await reader.get(EVSES, params={"x": 1}, headers=mine), 400)["requestId"] == "mine"
    assert refusal(await admin.post(STATUSES, content=b"{}", headers=mine), 415)["requestId"] == "mine"
    huge = await admin.post(STATUSES, content=b" " * 70_000, headers={**JSON, **mine})
    assert refusal(huge, 413)["requestId"] == "mine"
    # One of many in a call is no answer of its own.
    items = {"items": [{"evseId": "DE*ABC*E404", "temporaryStatus": "BLOCKED"}]}
    assert "requestId" not in (await admin.post(f"{STATUSES}/batch", json=items)).text


async def test_a_fault_of_ours_is_found_in_the_log_by_its_id(
    app: Litestar, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr("app.store.reading.fleet", broken)
    transport = httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {await issue(service, Role.READER)}", HEADER: "mine"}
    async with httpx.AsyncClient(transport=transport, base_url="http://evse-status.test", headers=headers) as reader:
        with logged() as lines:
            assert refusal(await reader.get(EVSES), 500)["requestId"] == "mine"
    [failed] = [one for one in lines if one["log_level"] == "error"]
    assert (failed["event"], failed["request_id"]) == ("a request failed", "mine")
    [request] = [one for one in lines if one["event"] == "request"]
    assert (request["status"], request["request_id"]) == (500, "mine")


async def test_the_writer_says_which_requests_could_not_be_written(
    admin: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(admin)

    async def broken(_commands: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(service.writer, "_commit", broken)
    with logged() as lines:
        answer = await admin.put(f"{EVSES}/DE*ABC*E1", json={}, headers={HEADER: "mine"})
    refusal(answer, 500)
    [line] = [one for one in lines if one["event"] == "a change could not be written"]
    assert line["requests"] == ["mine"]


async def test_a_line_names_the_route_and_the_key_and_nothing_that_was_sent(
    client: NewClient, service: Service, admin: Client
) -> None:
    await register(admin)
    key = await issue(service, Role.CLIENT)
    sensor = await client(key=key)
    with logged() as lines:
        await plan(sensor, reason="SECRET-BODY")
        await sensor.get(f"{EVSES}/DE*ABC*ESECRET", headers={"X-Other": "SECRET-HEADER"})
        await sensor.get(EVSES, params={"cursor": "SECRET-QUERY"})
        await sensor.get("/SECRET/PATH")
        await sensor.get("/ocpi/SECRET", headers={"Authorization": "Token SECRET"})
        await sensor.get("/ocpiSECRET")
    requests = [one for one in lines if one["event"] == "request"]
    assert [(one["method"], one["route"], one["status"]) for one in requests] == [
        ("POST", "/v2/temporary-evse-statuses", 201),
        ("GET", "/v2/evses/{evseId}", 404),
        ("GET", "/v2/evses", 400),
        ("GET", "none", 404),
        ("GET", "/ocpi", 401),
        ("GET", "/ocpi", 401),
    ]
    assert [one["key"] for one in requests] == [key_id_of(key)] * 3 + [None] * 3
    assert {one["address"] for one in requests} == {"127.0.0.1"}
    assert all(one["ms"] >= 0 and one["log_level"] == "info" and one["request_id"] for one in requests)
    assert "SECRET" not in str(lines)
    assert key not in str(lines)


async def test_what_is_asked_all_day_long_is_logged_only_for_who_wants_all(anonymous: Client, service: Service) -> None:
    with logged() as lines:
        await anonymous.get("/health/live")
        service.stopping = True
        await anonymous.get("/health/ready")
    levels = [(one["route"], one["log_level"]) for one in lines if one["event"] == "request"]
    assert levels == [("/health/live", "debug"), ("/health/ready", "info")]


async def test_a_stream_is_open_until_it_is_over_whoever_ends_it() -> None:
    heard: list[int] = []
    answered: list[tuple[Any, ...]] = []

    async def streams(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        assert heard == [1]
        raise ConnectionError("the client went away")

    async def send(_message: Any) -> None:
        return

    scope: Any = {"type": "http", "method": "GET", "path": "/v2/events", "headers": [], "path_template": "/v2/events"}
    wrapped = Requests(cast("Any", streams), lambda *one: answered.append(one), heard.append)
    with pytest.raises(ConnectionError):
        await wrapped(scope, cast("Any", None), send)
    assert heard == [1, -1]
    assert [one[:3] for one in answered] == [("/v2/events", "GET", 200)]
    assert "request_id" not in structlog.contextvars.get_contextvars()
