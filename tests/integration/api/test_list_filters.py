"""What both lists can be asked for over HTTP: what is found, what is refused, and that nothing is given away."""

from datetime import timedelta
from typing import Any

import pytest

from app.api.filters import MOST_EVSES, PresentedWord
from app.domain.principal import Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.store.fleet_lists import SHOWN
from tests.clock import FrozenClock
from tests.integration.api.calls import (
    EVSE,
    EVSES,
    ONE_REQUEST,
    STATUSES,
    Client,
    NewClient,
    get,
    good,
    ids,
    plan,
    refusal,
    register,
)

SECOND, THIRD = "DE*ABC*E2", "DE*XYZ*E1"
EIGHT, NINE, TEN = (f"2026-03-01T{hour}:00:00Z" for hour in ("08", "09", "10"))


@pytest.fixture
async def some(admin: Client, sensor: Client, booking: Client, clock: FrozenClock) -> dict[str, int]:
    """One that was ended at half past eight, when it is now, and three that were not."""
    await register(admin, locationId="LOC1")
    await register(admin, SECOND, locationId="LOC1")
    await register(admin, THIRD, locationId="LOC1")
    made = {
        "over": await plan(sensor, EVSE, "BLOCKED"),
        "active": await plan(sensor, EVSE, "MAINTENANCE", validTo=NINE),
        "planned": await plan(booking, SECOND, "RESERVED", validFrom=NINE, validTo=TEN),
        "open": await plan(booking, THIRD, "BLOCKED"),
    }
    clock.advance(timedelta(minutes=30))
    await sensor.delete(f"{STATUSES}/{made['over']['id']}")
    return {name: one["id"] for name, one in made.items()}


async def test_temporary_statuses_are_found_by_what_is_asked(
    reader: Client, some: dict[str, int], subtests: pytest.Subtests
) -> None:
    theirs = (await get(reader, f"{STATUSES}/{some['planned']}"))["createdBy"]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"evseId": [EVSE, SECOND]}, "active"),
        ({"evseId": [EVSE, "deabce2"], "activeOnly": "false"}, "over active planned"),
        ({"locationId": "LOC1"}, "active open"),
        ({"locationId": "LOC1", "countryCode": "de", "partyId": "xyz"}, "open"),
        ({"locationId": "LOC404"}, ""),
        ({"operator": "DE*ABC"}, "active"),
        ({"operator": "dexyz"}, "open"),
        ({"temporaryStatus": ["BLOCKED", "reserved"], "activeOnly": "false"}, "over planned open"),
        ({"activeAt": "2026-03-01T08:10:00Z"}, "over active open"),
        ({"activeAt": NINE}, "planned open"),
        ({"activeAt": NINE, "state": "planned"}, "planned"),
        ({"activeAt": "2026-03-01T09:10:00+01:00", "state": "ended"}, "over"),
        ({"activeAt": NINE, "activeOnly": "true"}, "open"),
        ({"from": EIGHT, "to": "2026-03-01T08:00:00.001Z"}, "over active open"),
        ({"from": "2026-03-01T08:30:00Z", "to": NINE}, "active open"),
        ({"from": NINE}, "planned open"),
        ({"to": NINE}, "over active open"),
        ({"endingWithin": "30m"}, "active"),
        ({"endingWithin": "PT29M59S"}, ""),
        ({"endingWithin": "1d", "activeOnly": "false"}, "active"),
        ({"updatedSince": "2026-03-01T08:30:00Z"}, "over"),
        ({"updatedSince": EIGHT}, "over active planned open"),
        ({"createdBy": theirs}, "planned open"),
        ({"createdBy": theirs, "state": "active"}, "open"),
        ({"createdBy": "me"}, ""),
        ({"batchId": "404"}, ""),
        ({"ref": "bay-404"}, ""),
    ]
    for query, expected in cases:
        with subtests.test(**query):
            assert ids(await get(reader, STATUSES, **query)) == [some[name] for name in expected.split()]
    # As many as may be named, and a cursor under other filters, which only says after what it goes on.
    assert ids(await get(reader, STATUSES, evseId=[EVSE] * MOST_EVSES)) == [some["active"]]
    first = await reader.get(STATUSES, params={"activeOnly": "false", "limit": 2})
    cursor = first.links["next"]["url"].partition("cursor=")[2]
    assert ids(await get(reader, f"{STATUSES}?cursor={cursor}")) == [some["open"]]


async def test_a_reference_is_found_whoever_made_it_and_whatever_became_of_it(
    reader: Client, sensor: Client, booking: Client, some: dict[str, int]
) -> None:
    made = []
    for client in (sensor, booking):
        path = f"{STATUSES}/by-ref/bay-7"
        made.append(good(await client.put(path, json={"evseId": EVSE, "temporaryStatus": "BLOCKED"}))["id"])
    await sensor.delete(f"{STATUSES}/by-ref/bay-7")
    assert ids(await get(reader, STATUSES, ref="bay-7")) == made
    assert ids(await get(sensor, STATUSES, ref="bay-7")) == made[:1]
    assert ids(await get(booking, STATUSES, ref="bay-7", createdBy="me")) == made[1:]


async def test_evses_are_found_by_what_is_asked(
    admin: Client, reader: Client, some: dict[str, int], subtests: pytest.Subtests
) -> None:
    await admin.put(f"{EVSES}/{SECOND}/actual-status", json={"status": "Charging"})
    await register(admin, "DE*ABC*E3", deploymentState="STOCK")
    theirs = (await get(reader, f"{STATUSES}/{some['planned']}"))["createdBy"]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"evseId": [SECOND, EVSE]}, [EVSE, SECOND]),
        ({"locationId": "LOC1", "partyId": "XYZ"}, [THIRD]),
        ({"operator": "DE*ABC", "deploymentState": "PRODUCTION"}, [EVSE, SECOND]),
        ({"actualStatus": ["CHARGING", "OUTOFORDER"]}, [SECOND]),
        ({"presented": "MAINTENANCE"}, [EVSE]),
        ({"presented": ["CHARGING", "BLOCKED"]}, [SECOND, THIRD]),
        ({"presented": "WITHHELD"}, ["DE*ABC*E3"]),
        ({"temporaryStatus": "BLOCKED"}, [THIRD]),
        ({"temporaryStatus": ["BLOCKED", "MAINTENANCE"]}, [EVSE, THIRD]),
        ({"activeAt": NINE}, [SECOND, THIRD]),
        ({"activeAt": NINE, "temporaryStatus": "RESERVED"}, [SECOND]),
        ({"endingWithin": "30m"}, [EVSE]),
        ({"createdBy": theirs}, [THIRD]),
        ({"createdBy": theirs, "temporaryStatus": "MAINTENANCE"}, []),
        ({"updatedSince": "2026-03-01T08:31:00Z"}, []),
    ]
    for query, expected in cases:
        with subtests.test(**query):
            assert [one["evseId"] for one in await get(reader, EVSES, **query)] == expected
    # What is shown may be looked at anew at any time, and is updated then.
    changed = {one["evseId"] for one in await get(reader, EVSES, updatedSince="2026-03-01T08:30:00Z")}
    assert changed >= {EVSE, SECOND, "DE*ABC*E3"}


async def test_what_is_shown_is_found_as_soon_as_it_is_so(
    reader: Client, some: dict[str, int], clock: FrozenClock
) -> None:
    clock.advance(timedelta(minutes=30))  # nobody has looked at the boundary yet
    assert await get(reader, EVSES, presented="MAINTENANCE") == []
    found = await get(reader, EVSES, presented="RESERVED")
    assert found == [await get(reader, f"{EVSES}/{SECOND}")]


async def test_filters_give_nothing_away(
    sensor: Client, booking: Client, client: NewClient, reader: Client, some: dict[str, int]
) -> None:
    theirs = (await get(reader, f"{STATUSES}/{some['planned']}"))["createdBy"]
    for query in ({"createdBy": theirs}, {"updatedSince": EIGHT, "operator": "DE*XYZ"}, {"activeAt": NINE}):
        assert await get(sensor, STATUSES, **query) == []
        assert await get(booking, STATUSES, **query) != []
    # Of the fleet neither: what others planned does not count, however it is asked for.
    for query in ({"createdBy": theirs}, {"activeAt": NINE}, {"temporaryStatus": "BLOCKED"}):
        assert await get(sensor, EVSES, **query) == []
        assert await get(booking, EVSES, **query) != []
    near = await client(Role.READER, rights=Rights(scope=Scope(operators=("DEABC",))))
    for query in (
        {"createdBy": theirs, "state": "active"},
        {"operator": "DE*XYZ"},
        {"locationId": "LOC1", "partyId": "XYZ"},
    ):
        assert await get(near, STATUSES, **query) == []
    unseen = await near.get(STATUSES, params={"evseId": [EVSE, THIRD]}, headers=ONE_REQUEST)
    unknown = await near.get(STATUSES, params={"evseId": [EVSE, "DE*XYZ*E9"]}, headers=ONE_REQUEST)
    refusal(unseen, 404, "evse-not-found", parameter="evseId")
    assert unseen.text.replace(THIRD, "?") == unknown.text.replace("DE*XYZ*E9", "?")


async def test_what_cannot_be_read_is_named(reader: Client, subtests: pytest.Subtests) -> None:
    both: list[tuple[dict[str, Any], str]] = [
        ({"evseId": [EVSE] * (MOST_EVSES + 1)}, "evseId"),
        ({"evseId": [EVSE, "nonsense"]}, "evseId"),
        ({"locationId": "\x00"}, "locationId"),
        ({"locationId": "L" * 37}, "locationId"),
        ({"countryCode": "DE"}, "countryCode"),
        ({"partyId": "ABC"}, "partyId"),
        ({"operator": "nonsense"}, "operator"),
        ({"operator": ""}, "operator"),
        ({"temporaryStatus": ["BLOCKED", "CLOSED"]}, "temporaryStatus"),
        ({"activeAt": "now"}, "activeAt"),
        ({"updatedSince": "2026-03-01"}, "updatedSince"),
        ({"endingWithin": "soon"}, "endingWithin"),
        ({"endingWithin": "0m"}, "endingWithin"),
        ({"endingWithin": "3651d"}, "endingWithin"),
        ({"createdBy": "\x00"}, "createdBy"),
    ]
    only: list[tuple[str, dict[str, Any], str]] = [
        (STATUSES, {"from": NINE, "to": NINE}, "to"),
        (STATUSES, {"from": "1999-12-31T23:59:59Z"}, "from"),
        (STATUSES, {"endingWithin": "1h", "state": "planned"}, "state"),
        (STATUSES, {"ref": "a b"}, "ref"),
        (STATUSES, {"batchId": "\x00"}, "batchId"),
        (EVSES, {"endingWithin": "1h", "activeAt": NINE}, "activeAt"),
        (EVSES, {"presented": "SHOWN"}, "presented"),
        (EVSES, {"actualStatus": "Charging"}, "actualStatus"),
    ]
    for path, query, parameter in [*((path, *case) for case in both for path in (STATUSES, EVSES)), *only]:
        with subtests.test(path=path, **query):
            refusal(await reader.get(path, params=query), 400, parameter=parameter)


def test_every_word_for_what_is_shown_can_be_asked_for() -> None:
    assert set(PresentedWord) == set(SHOWN)
