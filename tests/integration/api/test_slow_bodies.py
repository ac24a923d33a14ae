"""A call is let in before its body is read, which may take the caller as long as it likes."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar

from app.domain.api_key import key_id_of
from app.domain.principal import Role
from app.service import Service
from tests.builders import stored
from tests.integration.api.calls import (
    EVSE,
    EVSES,
    JSON,
    PARTNERS,
    STATUSES,
    Client,
    NewClient,
    good,
    issue,
    refusal,
    register,
)


@pytest.fixture
def database_url(embedded_url: str) -> str:
    """On SQLite alone: what is asked here does not know the database."""
    return embedded_url


KEYS: Final = "/v2/keys"
_PARTNER: Final = {"name": "app", "channel": "driver_app", "configuration": {"url": "https://app.example.com/hook"}}

#: What an admin's key may send a body with; `{key}` is another key, which is there.
CALLS: Final = [
    ("POST", KEYS, {"name": "back door", "role": "admin"}),
    ("PATCH", f"{KEYS}/{{key}}", {"name": "mine"}),
    ("POST", f"{KEYS}/{{key}}/rotate", {}),
    ("POST", "/v2/brakes/lift", {"operator": "DE*ABC"}),
    ("POST", PARTNERS, _PARTNER | {"name": "other"}),
    ("PATCH", f"{PARTNERS}/app", {"paused": True}),
    ("POST", f"{PARTNERS}/app/resend", {}),
    ("POST", f"{PARTNERS}/app/resend", {"evseId": EVSE}),
    ("POST", f"{PARTNERS}/app/full-load", {}),
    ("POST", STATUSES, {"evseId": EVSE, "temporaryStatus": "BLOCKED"}),
    ("POST", f"{STATUSES}/batch", {"items": [{"evseId": EVSE, "temporaryStatus": "BLOCKED"}]}),
    ("PUT", f"{STATUSES}/by-ref/one", {"evseId": EVSE, "temporaryStatus": "BLOCKED"}),
    ("PUT", f"{EVSES}/{EVSE}", {"deploymentState": "DEPRECATED"}),
    ("PUT", f"{EVSES}/{EVSE}/actual-status", {"status": "Faulted"}),
]


class SlowBody(httpx.AsyncByteStream):
    """A body of which the rest comes only once it is told to go on."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield self._body[:1]
        self.begun.set()
        await self.go_on.wait()
        yield self._body[1:]


async def everything(service: Service) -> dict[str, list[dict[str, Any]]]:
    """All that calls may have changed; when keys were last used, and how partners do meanwhile, is none of it."""
    found = {
        table: await stored(service.database, table)
        for table in ("evse", "temporary_status", "brake", "reference", "full_load", "audit")
    }
    keys, partners = await stored(service.database, "api_key"), await stored(service.database, "partner")
    used = {"last_used_at": None, "last_used_from": None, "previous_used_at": None}
    found["api_key"] = [row | used for row in keys]
    found["partner"] = [{name: row[name] for name in ("name", "paused", "generation")} for row in partners]
    return found


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_key_that_is_revoked_before_the_body_has_come_does_nothing_more(
    service: Service, app: Litestar, admin: Client, client: NewClient, method: str, path: str, body: dict[str, Any]
) -> None:
    await register(admin)
    good(await admin.post(PARTNERS, json=_PARTNER))
    stolen, other = await issue(service, Role.ADMIN), await issue(service, Role.CLIENT)
    thief = await client(key=stolen)
    slow = SlowBody(json.dumps(body).encode())
    url = thief.base_url.join(path.format(key=key_id_of(other)))
    begun = httpx.Request(method, url, headers={**thief.headers, **JSON}, stream=slow)
    call = asyncio.create_task(thief.send(begun))
    await slow.begun.wait()
    good(await admin.post(f"{KEYS}/{key_id_of(stolen)}/panic"))
    before = await everything(service)
    slow.go_on.set()
    refusal(await asyncio.wait_for(call, 5), 401, "unauthenticated")
    assert await everything(service) == before
