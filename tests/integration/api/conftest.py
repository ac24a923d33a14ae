"""A running service on either engine, and clients of it with a key for each role."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any, Final, cast

import httpx
import pytest
from cryptography.fernet import Fernet
from litestar import Litestar
from pydantic import SecretStr

from app.domain.principal import Role
from app.domain.rights import UNLIMITED, Rights
from app.main import create_app
from app.service import Service
from app.settings import Settings
from tests.clock import FrozenClock
from tests.integration.api.calls import Client, NewClient, issue

SECRET_KEY: Final = Fernet.generate_key().decode("ascii")


@pytest.fixture
def settings(database_url: str) -> Settings:
    # The clock stands still, and all clients have one address.
    return Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY), failed_keys_per_minute=1_000_000)


@pytest.fixture
async def service(settings: Settings, clock: FrozenClock) -> AsyncGenerator[Service]:
    started = Service(settings, clock=clock)
    async with started.running():
        yield started


@pytest.fixture
def app(service: Service) -> Litestar:
    return create_app(service, opens=False)


@pytest.fixture
async def client(service: Service, app: Litestar) -> AsyncGenerator[NewClient]:
    """Make a client: with a new key of a role, or with whatever key it is told."""
    async with AsyncExitStack() as open_clients:

        async def new(role: Role | None = None, key: str | None = None, rights: Rights = UNLIMITED) -> Client:
            if role is not None:
                key = await issue(service, role, rights)
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            transport = httpx.ASGITransport(cast("Any", app))
            one = httpx.AsyncClient(transport=transport, base_url="http://evse-status.test", headers=headers)
            return await open_clients.enter_async_context(one)

        yield new


@pytest.fixture
async def admin(client: NewClient) -> Client:
    return await client(Role.ADMIN)


@pytest.fixture
async def sensor(client: NewClient) -> Client:
    return await client(Role.CLIENT)


@pytest.fixture
async def booking(client: NewClient) -> Client:
    return await client(Role.CLIENT)


@pytest.fixture
async def reader(client: NewClient) -> Client:
    return await client(Role.READER)


@pytest.fixture
async def anonymous(client: NewClient) -> Client:
    return await client()
