"""API keys over HTTP: shown once, good at once, and never beyond whoever makes them."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.api_key import ApiKey, digest_of, key_id_of, new_key
from app.domain.principal import Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.service import Service
from app.store import keys as store
from tests.builders import HOUR, stored
from tests.clock import START, FrozenClock
from tests.integration.api.calls import (
    EVSE,
    EVSES,
    ONE_REQUEST,
    STATUSES,
    Client,
    NewClient,
    get,
    good,
    issue,
    plan,
    refusal,
    register,
)

KEYS = "/v2/keys"
DAY = timedelta(days=1)
MOMENT = timedelta(milliseconds=1)
EVERYWHERE = {"scope": {"everywhere": True}}


async def make(admin: Client, **asked: Any) -> Any:
    return good(await admin.post(KEYS, json={"name": "somebody", **asked}))


async def holder_of(service: Service, client: NewClient, role: Role, rights: Rights) -> tuple[str, Client]:
    """Somebody with a key of a role and rights, stored as it is."""
    key_id, key = new_key()
    one = ApiKey(
        id=key_id, name="x", role=role, digest=digest_of(key), created_by="cli", created_at=START, rights=rights
    )
    async with service.database.write() as connection:
        await store.add(connection, one)
    return key_id, await client(key=key)


async def test_a_key_is_shown_once_and_works_at_once(admin: Client, client: NewClient, service: Service) -> None:
    made = await make(admin, preset="booking", rights={"scope": {"operators": ["DE*ABC"]}})
    assert key_id_of(made["key"]) == made["id"]
    assert (made["role"], made["state"], made["expiresAt"]) == ("client", "good", "2027-03-01T08:00:00.000Z")
    assert made["rights"] == {
        "scope": {"everywhere": False, "operators": ["DE*ABC"], "sites": [], "evses": []},
        "kinds": ["RESERVED"],
        "longest": "P1D",
        "furthest": "P90D",
        "mostActive": 200,
        "openEnded": False,
        "finalCancel": True,
        "networks": [],
        "rate": 600,
    }
    holder = await client(key=made["key"])
    await register(admin)
    await plan(holder, kind="RESERVED", validTo="2026-03-01T09:00:00Z")

    del made["key"]
    assert await get(admin, f"{KEYS}/{made['id']}") == made
    assert made in await get(admin, KEYS)
    secret = digest_of(made["id"])
    for answer in (await admin.get(KEYS), await admin.get(f"{KEYS}/{made['id']}")):
        for row in await stored(service.database, "api_key"):
            assert row["digest"] not in answer.text
        assert secret not in answer.text
        assert "igest" not in answer.text


async def test_a_scope_is_read_from_what_people_write(admin: Client, service: Service) -> None:
    one = await register(admin, locationId="LOC1")
    scope = {
        "operators": ["deabc", "DE*ABC", "+49*810"],
        "sites": [{"countryCode": "DE", "partyId": "ABC", "locationId": "LOC1"}],
        "evses": ["de*abc*e1"],
    }
    made = await make(admin, role="client", rights={"scope": scope})
    expected = {"operators": ["DE*ABC", "+49*810"], "sites": scope["sites"], "evses": [one["evseId"]]}
    assert made["rights"]["scope"] == {"everywhere": False, **expected}
    row = next(row for row in await stored(service.database, "api_key") if row["id"] == made["id"])
    assert row["rights"]["scope"]["evses"] == [1]


@pytest.mark.parametrize(
    ("asked", "status", "slug", "pointer"),
    [
        ({}, 400, "malformed-value", "/preset"),
        ({"preset": "sensor", "role": "ingest"}, 400, "malformed-value", "/preset"),
        ({"preset": "sensor"}, 400, "malformed-value", "/rights/scope"),
        ({"role": "client", "rights": {"scope": {}}}, 400, "malformed-value", "/rights/scope"),
        (
            {"role": "client", "rights": {"scope": {"everywhere": True, "operators": ["DE*ABC"]}}},
            400,
            "malformed-value",
            "/rights/scope",
        ),
        (
            {"role": "client", "rights": {"scope": {"operators": ["DE*ABC", "DE*ABC*E"]}}},
            400,
            "malformed-evse-id",
            "/rights/scope/operators/1",
        ),
        ({"role": "client", "rights": {"scope": {"evses": ["DE*ABC*E404"]}}}, 404, "evse-not-found", None),
        ({"role": "client", "rights": {"scope": {"evses": ["x"]}}}, 400, "malformed-evse-id", "/rights/scope/evses/0"),
        (
            {
                "role": "client",
                "rights": {"scope": {"sites": [{"countryCode": "DE", "partyId": "ABC", "locationId": "X"}]}},
            },
            400,
            "malformed-value",
            "/rights/scope/sites/0",
        ),
        (
            {
                "role": "client",
                "rights": {"scope": {"sites": [{"countryCode": "DE", "partyId": "ABC", "locationId": "\x00"}]}},
            },
            400,
            "malformed-value",
            "/rights/scope/sites/0",
        ),
        ({"preset": "sensor", "rights": EVERYWHERE | {"kinds": ["RESERVED"]}}, 400, "malformed-value", "/rights/kinds"),
        ({"role": "client", "rights": EVERYWHERE | {"longest": "12h"}}, 400, "malformed-value", "/rights/longest"),
        ({"role": "client", "rights": EVERYWHERE | {"longest": "PT0S"}}, 400, "malformed-value", "/rights/longest"),
        ({"role": "client", "rights": EVERYWHERE | {"mostActive": 0}}, 400, "malformed", "/rights/mostActive"),
        ({"role": "client", "rights": EVERYWHERE | {"rate": 0}}, 400, "malformed", "/rights/rate"),
        (
            {"role": "client", "rights": EVERYWHERE | {"networks": ["10.0.0.1/8"]}},
            400,
            "malformed-value",
            "/rights/networks/0",
        ),
        ({"role": "reader", "expiresAt": "2026-03-01T08:00:00Z"}, 400, "malformed-value", "/expiresAt"),
        ({"role": "reader", "name": "a\nb"}, 400, "malformed-value", "/name"),
        ({"role": "reader", "id": "mine"}, 400, "malformed", "/id"),
        ({"role": "reader", "createdBy": "me"}, 400, "malformed", "/createdBy"),
    ],
)
async def test_what_cannot_be_is_refused_and_no_key_is_made(
    admin: Client, service: Service, asked: dict[str, Any], status: int, slug: str, pointer: str | None
) -> None:
    answer = await admin.post(KEYS, json={"name": "x", **asked})
    refusal(answer, status, slug, pointer=pointer)
    assert len(await stored(service.database, "api_key")) == 1


async def test_an_ambiguous_evse_is_no_scope(admin: Client) -> None:
    await register(admin, "DE*ABC*E1*23")
    await register(admin, "DE*ABC*E12*3")
    asked = {"name": "x", "role": "client", "rights": {"scope": {"evses": ["DEABCE123"]}}}
    refusal(await admin.post(KEYS, json=asked), 409, "ambiguous-evse", pointer="/rights/scope/evses/0")


async def test_a_change_counts_from_the_next_call_on(admin: Client, client: NewClient, service: Service) -> None:
    made = await make(admin, role="client", rights=EVERYWHERE)
    holder = await client(key=made["key"])
    await register(admin)
    await plan(holder, kind="RESERVED", validTo="2026-03-01T09:00:00Z")
    changed = good(await admin.patch(f"{KEYS}/{made['id']}", json={"name": "new", "rights": {"kinds": ["BLOCKED"]}}))
    assert (changed["name"], changed["rights"]["kinds"], changed["rights"]["longest"]) == ("new", ["BLOCKED"], "P1D")
    body = {"evseId": EVSE, "temporaryStatus": "RESERVED", "validTo": "2026-03-01T09:00:00Z"}
    refusal(await holder.post(STATUSES, json=body), 403, "kind-not-allowed")
    lifted = good(await admin.patch(f"{KEYS}/{made['id']}", json={"rights": {"longest": None}, "expiresAt": None}))
    assert (lifted["rights"]["longest"], lifted["expiresAt"], lifted["rights"]["kinds"]) == (None, None, ["BLOCKED"])
    audited = len(await stored(service.database, "audit"))
    assert good(await admin.patch(f"{KEYS}/{made['id']}", json={})) == lifted
    assert len(await stored(service.database, "audit")) == audited


async def test_a_scope_cannot_be_emptied_into_everywhere(admin: Client) -> None:
    made = await make(admin, role="client", rights={"scope": {"operators": ["DE*ABC"]}})
    empty: list[dict[str, Any]] = [{}, {"operators": []}, {"everywhere": False}]
    for scope in empty:
        answer = await admin.patch(f"{KEYS}/{made['id']}", json={"rights": {"scope": scope}})
        refusal(answer, 400, "malformed-value", pointer="/rights/scope")
    kept = await get(admin, f"{KEYS}/{made['id']}")
    assert kept["rights"]["scope"]["operators"] == ["DE*ABC"]


async def test_a_rotated_key_owns_what_it_owned_and_its_old_secret_ends_on_time(
    admin: Client, client: NewClient, clock: FrozenClock
) -> None:
    made = await make(admin, preset="compatible", rights=EVERYWHERE)
    await register(admin)
    old = await client(key=made["key"])
    one = await plan(old)
    rotated = good(await admin.post(f"{KEYS}/{made['id']}/rotate", json={"overlap": "PT1H"}))
    assert rotated["id"] == made["id"] == key_id_of(rotated["key"])
    assert rotated["key"] != made["key"]
    assert rotated["previousUntil"] == "2026-03-01T09:00:00.000Z"
    new = await client(key=rotated["key"])
    assert good(await new.get(f"{STATUSES}/{one['id']}"))["createdBy"] == made["id"]
    clock.advance(HOUR - MOMENT)
    good(await old.get(EVSES))
    clock.advance(MOMENT)
    refusal(await old.get(EVSES), 401, "unauthenticated")
    assert (await new.delete(f"{STATUSES}/{one['id']}")).status_code == 204
    assert (await get(admin, f"{KEYS}/{made['id']}"))["previousUntil"] is None


@pytest.mark.parametrize(("overlap", "status"), [("PT0S", 200), ("P90D", 200), ("P90DT1S", 400), ("a day", 400)])
async def test_an_overlap_has_a_limit(admin: Client, overlap: str, status: int) -> None:
    made = await make(admin, role="reader")
    answer = await admin.post(f"{KEYS}/{made['id']}/rotate", json={"overlap": overlap})
    assert answer.status_code == status
    if status == 400:
        refusal(answer, 400, "malformed-value", pointer="/overlap")


async def test_a_key_expires_at_the_instant_that_was_said(admin: Client, client: NewClient, clock: FrozenClock) -> None:
    made = await make(admin, role="reader", expiresAt="2026-03-02T09:00:00+01:00")
    holder = await client(key=made["key"])
    clock.advance(DAY - MOMENT)
    good(await holder.get(EVSES))
    clock.advance(MOMENT)
    refusal(await holder.get(EVSES), 401, "unauthenticated")
    assert (await get(admin, f"{KEYS}/{made['id']}"))["state"] == "expired"
    refusal(await admin.post(f"{KEYS}/{made['id']}/rotate", json={}), 409, "key-is-over")
    good(await admin.patch(f"{KEYS}/{made['id']}", json={"expiresAt": None}))
    good(await holder.get(EVSES))


async def test_revoking_is_at_once_and_for_good_and_may_be_repeated(
    admin: Client, client: NewClient, service: Service, clock: FrozenClock
) -> None:
    made = await make(admin, role="reader")
    holder = await client(key=made["key"])
    for _ in range(2):
        assert (await admin.delete(f"{KEYS}/{made['id']}")).status_code == 204
        refusal(await holder.get(EVSES), 401, "unauthenticated")
        clock.advance(HOUR)
    shown = await get(admin, f"{KEYS}/{made['id']}")
    assert (shown["state"], shown["revokedAt"]) == ("revoked", "2026-03-01T08:00:00.000Z")
    refusal(await admin.patch(f"{KEYS}/{made['id']}", json={"expiresAt": None}), 409, "key-is-over")
    refusal(await admin.post(f"{KEYS}/{made['id']}/rotate", json={}), 409, "key-is-over")
    done = [(row["action"], row["subject"]) for row in await stored(service.database, "audit")]
    assert done.count(("revoke", f"key {made['id']}")) == 1


async def test_an_admin_may_revoke_itself(admin: Client) -> None:
    (own,) = await get(admin, KEYS)
    assert (await admin.delete(f"{KEYS}/{own['id']}")).status_code == 204
    refusal(await admin.get(KEYS), 401, "unauthenticated")


async def test_what_does_not_exist_is_a_404_for_everything(admin: Client) -> None:
    made = await make(admin, role="reader")
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/panic")):
        body = _body(method)
        refusal(await admin.request(method, f"{KEYS}/nobody{path}", json=body), 404, "key-not-found")
        wrong = await admin.request(method, f"{KEYS}/{made['key']}{path}", json=body)
        assert made["key"] not in wrong.text
        assert made["id"] in refusal(wrong, 404, "key-not-found")["detail"]


async def test_operations_sees_keys_and_panics_those_below_it_only(admin: Client, client: NewClient) -> None:
    operations = await client(Role.OPERATIONS)
    made = await make(admin, role="client", rights=EVERYWHERE)
    (above,) = [one for one in await get(admin, KEYS) if one["role"] == "admin"]
    assert {one["id"] for one in await get(operations, KEYS)} >= {above["id"], made["id"]}
    refusal(await operations.post(f"{KEYS}/{above['id']}/panic"), 404, "key-not-found")
    refusal(await operations.post(KEYS, json={"name": "x", "role": "reader"}), 403, "forbidden")
    refusal(await operations.delete(f"{KEYS}/{made['id']}"), 403, "forbidden")
    good(await operations.post(f"{KEYS}/{made['id']}/panic"))
    assert (await get(admin, f"{KEYS}/{above['id']}"))["state"] == "good"


async def test_a_scoped_admin_reaches_keys_within_its_scope_only(
    admin: Client, client: NewClient, service: Service
) -> None:
    _, scoped = await holder_of(service, client, Role.ADMIN, Rights(scope=Scope(operators=("DEABC",))))
    mine = await make(admin, role="client", rights={"scope": {"operators": ["DE*ABC"]}})
    theirs = await make(admin, role="client", rights={"scope": {"operators": ["DE*XYZ"]}})
    everywhere = await make(admin, role="client", rights=EVERYWHERE)
    seen = {one["id"] for one in await get(scoped, KEYS)}
    assert mine["id"] in seen
    assert not {theirs["id"], everywhere["id"]} & seen
    for other in (theirs, everywhere):
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/panic")):
            body = _body(method)
            refusal(await scoped.request(method, f"{KEYS}/{other['id']}{path}", json=body), 404, "key-not-found")
    both = {"scope": {"operators": ["DE*ABC", "DE*XYZ"]}}
    for rights in (None, EVERYWHERE, both):
        asked = {"name": "x", "role": "admin", "rights": rights}
        refusal(await scoped.post(KEYS, json=asked), 403, "forbidden")
    for rights in (EVERYWHERE, both):
        refusal(await scoped.patch(f"{KEYS}/{mine['id']}", json={"rights": rights}), 403, "forbidden")
    assert len(await get(admin, KEYS)) == 5
    await make(scoped, role="client", rights={"scope": {"operators": ["DE*ABC"]}})
    good(await scoped.post(f"{KEYS}/{mine['id']}/rotate", json={}))
    assert (await scoped.delete(f"{KEYS}/{mine['id']}")).status_code == 204


async def test_whether_an_evse_or_a_site_of_others_exists_is_not_told_to_a_scoped_admin(
    admin: Client, client: NewClient, service: Service
) -> None:
    _, scoped = await holder_of(service, client, Role.ADMIN, Rights(scope=Scope(operators=("DEABC",))))
    await register(admin, "DE*XYZ*E1", locationId="LOC1")
    answers = []
    for evse in ("DE*XYZ*E1", "DE*XYZ*E2"):
        asked = {"name": "x", "role": "client", "rights": {"scope": {"evses": [evse]}}}
        problem = refusal(await scoped.post(KEYS, json=asked, headers=ONE_REQUEST), 404, "evse-not-found")
        answers.append(str(problem).replace(evse, ""))
    for location in ("LOC1", "LOC2"):
        site = {"countryCode": "DE", "partyId": "XYZ", "locationId": location}
        asked = {"name": "x", "role": "client", "rights": {"scope": {"sites": [site]}}}
        answers.append(str(refusal(await scoped.post(KEYS, json=asked, headers=ONE_REQUEST), 403, "forbidden")))
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]


async def test_panic_ends_what_the_key_planned_and_says_what_else_it_did(
    admin: Client, client: NewClient, sensor: Client
) -> None:
    made = await make(admin, role="operations")
    rogue = await client(key=made["key"])
    await register(admin)
    theirs = await plan(sensor)
    mine = [await plan(rogue), await plan(rogue, validFrom="2026-03-02T08:00:00Z")]
    assert (await rogue.delete(f"{STATUSES}/{mine[0]['id']}")).status_code == 204
    assert (await rogue.delete(f"{STATUSES}/{theirs['id']}")).status_code == 204
    mine.append(await plan(rogue))
    kept = await plan(sensor)
    done = good(await admin.post(f"{KEYS}/{made['id']}/panic"))
    assert done == {
        "ended": 2,
        "touched": [{"at": "2026-03-01T08:00:00.000Z", "action": "end", "subject": f"temporary status {theirs['id']}"}],
    }
    for one in mine:
        assert (await get(admin, f"{STATUSES}/{one['id']}"))["state"] == "ended"
    assert (await get(admin, f"{STATUSES}/{mine[2]['id']}"))["endReason"] == "panic"
    assert (await get(admin, f"{STATUSES}/{kept['id']}"))["state"] == "active"
    refusal(await rogue.get(EVSES), 401, "unauthenticated")
    assert good(await admin.post(f"{KEYS}/{made['id']}/panic")) == done | {"ended": 0}


async def test_a_key_may_panic_itself(admin: Client) -> None:
    (own,) = await get(admin, KEYS)
    await register(admin)
    await plan(admin)
    assert good(await admin.post(f"{KEYS}/{own['id']}/panic"))["ended"] == 1
    refusal(await admin.get(KEYS), 401, "unauthenticated")


def _body(method: str) -> dict[str, Any] | None:
    return {} if method in {"PATCH", "POST"} else None


async def test_keys_are_listed_however_many_evses_they_name_together(admin: Client, service: Service) -> None:
    for first in range(1, 33_001, 5500):
        await issue(service, Role.CLIENT, Rights(scope=Scope(evses=tuple(range(first, first + 5500)))))
    evse_id = (await register(admin))["evseId"]
    found = [one["rights"]["scope"]["evses"] for one in await get(admin, KEYS)]
    assert [len(one) for one in found if one] == [5500] * 6
    assert [one[0] for one in found if evse_id in one] == [evse_id]
