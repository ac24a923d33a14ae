"""What a key may look at: its own, and others' where it is good for. The rest looks like what does not exist."""

from typing import Any

import pytest
from sqlalchemy import update

from app.domain.principal import Principal, Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.service import Service
from app.store import reading
from app.store.tables import metadata
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

ELSEWHERE = "DE*XYZ*E1"
SECRET = "kept between the two of us"
ABC = Rights(scope=Scope(operators=("DEABC",)))


@pytest.fixture
async def fleet(admin: Client) -> None:
    await register(admin, locationId="LOC1")
    await register(admin, "DE*ABC*E2", locationId="LOC2")
    await register(admin, ELSEWHERE, locationId="LOC1")


async def pages(client: Client, path: str) -> list[list[Any]]:
    """Follow the links to the last page."""
    found = []
    while path:
        answer = await client.get(path)
        found.append(good(answer))
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    return found


# Lists


async def test_a_client_lists_its_own_and_a_page_is_full_of_them(fleet: None, sensor: Client, booking: Client) -> None:
    own = []
    for _ in range(5):
        await plan(booking)
        own.append((await plan(sensor))["id"])
    await plan(booking)
    found = await pages(sensor, f"{STATUSES}?limit=2")
    assert [ids(page) for page in found] == [own[:2], own[2:4], own[4:]]
    # Nothing follows the last of its own, whoever else planned something since.
    assert [ids(page) for page in await pages(sensor, f"{STATUSES}?limit=5")] == [own]
    assert ids(await get(sensor, STATUSES, evseId=EVSE, activeOnly="false")) == own


@pytest.mark.parametrize("role", [Role.READER, Role.TECHNICIAN, Role.OPERATIONS, Role.ADMIN])
async def test_who_sees_others_lists_what_is_in_scope_and_pages_are_full_of_it(
    fleet: None, admin: Client, client: NewClient, role: Role
) -> None:
    holder = await client(role, rights=ABC)
    theirs = []
    for _ in range(3):
        await plan(admin, ELSEWHERE)
        theirs.append((await plan(admin))["id"])
    await plan(admin, ELSEWHERE)
    found = await pages(holder, f"{STATUSES}?limit=2&temporaryStatus=BLOCKED")
    assert [ids(page) for page in found] == [theirs[:2], theirs[2:]]
    assert [len(page) for page in await pages(holder, f"{STATUSES}?limit=3")] == [3]


async def test_what_a_key_made_it_sees_also_where_it_is_not_good_for_any_more(
    fleet: None, service: Service, admin: Client, client: NewClient
) -> None:
    technician = await client(Role.TECHNICIAN)
    mine, others = [], []
    for evse in (EVSE, ELSEWHERE, EVSE):
        others.append((await plan(admin, evse))["id"])
        mine.append((await plan(technician, ELSEWHERE, "MAINTENANCE"))["id"])
    key = metadata.tables["api_key"]
    async with service.database.write() as connection:
        narrowed = update(key).where(key.c.role == "technician").values(rights={"scope": {"operators": ["DEABC"]}})
        await connection.execute(narrowed)
    wanted = [others[0], mine[0], mine[1], others[2], mine[2]]
    for limit in (1, 2, 5):
        found = await pages(technician, f"{STATUSES}?limit={limit}")
        assert [ids(page) for page in found] == [wanted[at : at + limit] for at in range(0, 5, limit)]
    by = (await get(technician, f"{STATUSES}/{mine[0]}"))["createdBy"]
    holder = Principal(by, Role.TECHNICIAN, ABC)
    async with service.database.read() as connection:
        query = reading.TemporaryQuery(by=holder, limit=3)
        page = await reading.temporary_statuses(connection, query, service.clock.now())
    assert [one.id for one, _ in page] == wanted[:3]
    refusal(await technician.get(f"{STATUSES}/{others[1]}"), 404, "temporary-status-not-found")
    refusal(await technician.get(f"{EVSES}/{ELSEWHERE}"), 404, "evse-not-found")


async def test_the_fleet_is_what_is_in_scope(fleet: None, client: NewClient) -> None:
    site = Scope(sites=(("DE", "ABC", "LOC2"), ("DE", "XYZ", "LOC2")))
    for scope, wanted in (
        (Scope(operators=("DEABC",)), [EVSE, "DE*ABC*E2"]),
        (site, ["DE*ABC*E2"]),
        (Scope(), [EVSE, "DE*ABC*E2", ELSEWHERE]),
        (Scope(operators=("DEAB",)), []),
    ):
        holder = await client(Role.CLIENT, rights=Rights(scope=scope))
        found = await pages(holder, f"{EVSES}?limit=1")
        assert [one["evseId"] for page in found for one in page] == wanted
        assert all(found[:-1])
        for evse in (EVSE, "DE*ABC*E2", ELSEWHERE):
            answer = await holder.get(f"{EVSES}/{evse}")
            assert answer.status_code == (200 if evse in wanted else 404), evse


# One thing


async def test_what_may_not_be_seen_is_answered_in_the_words_for_what_does_not_exist(
    fleet: None, admin: Client, client: NewClient
) -> None:
    scoped = await client(Role.CLIENT, rights=ABC)
    elsewhere, others = (await plan(admin, ELSEWHERE))["id"], (await plan(admin))["id"]
    for there, not_there in (
        (f"{STATUSES}/{elsewhere}", f"{STATUSES}/4711"),
        (f"{STATUSES}/{others}", f"{STATUSES}/4711"),
        (f"{EVSES}/{ELSEWHERE}", f"{EVSES}/DE*XYZ*E9"),
        (f"{STATUSES}?evseId={ELSEWHERE}", f"{STATUSES}?evseId=DE*XYZ*E9"),
        (f"{STATUSES}?evseId=DEXYZE1", f"{STATUSES}?evseId=DEXYZE9"),
    ):
        unseen, unknown = [await scoped.get(path, headers=ONE_REQUEST) for path in (there, not_there)]
        refusal(unseen, 404)
        last, missing = there.split("/")[-1].split("=")[-1], not_there.split("/")[-1].split("=")[-1]
        assert unseen.text.replace(last, "?") == unknown.text.replace(missing, "?")


async def test_an_evse_id_that_fits_two_is_not_ambiguous_for_who_sees_one_of_them(
    admin: Client, client: NewClient
) -> None:
    await register(admin, "DE*ABC*E1*23", locationId="LOC1")
    await register(admin, "DE*ABC*E12*3", locationId="LOC2")
    near = await client(Role.CLIENT, rights=Rights(scope=Scope(sites=(("DE", "ABC", "LOC1"),))))
    assert (await get(near, f"{EVSES}/DEABCE123"))["evseId"] == "DE*ABC*E1*23"
    assert (await plan(near, "DEABCE123"))["evseId"] == "DE*ABC*E1*23"
    assert len(await get(near, STATUSES, evseId="DEABCE123")) == 1
    far = await client(Role.CLIENT)
    for answer in (await far.get(f"{EVSES}/DEABCE123"), await far.get(STATUSES, params={"evseId": "DEABCE123"})):
        problem = refusal(answer, 409, "ambiguous-evse")
        assert "DE*ABC*E12*3" in problem["detail"]


async def test_an_evse_is_explained_without_what_others_said_about_it(
    fleet: None, admin: Client, sensor: Client, booking: Client, reader: Client
) -> None:
    theirs = await plan(booking, EVSE, "MAINTENANCE", reason=SECRET, validTo="2026-03-01T10:00:00Z")
    own = await plan(sensor, reason="a car is in front of it")
    for answer in (
        await get(sensor, f"{EVSES}/{EVSE}"),
        next(one for one in await get(sensor, EVSES) if one["evseId"] == EVSE),
    ):
        assert ids(answer["temporaryStatuses"]) == [own["id"]]
        for channel in answer["presented"].values():
            # What any driver sees is no secret: the status, and until when.
            assert (channel["why"], channel["temporaryStatusId"]) == ("a temporary status (MAINTENANCE)", None)
            assert channel["status"]
            assert channel["until"] == "2026-03-01T10:00:00.000Z"
        assert SECRET not in str(answer)
    seen = await get(reader, f"{EVSES}/{EVSE}")
    assert ids(seen["temporaryStatuses"]) == [theirs["id"], own["id"]]
    for channel in seen["presented"].values():
        assert channel["why"] == f"temporary status {theirs['id']} (MAINTENANCE): {SECRET}"
        assert channel["temporaryStatusId"] == theirs["id"]
    # Its own is told as ever.
    await booking.delete(f"{STATUSES}/{theirs['id']}")
    explained = (await get(sensor, f"{EVSES}/{EVSE}"))["presented"]["ocpi"]
    assert explained["why"] == f"temporary status {own['id']} (BLOCKED): a car is in front of it"
    assert explained["temporaryStatusId"] == own["id"]


# Answers to changes


async def test_an_answer_tells_when_others_overlap_but_not_which_they_are(
    fleet: None, admin: Client, sensor: Client, booking: Client
) -> None:
    theirs = await plan(booking, EVSE, "MAINTENANCE", reason=SECRET)
    told = {"temporaryStatus": "MAINTENANCE", "validFrom": theirs["validFrom"], "validTo": None}
    own = await plan(sensor)
    by_ref = {"evseId": EVSE, "temporaryStatus": "RESERVED"}
    answers = {
        "post": await plan(sensor, EVSE, "RESERVED", validTo="2026-03-01T09:00:00Z"),
        "patch": good(await sensor.patch(f"{STATUSES}/{own['id']}", json={"validTo": "2026-03-01T11:00:00Z"})),
        "put": good(await sensor.put(f"{STATUSES}/by-ref/mine", json=by_ref)),
    }
    for how, answer in answers.items():
        assert answer["overlaps"][0] == {"id": None, **told}, how
        assert all(one["id"] for one in answer["overlaps"][1:]), how
        assert {one["because"] for one in answer["shown"].values()} == {"a temporary status (MAINTENANCE)"}, how
        assert SECRET not in str(answer), how
    seen = await plan(admin)
    assert seen["overlaps"][0] == {"id": theirs["id"], **told}
    assert SECRET in seen["shown"]["ocpi"]["because"]


async def test_a_key_that_sees_nothing_is_told_of_no_overlaps_and_only_of_its_own_what_it_is(
    fleet: None, booking: Client, client: NewClient
) -> None:
    network = await client(Role.INGEST)
    first = await plan(network, reason="a car is in front of it")
    assert first["overlaps"] == []
    assert first["shown"]["ocpi"]["because"] == f"temporary status {first['id']} (BLOCKED): a car is in front of it"
    await plan(booking, EVSE, "MAINTENANCE", reason=SECRET)
    answer = await plan(network)
    assert answer["overlaps"] == []
    assert SECRET not in str(answer)
    for path in (STATUSES, f"{STATUSES}/{first['id']}", f"{STATUSES}/by-ref/r", EVSES, f"{EVSES}/{EVSE}"):
        refusal(await network.get(path), 403, "forbidden")
