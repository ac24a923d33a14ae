"""Who may call what. The matrix is made from the application's own routes: a new one cannot be forgotten."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from app.domain.api_key import key_id_of
from app.domain.permission import ROLES, Action
from app.domain.principal import Role
from app.main import Service
from app.store import keys
from tests.integration.api.calls import (
    EVSE,
    EVSES,
    JSON,
    PARTNERS,
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

PATH_PARAMETERS = {"id": "1", "ref": "r", "evseId": "DE*ABC*E1", "name": "app", "keyId": "k"}
OPEN = {
    ("GET", path)
    for path in ("/health/live", "/health/ready", "/openapi/openapi.json", "/openapi/{path:str}", "/openapi")
}


def calls(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Every method and path of the application, with its handler; parameters filled in."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                path = route.path
                for name, value in PATH_PARAMETERS.items():
                    path = path.replace(f"{{{name}:str}}", value)
                yield method, path, handler


def guarded(app: Litestar) -> list[tuple[str, str, Action]]:
    return [(method, path, handler.opt["action"]) for method, path, handler in calls(app) if "action" in handler.opt]


async def test_every_route_but_health_and_the_document_says_what_it_does(app: Litestar) -> None:
    without = {(method, path) for method, path, handler in calls(app) if "action" not in handler.opt}
    assert without <= OPEN
    assert len(guarded(app)) >= 22
    assert not [path for _, path, _ in guarded(app) if "{" in path]


async def test_what_is_open_answers_without_a_key(anonymous: Client) -> None:
    for path in ("/health/live", "/health/ready", "/openapi/openapi.json"):
        assert (await anonymous.get(path)).status_code in {200, 503}  # it may not be ready yet


async def test_without_a_good_key_nothing_is_answered_but_401(
    app: Litestar, service: Service, client: NewClient, admin: Client, subtests: pytest.Subtests
) -> None:
    await register(admin)
    key = await issue(service, Role.ADMIN)
    revoked = await issue(service, Role.ADMIN)
    await revoke(service, revoked)
    wrong = {
        "none": None,
        "empty": "",
        "not one of ours": "letmein",
        "mistyped": key[:-1] + ("a" if key[-1] != "a" else "b"),
        "cut": key[:-1],
        "revoked": revoked,
    }
    for why, bad in wrong.items():
        stranger = await client(key=bad)
        for method, path, _ in guarded(app):
            with subtests.test(f"{why}: {method} {path}"):
                problem = refusal(await stranger.request(method, path, content=b"{"), 401, "unauthenticated")
                assert key not in str(problem)
    assert len(await get(admin, EVSES)) == 1


async def test_the_scheme_is_bearer_whatever_its_case(service: Service, client: NewClient) -> None:
    key = await issue(service, Role.READER)
    anybody = await client()
    for header, status in ((f"Bearer {key}", 200), (f"bearer  {key}", 200), (f"Basic {key}", 401), (key, 401)):
        assert (await anybody.get(EVSES, headers={"Authorization": header})).status_code == status, header
    answer = await anybody.get(EVSES)
    assert answer.headers["www-authenticate"] == "Bearer"
    answer = await anybody.get(EVSES, params={"key": key, "access_token": key})
    refusal(answer, 401, "unauthenticated")


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_do_what_it_has_the_right_to_and_nothing_else(
    app: Litestar, client: NewClient, role: Role, subtests: pytest.Subtests
) -> None:
    holder = await client(role)
    for method, path, action in guarded(app):
        with subtests.test(f"{role}: {method} {path}"):
            content = b"{}" if method in {"POST", "PUT", "PATCH"} else None
            answer = await holder.request(method, path, content=content, headers=JSON)
            if role in ROLES[action]:
                assert answer.status_code not in {401, 403}, answer.text
                assert answer.status_code < 500, answer.text
            else:
                problem = refusal(answer, 403, "forbidden")
                assert role in problem["detail"]


async def test_a_refused_call_changes_nothing(admin: Client, sensor: Client, reader: Client) -> None:
    await register(admin)
    one = await plan(admin)
    before = await get(admin, f"{EVSES}/{EVSE}")
    app: dict[str, Any] = {"name": "app", "channel": "driver_app", "configuration": {"url": "http://127.0.0.1:9/"}}
    refusal(await reader.delete(f"{STATUSES}/{one['id']}"), 403, "forbidden")
    refusal(await reader.post(STATUSES, json={"evseId": EVSE, "temporaryStatus": "BLOCKED"}), 403, "forbidden")
    refusal(await sensor.put(f"{EVSES}/{EVSE}", json={"deploymentState": "DEPRECATED"}), 403, "forbidden")
    refusal(await sensor.put(f"{EVSES}/{EVSE}/actual-status", json={"status": "Faulted"}), 403, "forbidden")
    refusal(await sensor.post(PARTNERS, json=app), 403, "forbidden")
    assert await get(admin, f"{EVSES}/{EVSE}") == before
    assert await get(admin, PARTNERS) == []


async def test_a_key_that_is_revoked_stops_at_once(service: Service, client: NewClient) -> None:
    key = await issue(service, Role.READER)
    holder = await client(key=key)
    good(await holder.get(EVSES))
    await revoke(service, key)
    answer = await holder.get(EVSES)
    refusal(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def revoke(service: Service, key: str) -> None:
    key_id = key_id_of(key)
    assert key_id is not None
    async with service.database.write() as connection:
        await keys.revoke(connection, key_id, service.clock.now(), "cli")
