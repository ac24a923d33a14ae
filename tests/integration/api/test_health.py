"""Whether the service lives, and whether it can do its work."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from app.main import Service
from tests.clock import FrozenClock
from tests.integration.api.calls import Client, eventually


async def until_ready(anonymous: Client) -> None:
    async def ready() -> bool:
        return (await anonymous.get("/health/ready")).status_code == 200

    await eventually(ready)


async def test_it_lives(anonymous: Client) -> None:
    answer = await anonymous.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "why": []})


async def test_it_is_ready_once_what_is_due_has_been_looked_at(anonymous: Client) -> None:
    await until_ready(anonymous)
    assert (await anonymous.get("/health/ready")).json() == {"status": "ok", "why": []}


async def test_it_is_not_ready_when_nobody_looks_any_more(
    anonymous: Client, service: Service, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until_ready(anonymous)
    stuck, mended = asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        stuck.set()
        await mended.wait()
        return 0

    monkeypatch.setattr(service.reconciler, "pass_once", slow)
    service.reconciler.look()
    await stuck.wait()
    clock.advance(timedelta(minutes=1))

    answer = await anonymous.get("/health/ready")
    lives = await anonymous.get("/health/live")
    mended.set()

    assert (answer.status_code, answer.json()["status"]) == (503, "unready")
    assert answer.json()["why"] == ["what is due was last looked at 2026-03-01T08:00:00.000Z"]
    assert lives.status_code == 200
    await until_ready(anonymous)


async def test_it_is_not_ready_when_the_database_is_away(anonymous: Client, service: Service) -> None:
    await until_ready(anonymous)

    @asynccontextmanager
    async def away() -> AsyncGenerator[None]:
        raise ConnectionRefusedError("postgresql://user:password@host is away")
        yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service.database, "read", away)
        answer = await anonymous.get("/health/ready")
    assert (answer.status_code, answer.json()["why"][0]) == (503, "the database cannot be read: ConnectionRefusedError")
    await until_ready(anonymous)
