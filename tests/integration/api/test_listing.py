"""Listing and looking at temporary statuses."""

from datetime import timedelta
from typing import Any

import pytest

from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, STATUSES, Client, get, good, ids, plan, refusal, register

OTHER = "DE*ABC*E2"


@pytest.fixture
async def four(admin: Client, sensor: Client) -> dict[str, int]:
    """One that is over, one in effect now, one planned, and one on another EVSE; in this order."""
    await register(admin)
    await register(admin, OTHER)
    over = await plan(sensor)
    await sensor.delete(f"{STATUSES}/{over['id']}")
    return {
        "over": over["id"],
        "active": (await plan(sensor, EVSE, "MAINTENANCE"))["id"],
        "planned": (await plan(sensor, EVSE, "RESERVED", validFrom="2026-03-02T00:00:00Z"))["id"],
        "other": (await plan(sensor, OTHER, "BLOCKED"))["id"],
    }


async def test_without_filters_only_what_is_in_effect_now(reader: Client, four: dict[str, int]) -> None:
    assert ids(await get(reader, STATUSES)) == [four["active"], four["other"]]


async def test_everything_oldest_first(reader: Client, four: dict[str, int]) -> None:
    assert ids(await get(reader, STATUSES, activeOnly="false")) == list(four.values())


async def test_filters(reader: Client, four: dict[str, int], subtests: pytest.Subtests) -> None:
    filters: list[tuple[dict[str, Any], list[str]]] = [
        ({"activeOnly": "true"}, ["active", "other"]),
        ({"state": "planned"}, ["planned"]),
        ({"state": "active"}, ["active", "other"]),
        ({"state": "ended"}, ["over"]),
        ({"state": "planned", "activeOnly": "true"}, ["planned"]),
        ({"evseId": EVSE}, ["active"]),
        ({"evseId": "deabce1", "activeOnly": "false"}, ["over", "active", "planned"]),
        ({"evseId": OTHER}, ["other"]),
        ({"temporaryStatus": "BLOCKED"}, ["other"]),
        ({"temporaryStatus": "blocked", "activeOnly": "false"}, ["over", "other"]),
        ({"evseId": OTHER, "temporaryStatus": "MAINTENANCE"}, []),
    ]
    for query, expected in filters:
        with subtests.test(**query):
            assert ids(await get(reader, STATUSES, **query)) == [four[name] for name in expected]


async def test_pages_are_linked_keep_their_filters_and_show_everything_once(admin: Client, reader: Client) -> None:
    await register(admin)
    made = [(await plan(admin, reason=str(number)))["id"] for number in range(7)]
    await plan(admin, EVSE, "RESERVED")

    answer = await reader.get(STATUSES, params={"limit": 3, "temporaryStatus": "BLOCKED", "evseId": EVSE})
    pages = [ids(good(answer))]
    while "next" in answer.links:
        answer = await reader.get(answer.links["next"]["url"])
        pages.append(ids(good(answer)))

    assert pages == [made[:3], made[3:6], made[6:]]


async def test_a_page_that_is_just_full_is_the_last_one(admin: Client, reader: Client) -> None:
    await register(admin)
    for _ in range(2):
        await plan(admin)
    assert "link" not in (await reader.get(STATUSES, params={"limit": 2})).headers


async def test_the_state_follows_the_clock(admin: Client, reader: Client, clock: FrozenClock) -> None:
    await register(admin)
    one = await plan(admin, EVSE, "RESERVED", validFrom="2026-03-01T09:00:00Z", validTo="2026-03-01T10:00:00Z")
    seen = []
    for minutes in (59, 1, 59, 1):
        clock.advance(timedelta(minutes=minutes))
        state = (await get(reader, f"{STATUSES}/{one['id']}"))["state"]
        assert ids(await get(reader, STATUSES, state=state)) == [one["id"]]
        seen.append(state)
    assert seen == ["planned", "active", "active", "ended"]


async def test_one_that_does_not_exist_is_not_found(reader: Client) -> None:
    for what in ("1", "0", "-1", "abc", "1.0", "9" * 40, "%C2%B2", "1%0A"):
        refusal(await reader.get(f"{STATUSES}/{what}"), 404, "temporary-status-not-found")


async def test_a_filter_that_cannot_be_read_is_named(reader: Client, subtests: pytest.Subtests) -> None:
    wrong = [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"state": "over"}, "state"),
        ({"activeOnly": "perhaps"}, "activeOnly"),
        ({"temporaryStatus": "CLOSED"}, "temporaryStatus"),
        ({"evseId": "nonsense"}, "evseId"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "LTE="}, "cursor"),
        ({"cursor": "\x00"}, "cursor"),
    ]
    for query, parameter in wrong:
        with subtests.test(**query):
            refusal(await reader.get(STATUSES, params=query), 400, parameter=parameter)


async def test_a_filter_by_an_evse_that_is_not_registered_is_not_found(reader: Client) -> None:
    answer = await reader.get(STATUSES, params={"evseId": "DE*ABC*E404"})
    refusal(answer, 404, "evse-not-found", parameter="evseId")
