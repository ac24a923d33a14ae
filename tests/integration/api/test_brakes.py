"""The brake as callers meet it, and as operations sees and lifts it."""

from datetime import timedelta
from typing import Any, Final

import pytest

from app.domain.principal import Role
from app.service import Service
from tests.builders import register
from tests.clock import FrozenClock
from tests.integration.api.calls import STATUSES, Client, NewClient, get, good, plan, refusal
from tests.integration.writing import together

BRAKES: Final = "/v2/brakes"
EVSES: Final = [f"DE*ABC*E{number}" for number in range(12)]
SITE: Final = {"countryCode": "DE", "partyId": "ABC", "locationId": "LOC1"}


@pytest.fixture
async def operations(client: NewClient) -> Client:
    return await client(Role.OPERATIONS)


@pytest.fixture
async def braked(service: Service, sensor: Client) -> dict[str, Any]:
    """A site of which half is overridden, and the refusal of the next one."""
    await together(*(register(service.writer, one, location="LOC1") for one in EVSES))
    await together(*(register(service.writer, f"DE*ABC*EX{number}") for number in range(60)))
    for one in EVSES[:6]:
        await plan(sensor, one)
    answer = await sensor.post(STATUSES, json={"evseId": EVSES[6], "temporaryStatus": "BLOCKED"})
    assert answer.headers["retry-after"] == "1800"
    return refusal(answer, 429, "blast-radius")


async def test_the_refusal_says_how_much_it_would_be_and_nothing_is_stored(
    braked: dict[str, Any], admin: Client
) -> None:
    assert braked["detail"].startswith("7 of 12 EVSEs of site DE/ABC/LOC1 would be overridden at once")
    assert len(await get(admin, STATUSES)) == 6


async def test_operations_sees_which_brake_holds_and_whose_call_it_was(
    braked: dict[str, Any], operations: Client, service: Service
) -> None:
    [one] = await get(operations, BRAKES)
    assert one["site"] == SITE
    assert (one["operator"], one["holds"], one["evses"], one["of"], one["refused"]) == (None, True, 7, 12, 1)
    assert one["trippedAt"] == "2026-03-01T08:00:00.000Z"
    assert one["heldUntil"] == "2026-03-01T08:30:00.000Z"
    assert one["held"] == [one["trippedBy"]]


async def test_lifted_it_lets_everything_through_for_a_while(
    braked: dict[str, Any], operations: Client, sensor: Client, clock: FrozenClock
) -> None:
    lifted = good(await operations.post(f"{BRAKES}/lift", json={"site": SITE, "liftFor": "PT30M"}))
    assert (lifted["holds"], lifted["liftedUntil"]) == (False, "2026-03-01T08:30:00.000Z")
    for one in EVSES[6:]:
        await plan(sensor, one)
    assert [one["liftedBy"] for one in await get(operations, BRAKES)] == [lifted["liftedBy"]]
    clock.advance(timedelta(minutes=30))
    assert await get(operations, BRAKES) == []


async def test_a_brake_that_was_lifted_can_be_put_back(
    braked: dict[str, Any], operations: Client, sensor: Client
) -> None:
    good(await operations.post(f"{BRAKES}/lift", json={"site": SITE}))
    good(await operations.post(f"{BRAKES}/lift", json={"site": SITE, "liftFor": "PT0S"}))
    assert await get(operations, BRAKES) == []
    refusal(await sensor.post(STATUSES, json={"evseId": EVSES[6], "temporaryStatus": "BLOCKED"}), 429, "blast-radius")


async def test_clients_may_not_lift_it(braked: dict[str, Any], sensor: Client, reader: Client) -> None:
    for one in (sensor, reader):
        refusal(await one.post(f"{BRAKES}/lift", json={"site": SITE}), 403, "forbidden")
        refusal(await one.get(BRAKES), 403, "forbidden")


@pytest.mark.parametrize(
    ("asked", "status", "slug", "pointer"),
    [
        ({}, 400, "malformed-value", ""),
        ({"operator": "DE*ABC", "site": SITE}, 400, "malformed-value", ""),
        ({"operator": "D*ABC"}, 400, "malformed-value", "/operator"),
        ({"operator": "DE*XYZ"}, 404, "brake-not-found", None),
        ({"site": {**SITE, "locationId": "LOC2"}}, 404, "brake-not-found", None),
        ({"site": {**SITE, "locationId": ""}}, 400, "malformed", "/site/locationId"),
        ({"site": {**SITE, "locationId": "LOC\x00"}}, 400, "malformed-value", "/site/locationId"),
        ({"operator": "DE*ABC", "liftFor": "PT24H0.001S"}, 400, "malformed-value", "/liftFor"),
        ({"operator": "DE*ABC", "liftFor": "-PT1S"}, 400, "malformed-value", "/liftFor"),
        ({"operator": "DE*ABC", "liftFor": "soon"}, 400, "malformed", "/liftFor"),
    ],
)
async def test_what_cannot_be_lifted_is_refused_with_what_is_wrong(
    braked: dict[str, Any], operations: Client, asked: dict[str, Any], status: int, slug: str, pointer: str | None
) -> None:
    refusal(await operations.post(f"{BRAKES}/lift", json=asked), status, slug, pointer=pointer)


async def test_an_operator_is_lifted_for_a_day_at_most(braked: dict[str, Any], operations: Client) -> None:
    lifted = good(await operations.post(f"{BRAKES}/lift", json={"operator": "de*abc", "liftFor": "P1D"}))
    assert (lifted["operator"], lifted["liftedUntil"]) == ("DE*ABC", "2026-03-02T08:00:00.000Z")
