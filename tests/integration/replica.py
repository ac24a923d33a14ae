"""One whole service in this process, called as by HTTP, with a partner that answers by script."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.clock import SystemClock
from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.principal import Role
from app.main import create_app
from app.service import Service
from app.settings import Settings
from app.store import keys
from app.store.database import Database
from tests.integration.scripted_channel import ScriptedChannel

SECRET: Final = SecretStr(Fernet.generate_key().decode("ascii"))  # all replicas have the same


class Replica:
    """`api` speaks with it as an admin. A partner named `app` is told by way of `channel`."""

    def __init__(self, service: Service, api: httpx.AsyncClient, channel: ScriptedChannel) -> None:
        self.service = service
        self.api = api
        self.channel = channel

    async def call(self, method: str, path: str, body: object = None) -> Any:
        answer = await self.api.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def register(self, evse_id: str) -> None:
        await self.call("PUT", f"/v2/evses/{evse_id}", {"deploymentState": "PRODUCTION"})
        await self.call("PUT", f"/v2/evses/{evse_id}/actual-status", {"status": "Available"})

    async def add_partner(self) -> None:
        await self.call("POST", "/v2/partners", {"name": "app", "channel": "scripted", "configuration": {}})

    async def plan(self, evse_id: str, **more: Any) -> httpx.Response:
        asked = {"evseId": evse_id, "temporaryStatus": "BLOCKED", **more}
        return await self.api.post("/v2/temporary-evse-statuses", json=asked)

    async def planned(self) -> list[dict[str, Any]]:
        """Every temporary status that there is."""
        found: list[dict[str, Any]] = []
        path = "/v2/temporary-evse-statuses?activeOnly=false&limit=500"
        while path:
            page = await self.api.get(path)
            found += page.raise_for_status().json()
            path = page.links.get("next", {}).get("url", "")
        return found


@asynccontextmanager
async def replica(url: str, key: str, channel: ScriptedChannel, **settings: Any) -> AsyncGenerator[Replica]:
    service = Service(Settings(database_url=url, secret_key=SECRET, **settings), channels={"scripted": channel})
    app: Any = create_app(service, opens=False)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {key}"}
    async with (
        service.running(),
        httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as api,
    ):
        yield Replica(service, api, channel)


async def admin_key(database: Database) -> str:
    key_id, key = new_key()
    at = SystemClock().now()
    made = ApiKey(id=key_id, name="test", role=Role.ADMIN, digest=digest_of(key), created_by="test", created_at=at)
    async with database.write() as connection:
        await keys.add(connection, made)
    return key


async def eventually(holds: Callable[[], bool | Awaitable[bool]], within: float = 30) -> None:
    async with asyncio.timeout(within):
        while True:
            answer = holds()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.02)
