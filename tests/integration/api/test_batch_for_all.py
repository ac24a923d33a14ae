"""One temporary status for many EVSEs: for a list of them, a whole location, or a whole operator."""

import asyncio
import threading
from datetime import datetime
from typing import Any

import httpx
import pytest

from app.api import batch_answers as answers
from app.api import temporary_status_shapes as shapes
from app.domain.instant import rfc3339
from app.domain.principal import Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.domain.whole import MOST_IN_BATCH
from app.service import Service
from app.store.commands.importing import Import
from tests.builders import ADMIN, imported, stored
from tests.clock import START, FrozenClock
from tests.integration.api.calls import EVSES, STATUSES, Client, NewClient, get, good, ids, plan, refusal, register

BATCH = f"{STATUSES}/batch"
LATER = "2026-03-01T09:00:00.000Z"
PROBLEM = "urn:evse-status:problem:"


@pytest.fixture
async def operations(client: NewClient) -> Client:
    return await client(Role.OPERATIONS)


@pytest.fixture
async def site(service: Service) -> list[str]:
    """A location of four EVSEs, one of them without an EVSE ID and one in stock, and what must be left out."""
    there = [
        imported("DE*ABC*E1", uid="1"),
        imported(None, uid="2"),
        imported("DE*ABC*E3", uid="3", published=False),
        imported("DE*ABC*E4", uid="4"),
        imported("DE*ABC*E5", uid="5", status="REMOVED"),
        imported("DE*ABC*E6", uid="6", location="LOC2"),
        imported("DE*ABC*E7", uid="7", party="XYZ", location="LOC2"),
    ]
    for one in there:
        await service.writer.run(Import(by=ADMIN, imported=one))
    return ["1", "2", "3", "4"]


async def post(client: Client, key: str | None = None, **said: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(BATCH, json={"temporaryStatus": "MAINTENANCE", **said}, headers=headers)


def verdicts(answer: httpx.Response) -> list[tuple[Any, ...]]:
    fields = ("evseId", "uid", "status", "type", "detail", "pointer")
    return [tuple(one[name] for name in fields) for one in answer.json()["items"]]


async def everything(service: Service) -> dict[str, Any]:
    tables = ("temporary_status", "brake", "audit", "idempotency", "reference")
    return {name: await stored(service.database, name) for name in tables}


async def test_a_list_is_answered_one_by_one_and_carries_one_batch_id(admin: Client, operations: Client) -> None:
    for one in ("DE*ABC*E1", "DE*ABC*E2"):
        await register(admin, one)
    answer = await post(operations, evseIds=["de*abc*e1", "DE*ABC*E404", "nonsense", "DE*ABC*E2"], validTo=LATER)
    body = good(answer)
    assert [(one["evseId"], one["status"], one["pointer"]) for one in body["items"]] == [
        ("de*abc*e1", 201, None),
        ("DE*ABC*E404", 404, "/evseId"),
        ("nonsense", 400, "/evseIds/2"),
        ("DE*ABC*E2", 201, None),
    ]
    assert (body["planned"], body["refused"], body["dryRun"]) == (2, 2, False)
    found = await get(operations, STATUSES)
    assert ids(found) == [body["items"][0]["id"], body["items"][3]["id"]]
    assert {one["batchId"] for one in found} == {body["batchId"]}
    assert {(one["temporaryStatus"], one["validTo"]) for one in found} == {("MAINTENANCE", LATER)}
    assert (await plan(operations))["batchId"] is None


async def test_a_location_is_all_that_stands_there_and_is_not_deprecated(operations: Client, site: list[str]) -> None:
    body = good(await post(operations, locationId="LOC1"))
    assert [(one["uid"], one["evseId"]) for one in body["items"]] == [
        ("1", "DE*ABC*E1"),
        ("2", None),
        ("3", "DE*ABC*E3"),
        ("4", "DE*ABC*E4"),
    ]
    assert [one["uid"] for one in body["items"]] == site
    assert {one["status"] for one in body["items"]} == {201}


async def test_an_operator_is_all_that_it_has_wherever(operations: Client, site: list[str]) -> None:
    body = good(await post(operations, operator="DE*ABC"))
    assert [one["uid"] for one in body["items"]] == [*site, "6", "7"]
    refusal(await post(operations, operator="DE*ZZZ"), 404, "no-evses-there", pointer="/operator")


async def test_a_location_id_of_several_parties_is_told_apart_by_party(operations: Client, site: list[str]) -> None:
    said = refusal(await post(operations, locationId="LOC2"), 409, "ambiguous-location", pointer="/locationId")
    assert "DE/ABC/LOC2 or DE/XYZ/LOC2" in said["detail"]
    body = good(await post(operations, locationId="LOC2", countryCode="de", partyId="xyz"))
    assert [one["uid"] for one in body["items"]] == ["7"]
    refusal(await post(operations, locationId="loc2"), 404, "no-evses-there", pointer="/locationId")


async def test_a_key_says_it_of_what_it_sees_there_and_learns_of_nothing_else(
    client: NewClient, service: Service, site: list[str]
) -> None:
    (one, *_) = await stored(service.database, "evse")
    scoped = await client(Role.TECHNICIAN, rights=Rights(scope=Scope(evses=(one["id"],), operators=("DEXYZ",))))
    body = good(await post(scoped, locationId="LOC1"))
    assert [item["uid"] for item in body["items"]] == site[:1]
    there = refusal(await post(scoped, locationId="LOC2"), 404, "no-evses-there")
    nowhere = refusal(await post(scoped, locationId="LOC9"), 404, "no-evses-there")
    assert there["detail"].replace("LOC2", "LOC9") == nowhere["detail"]


async def test_what_is_said_of_all_is_refused_once(operations: Client, site: list[str]) -> None:
    refusal(await post(operations, locationId="LOC1", validTo="2026-03-01T07:00:00Z"), 422, "already-over")
    refusal(
        await post(operations, locationId="LOC1", validFrom=LATER, validTo=LATER),
        422,
        "empty-interval",
        pointer="/validTo",
    )


async def test_an_atomic_call_is_done_whole_or_not_at_all(
    service: Service, admin: Client, operations: Client, site: list[str]
) -> None:
    before = await everything(service)
    asked = {"evseIds": ["DE*ABC*E1", "DE*ABC*E404", "DE*ABC*E4"], "atomic": True}
    answer = await post(operations, "k-1", **asked)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"{PROBLEM}batch-refused", 409)
    assert [(one["status"], one["id"]) for one in problem["items"]] == [(424, None), (404, None), (424, None)]
    assert problem["requestId"] == answer.headers["x-request-id"]
    assert await everything(service) == before
    await register(admin, "DE*ABC*E404")
    assert good(await post(operations, "k-1", **asked))["planned"] == 3


async def test_the_brake_remembers_an_atomic_call_that_it_refused_and_counts_nothing_of_it(
    admin: Client, service: Service, client: NewClient, sensor: Client
) -> None:
    evses = [f"DE*ABC*E{number}" for number in range(12)]
    for one in evses:
        await register(admin, one)
    answer = await post(sensor, evseIds=evses, temporaryStatus="BLOCKED", atomic=True)
    assert [one["status"] for one in answer.json()["items"]] == [424] * 5 + [429] * 7
    assert await stored(service.database, "temporary_status") == []
    refusal(await sensor.post(STATUSES, json={"evseId": evses[0], "temporaryStatus": "BLOCKED"}), 429, "blast-radius")
    other = await client(Role.CLIENT)
    assert good(await post(other, evseIds=evses[:5], temporaryStatus="BLOCKED", atomic=True))["planned"] == 5


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_dry_run_changes_nothing_and_says_what_the_call_then_does(
    admin: Client, service: Service, client: NewClient, atomic: bool
) -> None:
    scope = Scope(operators=("DEABC",))
    holder = await client(Role.CLIENT, rights=Rights(scope=scope, most_active=9, open_ended=False))
    evses = [f"DE*ABC*E{number}" for number in range(12)]
    for one in (*evses, "DE*XYZ*E1"):
        await register(admin, one)
    for one in evses[:2]:
        await plan(holder, one, validTo=LATER)
    statuses: set[int] = set()
    calls: list[dict[str, Any]] = [
        {"evseIds": [*evses[:2], "DE*XYZ*E1", "nonsense", "DE*ABC*E404"], "validTo": LATER},
        {"evseIds": evses[:2]},
        {"evseIds": evses[:2], "validTo": LATER, "temporaryStatus": "RESERVED"},
        {"evseIds": evses[2:4], "validFrom": "2026-03-01T12:00:00Z", "validTo": "2026-03-01T13:00:00Z"},
        {"operator": "DE*ABC", "validTo": LATER},
        {"operator": "DE*ABC", "validFrom": "2026-03-02T12:00:00Z", "validTo": "2026-03-02T13:00:00Z"},
    ]
    for asked in calls:
        before = await everything(service)
        dry = await post(holder, "k-1", **asked, atomic=atomic, dryRun=True)
        assert {key: rows for key, rows in (await everything(service)).items() if rows != before[key]} == {}
        real = await post(holder, **asked, atomic=atomic)
        assert (dry.status_code, verdicts(dry)) == (real.status_code, verdicts(real))
        statuses |= {one["status"] for one in real.json()["items"]}
    assert statuses == {201, 400, 403, 404, 409, 429} | ({424} if atomic else set())


async def test_a_dry_run_says_what_would_be_shown_when_it_begins_and_what_overlaps(
    admin: Client, operations: Client, sensor: Client
) -> None:
    await register(admin)
    old = await plan(sensor, kind="RESERVED", validTo="2026-03-01T08:30:00Z")
    answer = await operations.post(
        BATCH,
        json={
            "items": [
                {"evseId": "DE*ABC*E1", "temporaryStatus": "BLOCKED", "validTo": LATER, "reason": "works"},
                {"evseId": "DE*ABC*E1", "temporaryStatus": "RESERVED", "validFrom": "2026-03-01T08:45:00Z"},
                {"evseId": "DE*ABC*E1", "temporaryStatus": "RESERVED", "validFrom": "2026-03-01T10:00:00Z"},
            ],
            "dryRun": True,
        },
    )
    body = good(answer)
    assert (body["batchId"], body["dryRun"], body["planned"]) == (None, True, 3)
    now, beneath, later = body["items"]
    assert now["shown"]["oicp"] == {
        "status": "Occupied",
        "because": "a temporary status of this call (BLOCKED): works",
    }
    assert beneath["shown"]["ocpi"]["status"] == "BLOCKED"
    assert later["shown"]["ocpi"]["status"] == "RESERVED"
    assert [(one["id"], one["temporaryStatus"]) for one in now["overlaps"]] == [(old["id"], "RESERVED")]
    assert [(one["id"], one["temporaryStatus"]) for one in beneath["overlaps"]] == [(None, "BLOCKED")]
    assert (later["overlapping"], later["id"]) == (1, None)
    assert ids(await get(operations, STATUSES, activeOnly="false")) == [old["id"]]


async def test_a_key_that_looks_at_nothing_learns_nothing_of_what_is_planned_by_a_dry_run(
    admin: Client, client: NewClient
) -> None:
    await register(admin)
    ingest = await client(Role.INGEST)
    asked: dict[str, Any] = {"evseIds": ["DE*ABC*E1"], "temporaryStatus": "BLOCKED", "validFrom": LATER, "dryRun": True}
    before = good(await post(ingest, **asked))
    await plan(admin, kind="MAINTENANCE", validFrom="2026-03-01T08:30:00Z", reason="a new cable")
    assert good(await post(ingest, **asked)) == before


async def test_of_much_that_overlaps_only_what_is_told_is_written_out(
    admin: Client, operations: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(admin)
    item = {"evseId": "DE*ABC*E1", "temporaryStatus": "BLOCKED", "validTo": LATER}
    good(await operations.post(BATCH, json={"items": [item] * 30}))
    written: list[datetime] = []

    def counted(at: datetime) -> str:
        written.append(at)
        return rfc3339(at)

    monkeypatch.setattr(shapes, "rfc3339", counted)
    body = good(await operations.post(BATCH, json={"items": [item] * 2, "dryRun": True}))
    assert [(one["overlapping"], len(one["overlaps"])) for one in body["items"]] == [(30, 10), (31, 10)]
    assert len(written) == 20


async def test_others_are_served_while_a_dry_run_is_written_out(
    admin: Client, operations: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(admin)
    asked, served, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()
    planned = answers.planned

    def slowly(*said: Any) -> Any:
        loop.call_soon_threadsafe(asked.set)
        assert served.wait(5)
        return planned(*said)

    async def another() -> None:
        await asked.wait()
        served.set()

    monkeypatch.setattr(answers, "planned", slowly)
    call = post(operations, evseIds=["DE*ABC*E1"], dryRun=True)
    answer, _ = await asyncio.gather(call, another())
    assert good(answer)["planned"] == 1


async def test_the_same_call_again_is_answered_with_the_first_batch_id(operations: Client, site: list[str]) -> None:
    first = await post(operations, "k-1", locationId="LOC1")
    again = await post(operations, "k-1", locationId="LOC1")
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
    assert len(await get(operations, STATUSES)) == len(site)


async def test_ending_a_batch_shows_what_was_shown_before(
    operations: Client, sensor: Client, site: list[str], clock: FrozenClock
) -> None:
    await plan(sensor, "DE*ABC*E1", validTo=LATER)
    before = [await get(operations, f"{EVSES}/DE*ABC*E{number}") for number in (1, 3, 4)]
    batch = good(await post(operations, locationId="LOC1"))["batchId"]
    assert await get(operations, f"{EVSES}/DE*ABC*E1") != before[0]
    path = f"{BATCH}/{batch}"
    refusal(await sensor.delete(path), 404, "batch-not-found")
    dry = good(await operations.delete(path, params={"dryRun": "true"}))
    assert len(await get(operations, STATUSES)) == 5
    ended = good(await operations.delete(path))
    assert ended == dry | {"dryRun": False}
    assert (ended["ended"], ended["over"], [one["uid"] for one in ended["items"]]) == (4, 0, site)
    assert [await get(operations, f"{EVSES}/DE*ABC*E{number}") for number in (1, 3, 4)] == before
    again = good(await operations.delete(path))
    assert (again["ended"], again["over"], again["items"]) == (0, 4, [])
    missing = refusal(await operations.delete(f"{BATCH}/nothing"), 404, "batch-not-found")
    refusal(await operations.delete(f"{BATCH}/{'x' * 65}"), 404, "batch-not-found")
    for bad in ("a%00b", "a%0Ab", "a*b", "%C3%A9"):
        for query in ({}, {"dryRun": "true"}):
            refusal(await operations.delete(f"{BATCH}/{bad}", params=query), 404, "batch-not-found")
    refusal(await operations.delete(path, params={"colour": "red"}), 400, parameter="colour")
    assert missing["detail"] == "no batch nothing"


async def test_of_a_batch_what_is_planned_never_begins_and_what_is_over_stays(
    operations: Client, site: list[str], clock: FrozenClock
) -> None:
    items = [
        {"evseId": "DE*ABC*E1", "temporaryStatus": "BLOCKED", "validTo": "2026-03-01T08:30:00Z"},
        {"evseId": "DE*ABC*E1", "temporaryStatus": "BLOCKED", "validTo": "2026-03-01T12:00:00Z"},
        {"evseId": "DE*ABC*E4", "temporaryStatus": "BLOCKED", "validFrom": "2026-03-01T11:00:00Z"},
    ]
    planned = good(await operations.post(BATCH, json={"items": items}))
    clock.set(START.replace(hour=9))
    ended = good(await operations.delete(f"{BATCH}/{planned['batchId']}"))
    assert [(one["id"], one["was"]) for one in ended["items"]] == [
        (planned["items"][1]["id"], "active"),
        (planned["items"][2]["id"], "planned"),
    ]
    assert ended["over"] == 1
    views = await get(operations, STATUSES, state="ended")
    assert [one["endedAt"] for one in views] == [None, LATER, LATER]


async def test_a_key_below_operations_is_counted_on_what_nobody_loaded(
    client: NewClient, service: Service, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.permission.MOST_ON_ONE_EVSE", 3)
    await register(admin, "DE*ABC*E1")
    await register(admin, "DE*ABC*E2")
    holder = await client(Role.CLIENT)
    await plan(holder)
    items = [{"evseId": "DE*ABC*E1", "temporaryStatus": "BLOCKED", "validTo": LATER}] * 3
    body = good(await holder.post(BATCH, json={"items": [*items, {**items[0], "evseId": "DE*ABC*E2"}]}))
    assert [one["status"] for one in body["items"]] == [201, 201, 409, 201]


async def test_a_key_has_no_more_in_effect_by_a_call_for_many(client: NewClient, admin: Client) -> None:
    evses = [f"DE*ABC*E{number}" for number in range(5)]
    for one in evses:
        await register(admin, one)
    holder = await client(Role.OPERATIONS, rights=Rights(most_active=4))
    await plan(holder, evses[0], validTo=LATER)
    body = good(await post(holder, operator="DE*ABC", validTo=LATER))
    assert [one["status"] for one in body["items"]] == [201, 201, 201, 409, 409]
    body = good(await post(holder, operator="DE*ABC", validFrom=LATER, validTo="2026-03-01T10:00:00Z"))
    assert [one["status"] for one in body["items"]] == [201, 201, 201, 201, 409]


async def test_a_list_of_five_thousand_is_read_and_not_one_more(operations: Client) -> None:
    named = [f"nonsense-{number}" for number in range(MOST_IN_BATCH + 1)]
    assert good(await post(operations, evseIds=named[1:]))["refused"] == MOST_IN_BATCH
    refusal(await post(operations, evseIds=named), 400, pointer="/evseIds")
