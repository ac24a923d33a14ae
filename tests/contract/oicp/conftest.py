"""One socket for all tests of a module; behind it, a simulated Hubject of its own for each test."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from app.channels.oicp.simulator import Hub
from app.clock import SystemClock
from app.demo.listening import listening
from tests.contract.oicp.pushing import Client


class Door:
    """Starting and stopping a server takes a tenth of a second, so it stays, and who is behind it changes."""

    def __init__(self) -> None:
        self.behind: Any = Hub(SystemClock()).app
        self.base_url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.behind(scope, receive, send)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door() -> AsyncGenerator[Door]:
    door = Door()
    async with listening(door) as door.base_url:
        yield door


@pytest.fixture
def hub(door: Door) -> Hub:
    hub = Hub(SystemClock(), operators={"DE*ABC": ["DE*SUB"]})
    door.behind = hub.app
    return hub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(door: Door) -> AsyncGenerator[Client]:
    client = Client(door.base_url)
    yield client
    await client.transport.close()
