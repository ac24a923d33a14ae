"""Without a good key nothing is answered. What a good one may do is in the matrix of rights."""

import re

import pytest
from litestar import Litestar

from app.domain.api_key import key_id_of
from app.domain.principal import Role
from app.service import Service
from app.store import keys
from tests.integration.api.calls import (
    EVSES,
    Client,
    NewClient,
    get,
    good,
    issue,
    refusal,
    register,
)
from tests.integration.api.rights_world import operations


def guarded(app: Litestar) -> list[tuple[str, str]]:
    """Every method and path that takes a key, with something in place of each parameter."""
    return [(method, re.sub(r"{\w+:str}", "1", path)) for method, path, _ in operations(app)]


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
    assert len(guarded(app)) >= 22
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
        for method, path in guarded(app):
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
