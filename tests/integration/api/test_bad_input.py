"""Bodies that cannot be meant: each is refused by its field, stores nothing, and never is the service's own fault."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from litestar import Litestar

from app.service import Service
from tests.builders import stored
from tests.integration.api.calls import EVSE, EVSES, JSON, PARTNERS, REPORTS, STATUSES, Client, plan, refusal, register

DEEP = 10_000
MEGABYTE = 1024 * 1024

FIELDS: list[tuple[str, Any, int, str | None]] = [
    ("validFrom", "2026-03-02T08:00:00", 400, "malformed-time"),
    ("validTo", "2026-03-02T08:00:00", 400, "malformed-time"),
    ("validTo", "2026-03-02", 400, "malformed-time"),
    ("validTo", "2026-03-02T08:00Z", 400, "malformed-time"),
    ("validTo", "2026-02-30T08:00:00Z", 400, "malformed-time"),
    ("validTo", "2026-03-02T24:00:00Z", 400, "malformed-time"),
    ("validTo", "2026-03-02T08:00:00+25:00", 400, "malformed-time"),
    ("validTo", "2026-03-02T08:00:00Z\n", 400, "malformed-time"),
    ("validTo", "\uff12026-03-02T08:00:00Z", 400, "malformed-time"),
    ("validTo", "9999-12-31T23:59:59-14:00", 400, "malformed-time"),
    ("validTo", "9999-12-31T23:59:59+14:00", 400, "malformed-time"),
    ("validFrom", "0001-01-01T00:00:00+14:00", 400, "malformed-time"),
    ("validTo", "", 400, "malformed-time"),
    ("validTo", "x" * 60_000, 400, "malformed-time"),
    ("validTo", 1772438400, 400, "malformed"),
    ("validTo", 1e308, 400, "malformed"),
    ("validTo", {"at": "2026-03-02T08:00:00Z"}, 400, "malformed"),
    ("validTo", "2026-03-01T08:00:00Z", 422, "already-over"),
    ("validTo", "2026-02-01T00:00:00Z", 422, "already-over"),
    ("evseId", None, 400, "malformed"),
    ("evseId", 5, 400, "malformed"),
    ("evseId", "", 400, "malformed-evse-id"),
    ("evseId", "DE*ABC*E1\n", 400, "malformed-evse-id"),
    ("evseId", "DE*ABC*E\uff11", 400, "malformed-evse-id"),
    ("evseId", "DE*ABC*E404", 404, "evse-not-found"),
    ("temporaryStatus", None, 400, "malformed"),
    ("temporaryStatus", "CLOSED", 400, "malformed"),
    ("temporaryStatus", "BLOC\u212aED", 400, "malformed"),
    ("temporaryStatus", ["BLOCKED"], 400, "malformed"),
    ("appliesWhen", None, 400, "malformed"),
    ("appliesWhen", "sometimes", 400, "malformed"),
    ("reason", 5, 400, "malformed"),
    ("reason", "x" * 501, 400, "malformed"),
    ("reason", "a\u0000b", 400, "malformed-value"),
    ("reason", "a\u001b[31mb", 400, "malformed-value"),
    ("reason", "a\u202eb", 400, "malformed-value"),
    ("colour", "red", 400, "malformed"),
    ("id", 7, 400, "malformed"),
    ("createdBy", "me", 400, "malformed"),
    ("state", "active", 400, "malformed"),
    ("valid_to", None, 400, "malformed"),
    ("", 1, 400, "malformed"),
    ("a`b - at `$.data.c`", 1, 400, "malformed"),
    ("a/b~c", 1, 400, "malformed"),
]


async def _chunked(body: bytes) -> AsyncGenerator[bytes]:
    """A body whose length nobody said."""
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


BODIES: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 400),
    ("blanks", b"   ", 400),
    ("null", b"null", 400),
    ("a list", b"[]", 400),
    ("a number", b"5", 400),
    ("a text", b'"BLOCKED"', 400),
    ("cut off", b'{"evseId": "DE*ABC', 400),
    ("two objects", b"{}{}", 400),
    ("a trailing comma", b'{"evseId": "DE*ABC*E1",}', 400),
    ("not a number", b'{"evseId": NaN}', 400),
    ("UTF-16", '{"evseId": "DE*ABC*E1"}'.encode("utf-16"), 400),
    ("Latin-1", '{"evseId": "DE*ABC*E1", "reason": "Stra\u00dfe"}'.encode("latin-1"), 400),
    ("bytes that are no text", b"\xff\xfe\x00", 400),
    ("half a surrogate pair", b'{"reason": "\\ud800"}', 400),
    ("deep lists", b"[" * DEEP + b"]" * DEEP, 400),
    ("deep objects", b'{"a":' * DEEP + b"1" + b"}" * DEEP, 400),
    ("deep in a field", b'{"reason":' + b"[" * DEEP + b"]" * DEEP + b"}", 400),
    ("deep and never closed", b"[" * DEEP, 400),
    ("a megabyte of blanks", b" " * (MEGABYTE + 1), 413),
    ("a megabyte of text", b'{"reason": "' + b"x" * MEGABYTE + b'"}', 413),
]


@pytest.fixture
async def addresses(admin: Client) -> list[tuple[str, str]]:
    """Everything that takes a body, with an EVSE and a temporary status to take it."""
    await register(admin)
    one = await plan(admin)
    return [
        ("POST", STATUSES),
        ("PATCH", f"{STATUSES}/{one['id']}"),
        ("PUT", f"{STATUSES}/by-ref/r"),
        ("PUT", f"{EVSES}/{EVSE}"),
        ("PUT", f"{EVSES}/{EVSE}/actual-status"),
        ("POST", REPORTS),
        ("POST", PARTNERS),
        ("PATCH", f"{PARTNERS}/app"),
        ("POST", f"{PARTNERS}/app/resend"),
    ]


async def everything(service: Service) -> list[Any]:
    return [await stored(service.database, table) for table in ("evse", "temporary_status", "partner")]


async def test_every_field_is_refused_by_its_name(
    admin: Client, sensor: Client, service: Service, subtests: pytest.Subtests
) -> None:
    await register(admin)
    before = await everything(service)
    for field, value, status, slug in FIELDS:
        with subtests.test(field, value=repr(value)[:60]):
            pointer = "/" + field.replace("~", "~0").replace("/", "~1")
            body = {"evseId": EVSE, "temporaryStatus": "BLOCKED", field: value}
            refusal(await sensor.post(STATUSES, json=body), status, slug, pointer=pointer)
            refusal(await sensor.put(f"{STATUSES}/by-ref/r", json=body), status, slug, pointer=pointer)
    for field in ("evseId", "temporaryStatus"):
        body = {"evseId": EVSE, "temporaryStatus": "BLOCKED"}
        del body[field]
        refusal(await sensor.post(STATUSES, json=body), 400, "malformed", pointer=f"/{field}")
    assert await everything(service) == before


async def test_a_window_must_contain_some_time(admin: Client, sensor: Client, service: Service) -> None:
    await register(admin)
    before = await everything(service)
    for valid_to in ("2026-03-02T08:00:00Z", "2026-03-02T08:59:59+01:00", "2026-03-02T08:00:00.0009Z"):
        body = {"validFrom": "2026-03-02T08:00:00Z", "validTo": valid_to}
        answer = await sensor.post(STATUSES, json={"evseId": EVSE, "temporaryStatus": "BLOCKED", **body})
        refusal(answer, 422, "empty-interval", pointer="/validTo")
    body = {"validFrom": "2026-02-01T08:00:00Z", "validTo": "2026-02-01T09:00:00Z"}
    answer = await sensor.post(STATUSES, json={"evseId": EVSE, "temporaryStatus": "BLOCKED", **body})
    refusal(answer, 422, "already-over", pointer="/validTo")
    assert await everything(service) == before


async def test_bodies_that_are_no_json_object_are_refused_everywhere(
    admin: Client, service: Service, addresses: list[tuple[str, str]], subtests: pytest.Subtests
) -> None:
    before = await everything(service)
    for method, address in addresses:
        for what, body, status in BODIES:
            if address == REPORTS and what == "a list":
                continue  # there an empty list is fine
            with subtests.test(f"{method} {address}: {what}"):
                answer = await admin.request(method, address, content=body, headers=JSON)
                refusal(answer, status, pointer="" if status == 400 else None)
    assert await everything(service) == before


async def test_a_body_that_grows_without_end_is_cut_off(admin: Client, addresses: list[tuple[str, str]]) -> None:
    for method, address in addresses:
        answer = await admin.request(method, address, content=_chunked(b" " * (MEGABYTE + 1)), headers=JSON)
        refusal(answer, 413, "too-large")


async def test_a_body_must_be_declared_to_be_json(
    admin: Client, service: Service, addresses: list[tuple[str, str]], subtests: pytest.Subtests
) -> None:
    before = await everything(service)
    for method, address in addresses:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", ""):
            with subtests.test(f"{method} {address}: {kind}"):
                answer = await admin.request(method, address, content=b"{}", headers={"Content-Type": kind})
                refusal(answer, 415, "not-json")
        refusal(await admin.request(method, address, content=b"{}"), 415, "not-json")
    assert await everything(service) == before


async def test_json_may_be_declared_with_a_character_set(admin: Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = await admin.put(f"{EVSES}/{EVSE}", content=b"{}", headers=headers)
    assert answer.status_code == 201


async def test_what_is_not_there_and_what_cannot_be_done_there(admin: Client, app: Litestar) -> None:
    refusal(await admin.get("/v2/nothing"), 404, "not-found")
    refusal(await admin.get("/v3/evses"), 404, "not-found")
    refusal(await admin.get(f"{EVSES}/DE%2FABC%2FE1"), 404, "not-found")
    for method, address in (("PUT", STATUSES), ("DELETE", f"{EVSES}/{EVSE}"), ("POST", "/health/live")):
        answer = await admin.request(method, address, json={})
        problem = refusal(answer, 405, "method-not-allowed")
        assert "GET" in answer.headers["allow"]
        assert "GET" in problem["detail"]


async def test_options_names_every_method_of_a_path(admin: Client, app: Litestar) -> None:
    for address, methods in {
        EVSES: "GET, OPTIONS",
        f"{EVSES}/{EVSE}": "GET, OPTIONS, PUT",
        "/v2/partners/app": "DELETE, GET, OPTIONS, PATCH",
        "/v2/partners": "GET, OPTIONS, POST",
    }.items():
        answer = await admin.request("OPTIONS", address)
        assert (answer.status_code, answer.headers["allow"]) == (204, methods), address


async def test_a_filter_that_says_null_or_says_two_things_is_refused(admin: Client) -> None:
    """Taken for nothing, it would silently mean all."""
    for query in ("temporaryStatus=null", "temporaryStatus=NULL", "limit=1&limit=2", "activeOnly=null"):
        name = query.partition("=")[0]
        refusal(await admin.get(f"{STATUSES}?{query}"), 400, "malformed-value", parameter=name)
    both = f"evseId={EVSE}&temporaryStatus=null"
    refusal(await admin.delete(f"{STATUSES}?{both}"), 400, "malformed-value", parameter="temporaryStatus")
