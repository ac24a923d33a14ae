"""What the API tests say over and over: addresses, small calls, and what a proper problem looks like."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import httpx

from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.principal import Role
from app.domain.rights import UNLIMITED, Rights
from app.service import Service
from app.store import keys

Client: TypeAlias = httpx.AsyncClient
NewClient: TypeAlias = Callable[..., Awaitable[Client]]

STATUSES: Final = "/v2/temporary-evse-statuses"
EVSES: Final = "/v2/evses"
REPORTS: Final = "/v2/actual-statuses"
PARTNERS: Final = "/v2/partners"
EVSE: Final = "DE*ABC*E1"
NOW: Final = "2026-03-01T08:00:00.000Z"  #: what the clock says until a test moves it
JSON: Final = {"Content-Type": "application/json"}
ONE_REQUEST: Final = {"X-Request-Id": "the-same"}  #: so that two problems can be compared to the letter


async def issue(service: Service, role: Role, rights: Rights = UNLIMITED) -> str:
    """Store a new key of a role and return it."""
    key_id, key = new_key()
    stored = ApiKey(
        id=key_id,
        name="somebody",
        role=role,
        rights=rights,
        digest=digest_of(key),
        created_by="cli",
        created_at=service.clock.now(),
    )
    async with service.database.write() as connection:
        await keys.add(connection, stored)
    return key


async def register(admin: Client, evse_id: str = EVSE, **said: Any) -> Any:
    """Register an EVSE, in production unless `said` otherwise."""
    return good(await admin.put(f"{EVSES}/{evse_id}", json={"deploymentState": "PRODUCTION", **said}))


async def plan(client: Client, evse_id: str = EVSE, kind: str = "BLOCKED", **asked: Any) -> Any:
    """Create a temporary status; `asked` is the rest of the body."""
    return good(await client.post(STATUSES, json={"evseId": evse_id, "temporaryStatus": kind, **asked}))


async def get(client: Client, path: str, **query: Any) -> Any:
    return good(await client.get(path, params=query or None))


async def eventually(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Wait until `condition` is met, and return what met it."""
    async with asyncio.timeout(10):
        while True:
            if met := await condition():
                return met
            await asyncio.sleep(0.02)


def good(answer: httpx.Response) -> Any:
    """The body of an answer that must not be a refusal."""
    assert answer.status_code in {200, 201}, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def refusal(
    answer: httpx.Response,
    status: int,
    slug: str | None = None,
    *,
    pointer: str | None = None,
    parameter: str | None = None,
) -> dict[str, Any]:
    """Check that an answer is a proper RFC 9457 problem, of this type and about this field; and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail", "requestId"}
    assert problem["requestId"] == answer.headers["x-request-id"]
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["type"].startswith("urn:evse-status:problem:")
    if slug is not None:
        assert problem["type"] == f"urn:evse-status:problem:{slug}"
    places = [(one.get("pointer"), one.get("parameter")) for one in problem.get("errors", [])]
    if pointer is not None or parameter is not None:
        assert places == [(pointer, parameter)], problem
    assert all(one["detail"] for one in problem.get("errors", []))
    return problem


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [one["id"] for one in found]
