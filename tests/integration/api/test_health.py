"""Whether the service lives, and whether it can do its work."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.service import Service
from app.store import migrating
from app.store.tables import metadata
from tests.clock import FrozenClock
from tests.integration.api.calls import Client, eventually, register
from tests.integration.scripted_channel import add_partner


async def until_ready(anonymous: Client) -> None:
    async def ready() -> bool:
        return (await anonymous.get("/health/ready")).status_code == 200

    await eventually(ready)


async def test_it_lives(anonymous: Client) -> None:
    answer = await anonymous.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "why": []})


async def test_it_is_ready_once_what_is_due_has_been_looked_at(anonymous: Client) -> None:
    await until_ready(anonymous)
    assert (await anonymous.get("/health/ready")).json() == {"status": "ok", "why": [], "partners": []}


async def stands(service: Service, name: str, **standing: Any) -> None:
    """Have a partner stand as `standing` says, as its outcomes would."""
    async with service.database.write() as connection:
        table = metadata.tables["partner"]
        await connection.execute(table.update().where(table.c.name == name).values(standing))


async def test_the_age_of_each_partners_last_success_is_told_and_none_of_them_is_called(
    anonymous: Client, service: Service, clock: FrozenClock
) -> None:
    await until_ready(anonymous)
    for name in ("app", "silent", "failing"):
        await add_partner(service.database, clock, name)
    await stands(service, "app", last_success_at=clock.now())
    await stands(service, "failing", failures=3, failed_at=clock.now(), last_error="away")
    clock.advance(timedelta(seconds=20, milliseconds=900))
    answer = await anonymous.get("/health/ready")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok"), "a partner that fails is not our fault"
    never = {"channel": "scripted", "lastSuccessAt": None, "secondsSinceSuccess": None}
    assert answer.json()["partners"] == [
        {
            "name": "app",
            "channel": "scripted",
            "state": "good",
            "lastSuccessAt": "2026-03-01T08:00:00.000Z",
            "secondsSinceSuccess": 20,
        },
        {"name": "silent", "state": "good", **never},
        {"name": "failing", "state": "failing", **never},
    ]


async def test_a_clock_stepped_back_makes_no_success_lie_in_the_future(
    anonymous: Client, service: Service, clock: FrozenClock
) -> None:
    await until_ready(anonymous)
    await add_partner(service.database, clock, "app")
    await stands(service, "app", last_success_at=clock.now() + timedelta(hours=1))
    [app] = (await anonymous.get("/health/ready")).json()["partners"]
    assert app["secondsSinceSuccess"] == 0


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


async def test_it_is_not_ready_while_one_commit_takes_for_ever_or_no_more_changes_are_taken(
    anonymous: Client, admin: Client, service: Service, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until_ready(anonymous)
    stuck, mended = asyncio.Event(), asyncio.Event()
    commit = service.writer._commit

    async def slow(commands: Any) -> Any:
        stuck.set()
        await mended.wait()
        return await commit(commands)

    async def why() -> list[str]:
        said: list[str] = (await anonymous.get("/health/ready")).json()["why"]
        return [one for one in said if "changes" in one]

    monkeypatch.setattr(service.writer, "_commit", slow)
    monkeypatch.setattr("app.service.WAITING", 1)
    first = asyncio.create_task(register(admin, "DE*ABC*E1"))
    await stuck.wait()
    assert await why() == []
    second = asyncio.create_task(register(admin, "DE*ABC*E2"))
    assert await eventually(why) == ["1 changes are waiting to be written, and no more are taken"]
    clock.advance(timedelta(seconds=31))
    assert "the changes under way have been so for 31 s" in await why()
    mended.set()
    await asyncio.gather(first, second)
    assert await why() == []
    await until_ready(anonymous)


async def test_it_is_not_ready_on_the_schema_of_another_version(
    anonymous: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until_ready(anonymous)
    async with service.database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = await anonymous.get("/health/ready")
    assert (answer.status_code, answer.json()["why"]) == (
        503,
        [f"the database is at revision 9999, this version needs {migrating.newest()}"],
    )
    assert (await anonymous.get("/health/live")).status_code == 200


async def test_it_is_not_ready_when_the_database_is_away(anonymous: Client, service: Service) -> None:
    await until_ready(anonymous)
    await add_partner(service.database, service.clock, "app")

    @asynccontextmanager
    async def away() -> AsyncGenerator[None]:
        raise ConnectionRefusedError("postgresql://user:password@host is away")
        yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service.database, "read", away)
        answer = await anonymous.get("/health/ready")
    assert (answer.status_code, answer.json()["why"][0]) == (503, "the database cannot be read: ConnectionRefusedError")
    assert answer.json()["partners"] == []
    await until_ready(anonymous)
