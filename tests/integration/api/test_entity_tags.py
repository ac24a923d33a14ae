"""ETags, and calls that depend on them: nobody overwrites what they have not seen."""

from datetime import timedelta

import httpx
import pytest

from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, STATUSES, Client, get, plan, refusal, register


@pytest.fixture
def database_url(embedded_url: str) -> str:
    """On SQLite alone: what is asked here does not know the database."""
    return embedded_url


BY_REF = f"{STATUSES}/by-ref/B-1"
BODY = {"evseId": EVSE, "temporaryStatus": "RESERVED"}


@pytest.fixture(autouse=True)
async def _evse(admin: Client) -> None:
    await register(admin)


def refused(answer: httpx.Response, status: int, slug: str, header: str) -> None:
    assert refusal(answer, status, slug)["errors"][0]["header"] == header


async def test_every_answer_about_one_has_the_tag_of_it_as_it_is(booking: Client, clock: FrozenClock) -> None:
    made = await booking.put(BY_REF, json={**BODY, "validFrom": "2026-03-01T09:00:00Z"})
    path = f"{STATUSES}/{made.json()['id']}"
    seen = [made, await booking.get(path), await booking.get(BY_REF)]
    assert {one.headers["etag"] for one in seen} == {f'"{made.json()["id"]}.1.planned"'}
    changed = await booking.patch(path, json={"reason": "another"})
    seen = [changed, await booking.get(path), await booking.put(BY_REF, json={**BODY, **changed_body(changed)})]
    assert {one.headers["etag"] for one in seen} == {f'"{made.json()["id"]}.2.planned"'}
    clock.advance(timedelta(hours=1))
    assert (await booking.get(path)).headers["etag"] == f'"{made.json()["id"]}.2.active"'
    posted = await booking.post(STATUSES, json=BODY)
    assert posted.headers["etag"] == f'"{posted.json()["id"]}.1.active"'


def changed_body(answer: httpx.Response) -> dict[str, str]:
    return {name: answer.json()[name] for name in ("reason", "validFrom")}


async def test_whoever_has_seen_it_need_not_be_told_again(booking: Client, clock: FrozenClock) -> None:
    made = await booking.put(BY_REF, json={**BODY, "validTo": "2026-03-01T09:00:00Z"})
    path, tag = f"{STATUSES}/{made.json()['id']}", made.headers["etag"]
    for where in (path, BY_REF):
        for seen in (tag, f"W/{tag}", f'"x" , {tag}', "*"):
            answer = await booking.get(where, headers={"If-None-Match": seen})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert (await booking.get(where, headers={"If-None-Match": '"x"'})).status_code == 200
    clock.advance(timedelta(hours=1))
    for where in (path, BY_REF):
        answer = await booking.get(where, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.json()["state"]) == (200, "ended"), "it ran out, which its revision hides"


async def test_a_change_of_what_was_changed_meanwhile_is_refused(booking: Client) -> None:
    made = await booking.put(BY_REF, json=BODY)
    path, old = f"{STATUSES}/{made.json()['id']}", {"If-Match": made.headers["etag"]}
    new = (await booking.patch(path, json={"reason": "by another"}, headers=old)).headers["etag"]
    for answer in (
        await booking.patch(path, json={"reason": "blindly"}, headers=old),
        await booking.put(BY_REF, json=BODY, headers=old),
        await booking.delete(path, headers=old),
        await booking.delete(BY_REF, headers=old),
        await booking.delete(path, headers={"If-Match": f"W/{new}"}),
        await booking.delete(path, headers={"If-None-Match": f"W/{new}"}),
    ):
        assert refusal(answer, 412, "precondition-failed")["errors"][0]["header"].startswith("If-")
    still = await get(booking, path)
    assert (still["reason"], still["state"]) == ("by another", "active")
    assert (await booking.delete(BY_REF, headers={"If-Match": f'"x", {new}'})).status_code == 204


async def test_create_only_and_replace_only(booking: Client, clock: FrozenClock) -> None:
    nothing = await booking.put(BY_REF, json=BODY, headers={"If-Match": "*"})
    refused(nothing, 412, "precondition-failed", "If-Match")
    body = {**BODY, "validTo": "2026-03-01T09:00:00Z"}
    assert (await booking.put(BY_REF, json=body, headers={"If-None-Match": "*"})).status_code == 201
    again = await booking.put(BY_REF, json=body, headers={"If-None-Match": "*"})
    refused(again, 412, "precondition-failed", "If-None-Match")
    assert (await booking.put(BY_REF, json=body, headers={"If-Match": "*"})).status_code == 200
    clock.advance(timedelta(hours=1))
    assert (await booking.put(BY_REF, json=BODY, headers={"If-None-Match": "*"})).status_code == 201, "it ran out"


async def test_what_a_key_may_not_see_has_no_tag_to_guess(booking: Client, sensor: Client) -> None:
    path = f"{STATUSES}/{(await plan(sensor))['id']}"
    for tag in ("*", '"1.1.active"', '"x"'):
        headers = {"If-Match": tag}
        for answer in (
            await booking.patch(path, json={"reason": "x"}, headers=headers),
            await booking.delete(path, headers=headers),
        ):
            refusal(answer, 404, "temporary-status-not-found")
    refusal(await booking.put(BY_REF, json={**BODY, "evseId": "DE*ABC*E9"}, headers={"If-Match": "*"}), 404)


@pytest.mark.parametrize("text", ["1.1.active", '"1', '"1" "2"', "*, *", '"1", *', 'w/"1"', "", ",", '"a\x7fb"'])
async def test_what_is_no_list_of_tags_is_refused(booking: Client, text: str) -> None:
    made = await booking.put(BY_REF, json=BODY)
    path = f"{STATUSES}/{made.json()['id']}"
    for header in ("If-Match", "If-None-Match"):
        refused(await booking.delete(path, headers={header: text}), 400, "malformed-value", header)
        refused(await booking.put(BY_REF, json=BODY, headers={header: text}), 400, "malformed-value", header)
    refused(await booking.get(path, headers={"If-None-Match": text}), 400, "malformed-value", "If-None-Match")


async def test_a_list_of_tags_that_is_long_takes_no_time(booking: Client) -> None:
    made = await booking.put(BY_REF, json=BODY)
    path = f"{STATUSES}/{made.json()['id']}"
    for text in (" " * 60_000 + "x", '"' * 60_001, ", " * 30_000 + "x"):
        refused(await booking.delete(path, headers={"If-Match": f'"1"{text}'}), 400, "malformed-value", "If-Match")
