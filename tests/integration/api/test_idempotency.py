"""Calls with an Idempotency-Key: repeated, they do nothing more and are answered the same."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.service import Service
from tests.builders import stored
from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, JSON, STATUSES, Client, get, refusal, register

BODY = {"evseId": EVSE, "temporaryStatus": "RESERVED", "validTo": "2026-03-01T09:00:00Z"}
BATCH = {"items": [BODY, {**BODY, "evseId": "DE*ABC*E404"}]}


@pytest.fixture(autouse=True)
async def _evse(admin: Client) -> None:
    await register(admin)


async def post(client: Client, key: str, body: object = None, path: str = STATUSES) -> httpx.Response:
    return await client.post(path, json=body or BODY, headers={"Idempotency-Key": key})


def said(answer: httpx.Response) -> tuple[int, bytes, str | None, str]:
    return answer.status_code, answer.content, answer.headers.get("etag"), answer.headers["content-type"]


@pytest.mark.parametrize(("path", "body", "status"), [("", BODY, 201), ("/batch", BATCH, 200)])
async def test_the_same_again_is_done_once_and_answered_to_the_letter(
    booking: Client, clock: FrozenClock, path: str, body: dict[str, Any], status: int
) -> None:
    first = await post(booking, "k-1", body, STATUSES + path)
    assert first.status_code == status
    assert "idempotency-replayed" not in first.headers
    clock.advance(timedelta(days=1, hours=23))
    again = await post(booking, "k-1", body, STATUSES + path)
    assert said(again) == said(first)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await get(booking, STATUSES, activeOnly="false")) == 1


async def test_an_answer_with_and_without_a_key_is_the_same(booking: Client) -> None:
    bare = await booking.post(STATUSES, json=BODY)
    with_key = await post(booking, "k-1")
    assert bare.headers["content-type"] == with_key.headers["content-type"] == "application/json"
    assert bare.json().keys() == with_key.json().keys()


async def test_the_body_counts_and_not_how_it_is_written(booking: Client) -> None:
    first = await post(booking, "k-1")
    written = b'{ "validTo": "2026-03-01T09:00:00Z", "temporaryStatus":"RESERVED",\n"evseId": "DE*ABC*E1" }'
    again = await booking.post(STATUSES, content=written, headers={**JSON, "Idempotency-Key": "k-1"})
    assert said(again) == said(first)


async def test_another_body_or_another_call_under_the_same_key_is_refused(booking: Client) -> None:
    await post(booking, "k-1")
    for answer in (
        await post(booking, "k-1", {**BODY, "reason": "other"}),
        await post(booking, "k-1", {"items": [BODY]}, f"{STATUSES}/batch"),
    ):
        assert refusal(answer, 422, "idempotency-mismatch")["errors"][0]["header"] == "Idempotency-Key"
    assert len(await get(booking, STATUSES)) == 1


async def test_a_refusal_is_not_kept(booking: Client, admin: Client) -> None:
    body = {**BODY, "evseId": "DE*ABC*E2"}
    refusal(await post(booking, "k-1", body), 404, "evse-not-found")
    await register(admin, "DE*ABC*E2")
    answer = await post(booking, "k-1", body)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


async def test_a_key_belongs_to_one_caller(booking: Client, sensor: Client) -> None:
    mine, theirs = await post(booking, "k-1"), await post(sensor, "k-1", {**BODY, "reason": "other"})
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


async def test_many_at_once_make_one(booking: Client) -> None:
    answers = await asyncio.gather(*(post(booking, "k-1") for _ in range(20)))
    assert len({said(one) for one in answers}) == 1
    assert sum("idempotency-replayed" not in one.headers for one in answers) == 1
    assert len(await get(booking, STATUSES)) == 1


async def test_the_quotes_of_a_structured_field_are_not_part_of_the_key(booking: Client, service: Service) -> None:
    first = await post(booking, '"k-1"')
    assert said(await post(booking, "k-1")) == said(first)
    assert [row["key"] for row in await stored(service.database, "idempotency")] == ["k-1"]


@pytest.mark.parametrize("key", ["!", "~", "x" * 255, '"' + "x" * 255 + '"', "a;b=c", '"'])
async def test_keys_at_their_limits(booking: Client, key: str) -> None:
    assert (await post(booking, key)).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "a b", "a\tb", "a\x7f", "\u00e4"])
async def test_what_is_no_key_is_refused(booking: Client, service: Service, key: str) -> None:
    header = (b"Idempotency-Key", key.encode("latin-1"))
    answer = await booking.post(STATUSES, json=BODY, headers=[header])
    assert refusal(answer, 400, "malformed-value")["errors"][0]["header"] == "Idempotency-Key"
    assert await stored(service.database, "temporary_status") == []
