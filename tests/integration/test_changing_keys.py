"""Two who change one key at the same time: neither undoes what the other did."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.errors import KeyIsOver, KeyNotGood
from app.domain.principal import COMMAND_LINE, Role
from app.store import issuing, keys
from app.store.database import Database
from tests.clock import FrozenClock

Change = Callable[[AsyncConnection, str, datetime], Awaitable[object]]


async def renamed(connection: AsyncConnection, key_id: str, at: datetime) -> object:
    return await issuing.change(connection, COMMAND_LINE, key_id, at, name="new")


async def rotated(connection: AsyncConnection, key_id: str, at: datetime) -> object:
    return await issuing.rotate(connection, COMMAND_LINE, key_id, at)


async def revoked(connection: AsyncConnection, key_id: str, at: datetime) -> object:
    return await issuing.revoke(connection, COMMAND_LINE, key_id, at)


@pytest.fixture
async def databases(postgresql_url: str) -> AsyncGenerator[tuple[Database, Database]]:
    """Those of two replicas."""
    here, there = Database(postgresql_url), Database(postgresql_url)
    yield here, there
    await here.close()
    await there.close()


async def one_after_the_other(
    databases: tuple[Database, Database], clock: FrozenClock, first: Change, second: Change
) -> tuple[ApiKey, BaseException | None]:
    """Have `second` begin while `first` is not yet committed; return what became of the key, and its refusal."""
    here, there = databases
    key_id, key = new_key()
    one = ApiKey(
        id=key_id, name="old", role=Role.CLIENT, digest=digest_of(key), created_by="cli", created_at=clock.now()
    )
    async with here.write() as connection:
        await keys.add(connection, one)

    async def late() -> None:
        async with there.write() as connection:
            await second(connection, key_id, clock.now())

    async with here.write() as connection:
        await first(connection, key_id, clock.now())
        waiting = asyncio.create_task(late())
        await asyncio.sleep(0.2)  # it has come as far as it can
        assert not waiting.done()
    (refusal,) = await asyncio.wait_for(asyncio.gather(waiting, return_exceptions=True), 5)
    async with here.read() as connection:
        found = await keys.find(connection, key_id)
    assert found is not None
    return found, refusal


async def test_a_rotation_keeps_the_name_that_was_just_given(
    databases: tuple[Database, Database], clock: FrozenClock
) -> None:
    key, refusal = await one_after_the_other(databases, clock, renamed, rotated)
    assert (refusal, key.name, key.rotated_at) == (None, "new", clock.now())


async def test_a_key_that_is_being_changed_is_revoked_all_the_same(
    databases: tuple[Database, Database], clock: FrozenClock
) -> None:
    key, refusal = await one_after_the_other(databases, clock, renamed, revoked)
    assert (refusal, key.name, key.revoked_at) == (None, "new", clock.now())


@pytest.mark.parametrize("change", [renamed, rotated])
async def test_no_change_brings_a_key_back_that_was_just_revoked(
    databases: tuple[Database, Database], clock: FrozenClock, change: Change
) -> None:
    key, refusal = await one_after_the_other(databases, clock, revoked, change)
    assert isinstance(refusal, KeyIsOver)
    assert (key.name, key.rotated_at, key.revoked_at) == ("old", None, clock.now())


async def test_of_two_admins_who_revoke_each_other_at_once_one_is_left(
    databases: tuple[Database, Database], clock: FrozenClock
) -> None:
    async def revoke(database: Database, by: ApiKey, key: ApiKey) -> None:
        async with database.write() as connection:
            await issuing.revoke(connection, by.principal, key.id, clock.now())

    for _ in range(10):
        pair = []
        for database in databases:
            key_id, key = new_key()
            one = ApiKey(
                id=key_id, name="x", role=Role.ADMIN, digest=digest_of(key), created_by="cli", created_at=clock.now()
            )
            async with database.write() as connection:
                await keys.add(connection, one)
            pair.append(one)
        here, there = pair
        work = (revoke(databases[0], here, there), revoke(databases[1], there, here))
        done = await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 20)
        assert sorted(map(type, done), key=str) == sorted([KeyNotGood, type(None)], key=str), done
