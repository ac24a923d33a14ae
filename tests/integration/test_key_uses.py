"""When keys were last used: noted in memory, written in one go, in nobody's way."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.principal import Role
from app.store import key_uses, keys
from app.store.database import Database
from app.store.failures import DatabaseUnavailable
from app.store.key_uses import KeyUses
from app.store.tables import metadata
from tests.builders import HOUR, MINUTE, stored
from tests.clock import FrozenClock
from tests.integration.replica import eventually
from tests.integration.writing import Commits


async def issued(database: Database, clock: FrozenClock) -> ApiKey:
    key_id, key = new_key()
    one = ApiKey(id=key_id, name="x", role=Role.CLIENT, digest=digest_of(key), created_by="cli", created_at=clock.now())
    async with database.write() as connection:
        await keys.add(connection, one)
    return one


def rotation(digest: str, clock: FrozenClock) -> Callable[[ApiKey], ApiKey]:
    return lambda old: old.rotated(digest, clock.now(), HOUR)


async def look(database: Database, key: ApiKey) -> tuple[object, object, object]:
    (row,) = [row for row in await stored(database, "api_key") if row["id"] == key.id]
    return row["last_used_at"], row["last_used_from"], row["previous_used_at"]


async def test_only_keys_that_were_used_are_written_and_nothing_where_none_was(
    database: Database, clock: FrozenClock
) -> None:
    used, unused = await issued(database, clock), await issued(database, clock)
    uses, commits = KeyUses(database, clock), Commits(database)
    await uses.write()
    assert commits.count == 0
    uses.note(used.id, used.digest, "192.0.2.1")
    uses.note("nobody", "digest", "192.0.2.1")
    clock.advance(MINUTE)
    uses.note(used.id, used.digest, "192.0.2.2")
    await uses.write()
    assert commits.count == 1
    assert await look(database, used) == (clock.now(), "192.0.2.2", None)
    assert await look(database, unused) == (None, None, None)


async def test_a_use_by_what_became_the_old_secret_counts_for_it_whenever_it_is_written(
    database: Database, clock: FrozenClock
) -> None:
    key, uses = await issued(database, clock), KeyUses(database, clock)
    uses.note(key.id, key.digest, None)
    used_at = clock.now()
    clock.advance(MINUTE)
    for number in range(2):
        async with database.write() as connection:
            await keys.change(connection, key.id, rotation(f"new {number}", clock), clock.now(), "cli")
        uses.note(key.id, "new 0", None)
        await uses.write()
        # After the second rotation it is the first one's secret that is the old one.
        assert await look(database, key) == (clock.now(), None, used_at if number == 0 else clock.now())


async def test_a_replica_that_is_behind_takes_no_later_use_back(database: Database, clock: FrozenClock) -> None:
    key = await issued(database, clock)
    here, there = KeyUses(database, clock), KeyUses(database, clock)
    here.note(key.id, key.digest, "192.0.2.1")
    later = clock.advance(MINUTE)
    there.note(key.id, key.digest, "192.0.2.2")
    await there.write()
    await here.write()
    assert await look(database, key) == (later, "192.0.2.2", None)


async def test_a_use_under_a_clock_that_was_ahead_is_not_for_ever_the_last(
    database: Database, clock: FrozenClock
) -> None:
    key, uses, right = await issued(database, clock), KeyUses(database, clock), clock.now()
    clock.set(right + 1000 * HOUR)
    uses.note(key.id, key.digest, None)
    await uses.write()
    clock.set(right)
    uses.note(key.id, key.digest, None)
    await uses.write()
    assert await look(database, key) == (right, None, None)


async def test_what_cannot_be_written_is_logged_and_written_later(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_uses, "EVERY", 0.01)
    key, uses, commits = await issued(database, clock), KeyUses(database, clock), Commits(database)
    uses.note(key.id, key.digest, "192.0.2.1")
    commits.to_break = 2
    with capture_logs() as logs:
        await uses.start()
        await eventually(lambda: commits.count == 1)
        await uses.stop()
    assert [one["log_level"] for one in logs] == ["warning"] * 2
    assert await look(database, key) == (clock.now(), "192.0.2.1", None)


async def test_what_was_noted_while_the_last_write_was_under_way_is_written_too(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_uses, "EVERY", 0.01)
    under_way, go_on = asyncio.Event(), asyncio.Event()

    class Slow(KeyUses):
        async def write(self) -> None:
            await super().write()
            under_way.set()
            await go_on.wait()

    key, uses = await issued(database, clock), Slow(database, clock)
    await uses.start()
    await under_way.wait()
    uses.note(key.id, key.digest, "192.0.2.1")
    stopping = asyncio.create_task(uses.stop())
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait_for(stopping, 10)
    assert await look(database, key) == (clock.now(), "192.0.2.1", None)


async def test_what_was_noted_while_a_write_failed_is_kept_beside_what_was_before(
    database: Database, clock: FrozenClock
) -> None:
    key, uses, commits = await issued(database, clock), KeyUses(database, clock), Commits(database)
    uses.note(key.id, key.digest, "192.0.2.1")
    commits.to_break = 1
    with pytest.raises((OSError, DatabaseUnavailable)):
        await uses.write()
    later = clock.advance(MINUTE)
    uses.note(key.id, "other", "192.0.2.2")
    async with database.write() as connection:
        await keys.change(connection, key.id, rotation("other", clock), later, "cli")
    await uses.write()
    assert await look(database, key) == (later, "192.0.2.2", later - MINUTE)


async def test_a_key_that_others_have_locked_is_passed_over_and_has_its_turn_later(
    postgresql_url: str, clock: FrozenClock
) -> None:
    database, elsewhere = Database(postgresql_url), Database(postgresql_url)
    busy, free = await issued(database, clock), await issued(database, clock)
    uses, table = KeyUses(database, clock), metadata.tables["api_key"]
    for one in (busy, free):
        uses.note(one.id, one.digest, "192.0.2.1")
    async with elsewhere.write() as connection:
        await connection.execute(select(table).where(table.c.id == busy.id).with_for_update(read=True))
        await asyncio.wait_for(uses.write(), 5)
        assert await look(database, free) == (clock.now(), "192.0.2.1", None)
        assert await look(database, busy) == (None, None, None)
    await uses.write()
    assert await look(database, busy) == (clock.now(), "192.0.2.1", None)
    await database.close()
    await elsewhere.close()
