"""Adding, changing and removing partners, and what becomes of their secrets."""

from datetime import timedelta
from typing import Any

import pytest

from app.demo.listening import free_port
from app.domain.partner import Partner
from app.service import Service
from app.store import partners
from tests.clock import FrozenClock
from tests.integration.api.calls import PARTNERS, Client, get, good, refusal

OCPI = {
    "url": "http://127.0.0.1:9/ocpi/emsp/2.2.1/locations",
    "token": "a-token-that-stays-secret",
    "countryCode": "NL",
    "partyId": "ALF",
}


def app_at(url: str | None = None, **more: Any) -> dict[str, Any]:
    """The configuration of a driver app, unless told otherwise at an address where nobody listens."""
    return {"url": url or f"http://127.0.0.1:{free_port()}/webhook", **more}


async def add(admin: Client, name: str = "app", channel: str = "driver_app", **configuration: Any) -> Any:
    body = {"name": name, "channel": channel, "configuration": configuration or app_at()}
    return good(await admin.post(PARTNERS, json=body))


async def test_a_secret_that_was_made_is_issued_once_and_never_shown_again(admin: Client) -> None:
    configuration = app_at()
    added = await add(admin, **configuration)
    secret = added["issued"]["secret"]

    assert secret.startswith("whsec_")
    assert added["configuration"] == configuration | {"operators": [], "locations": [], "mapping": {}}
    for answer in (
        await admin.get(f"{PARTNERS}/app"),
        await admin.get(PARTNERS),
        await admin.patch(f"{PARTNERS}/app", json={"paused": True}),
        await admin.patch(f"{PARTNERS}/app", json={"configuration": app_at()}),
        await admin.post(f"{PARTNERS}/app/resend", json={}),
    ):
        good(answer)
        assert secret not in answer.text
        assert secret.removeprefix("whsec_") not in answer.text


async def test_a_secret_that_was_given_is_not_shown_at_all(admin: Client) -> None:
    body = {"name": "emsp", "channel": "ocpi", "configuration": OCPI}
    added = await admin.post(PARTNERS, json=body)
    assert set(good(added)["issued"]) == {"pullToken"}, "what was made here is shown once, what was given is not"
    for answer in (added, await admin.get(f"{PARTNERS}/emsp"), await admin.get(PARTNERS)):
        assert OCPI["token"] not in answer.text
    assert (await get(admin, f"{PARTNERS}/emsp"))["configuration"]["url"] == OCPI["url"]


async def test_a_new_partner_is_told_whole_and_listed_in_order(admin: Client) -> None:
    await add(admin, "zebra")
    added = await add(admin, "app", operators=["DE*ABC"], **app_at())
    listed = await get(admin, PARTNERS)
    assert [one["name"] for one in listed] == ["zebra", "app"]
    assert listed[1] == await get(admin, f"{PARTNERS}/app") == added | {"issued": None}
    standing = ("paused", "generation", "failures", "shared", "owed", "parked", "suspect")
    assert [added[name] for name in standing] == [False, 1, 0, 0, 0, 0, 0]


async def test_a_partner_is_paused_and_goes_on(admin: Client, clock: FrozenClock) -> None:
    added = await add(admin)
    clock.advance(timedelta(minutes=1))
    paused = good(await admin.patch(f"{PARTNERS}/app", json={"paused": True}))
    assert (paused["paused"], paused["generation"]) == (True, 1), "pausing tells nothing anew"
    assert paused["configuration"] == added["configuration"]
    assert paused["updatedAt"] == "2026-03-01T08:01:00.000Z"
    assert good(await admin.patch(f"{PARTNERS}/app", json={}))["paused"] is True
    assert good(await admin.patch(f"{PARTNERS}/app", json={"paused": False}))["paused"] is False


async def test_a_new_configuration_replaces_the_old_one_and_tells_everything_anew(admin: Client) -> None:
    await add(admin, locations=["LOC1"], **app_at())
    new = app_at()
    changed = good(await admin.patch(f"{PARTNERS}/app", json={"configuration": new}))
    assert changed["configuration"] == new | {"operators": [], "locations": [], "mapping": {}}
    assert changed["generation"] == 2
    assert (await get(admin, f"{PARTNERS}/app"))["configuration"] == changed["configuration"]


async def test_resending_everything_is_a_new_generation(admin: Client) -> None:
    await add(admin)
    assert good(await admin.post(f"{PARTNERS}/app/resend", json={}))["generation"] == 2
    assert good(await admin.post(f"{PARTNERS}/app/resend", json={"evseId": None}))["generation"] == 3


async def test_a_removed_partner_is_gone_and_its_name_is_free(admin: Client) -> None:
    await add(admin)
    answer = await admin.delete(f"{PARTNERS}/app")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await get(admin, PARTNERS) == []
    refusal(await admin.get(f"{PARTNERS}/app"), 404, "partner-not-found")
    await add(admin)


async def test_a_name_is_given_once(admin: Client) -> None:
    added = await add(admin)
    answer = await admin.post(PARTNERS, json={"name": "app", "channel": "ocpi", "configuration": OCPI})
    refusal(answer, 409, "partner-conflict", pointer="/name")
    assert await get(admin, PARTNERS) == [added | {"issued": None}]


async def test_a_partner_that_does_not_exist_is_not_found(admin: Client, subtests: pytest.Subtests) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"paused": True}),
        ("DELETE", "", None),
        ("POST", "/resend", {}),
        ("GET", "/deliveries", None),
        ("GET", "/attempts", None),
    ):
        with subtests.test(f"{method} {path}"):
            answer = await admin.request(method, f"{PARTNERS}/nobody{path}", json=body)
            refusal(answer, 404, "partner-not-found")
            answer = await admin.request(method, f"{PARTNERS}/%00{path}", json=body)
            refusal(answer, 400, parameter="name")


async def test_what_is_wrong_with_a_partner_is_named_and_nothing_is_stored(
    admin: Client, subtests: pytest.Subtests
) -> None:
    app, wrong_secret = app_at(), "whsec_short"
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"name": ""}, 400, "/name"),
        ({"name": None}, 400, "/name"),
        ({"name": "app\n"}, 400, "/name"),
        ({"name": "a b"}, 400, "/name"),
        ({"name": "x" * 65}, 400, "/name"),
        ({"channel": None}, 400, "/channel"),
        ({"configuration": None}, 400, "/configuration"),
        ({"paused": True}, 400, "/paused"),
        ({"channel": "carrier_pigeon"}, 422, "/channel"),
        ({"configuration": {}}, 422, "/configuration/url"),
        ({"configuration": app | {"url": 5}}, 422, "/configuration/url"),
        ({"configuration": app | {"url": "ftp://app.example"}}, 422, "/configuration/url"),
        ({"configuration": app | {"secret": wrong_secret}}, 422, "/configuration/secret"),
        ({"configuration": app | {"colour": "red"}}, 422, "/configuration/colour"),
        ({"configuration": app | {"operators": ["DE*ABC", "nonsense"]}}, 422, "/configuration/operators/1"),
        ({"configuration": app | {"operators": [5]}}, 422, "/configuration/operators/0"),
        ({"configuration": app | {"mapping": {"BLOCKED": "REMOVED"}}}, 422, "/configuration/mapping/BLOCKED"),
        ({"configuration": app | {"mapping": {"a/b~c.d": "OCCUPIED"}}}, 422, "/configuration/mapping/a~1b~0c.d"),
        ({"configuration": app | {"mapping": {"actual.PLANNED": "x"}}}, 422, "/configuration/mapping"),
        ({"channel": "ocpi", "configuration": OCPI | {"token": ""}}, 422, "/configuration/token"),
        ({"channel": "oicp", "configuration": {"operatorId": "DE*ABC"}}, 422, "/configuration/baseUrl"),
    ]  # fmt: skip
    for different, status, pointer in wrong:
        with subtests.test(str(different)):
            body = {"name": "app", "channel": "driver_app", "configuration": app, **different}
            answer = await admin.post(PARTNERS, json=body)
            refusal(answer, status, pointer=pointer)
            assert wrong_secret not in answer.text
    assert await get(admin, PARTNERS) == []


async def test_a_change_that_is_refused_leaves_the_partner_as_it_was(admin: Client, subtests: pytest.Subtests) -> None:
    await add(admin)
    before = await get(admin, f"{PARTNERS}/app")
    for changes, status, pointer in (
        ({"paused": None}, 400, "/paused"),
        ({"configuration": None}, 400, "/configuration"),
        ({"name": "other"}, 400, "/name"),
        ({"paused": True, "configuration": {"url": "nonsense"}}, 422, "/configuration/url"),
    ):
        with subtests.test(str(changes)):
            refusal(await admin.patch(f"{PARTNERS}/app", json=changes), status, pointer=pointer)
    refusal(await admin.post(f"{PARTNERS}/app/resend", json={"evseId": "nonsense"}), 400, pointer="/evseId")
    assert await get(admin, f"{PARTNERS}/app") == before


async def test_a_token_for_pulling_that_a_change_makes_is_shown_once(admin: Client, service: Service) -> None:
    """A partner that was there before there were any has none yet."""
    at = service.clock.now()
    configuration = {name: value for name, value in OCPI.items() if name != "token"}
    old = Partner(
        id=0,
        name="emsp",
        channel="ocpi",
        configuration=configuration,
        secrets={"token": OCPI["token"]},
        created_by="test",
        created_at=at,
        updated_at=at,
    )
    async with service.database.write() as connection:
        await partners.add(connection, service.secrets, old, "test")
    changed = good(await admin.patch(f"{PARTNERS}/emsp", json={"configuration": configuration}))
    async with service.database.read() as connection:
        stored = await partners.find(connection, service.secrets, "emsp")
    assert stored.caller is not None
    assert changed["issued"] == {"pullToken": stored.secrets["pullToken"]}
    assert good(await admin.patch(f"{PARTNERS}/emsp", json={"configuration": configuration}))["issued"] is None
