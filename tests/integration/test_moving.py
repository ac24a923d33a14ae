"""From one database to another: what was shown is shown there, and to do it again changes nothing."""

from collections.abc import AsyncGenerator

import pytest

from app.cli import importing, importing_beside
from app.domain.status import DeploymentState, Kind
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import EVSE, HOUR, MINUTE, change, end, plan, register, stored
from tests.clock import START, FrozenClock
from tests.databases import PostgresqlServer, migrate
from tests.integration.moving import counted, exported, fill, shown, taken_in


@pytest.fixture
async def other(
    request: pytest.FixtureRequest, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Database]:
    """An empty database of the other kind."""
    if not database.embedded:
        url = f"sqlite:///{tmp_path_factory.mktemp('other') / 'other.db'}"
        await migrate(url)
        opened = Database(url)
        yield opened
        await opened.close()
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    async with server.fresh() as url:
        opened = Database(url)
        yield opened
        await opened.close()


@pytest.fixture
async def there(other: Database, clock: FrozenClock) -> AsyncGenerator[Writer]:
    started = Writer(other, clock)
    await started.start()
    yield started
    await started.stop()


async def test_every_evse_is_shown_as_it_was_at_every_instant_to_come(
    database: Database, other: Database, there: Writer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Groups that end in the middle of an EVSE's.
    monkeypatch.setattr(importing, "_TOGETHER", 97)
    monkeypatch.setattr(importing_beside, "_REHEARSED", 13)
    await fill(database, 150, seed=7)
    file = await exported(database, clock)

    would = counted(await taken_in(file, other, there, clock, dry_run=True))
    assert await stored(other, "evse") == []
    clock.advance(MINUTE)
    done = counted(await taken_in(file, other, there, clock))

    assert done == would
    assert done["evses"] == {"created": 150}
    assert done["temporaryStatuses"].keys() == {"created"}
    ats = [START + step * MINUTE for step in range(1, 400, 5)]
    assert await shown(other, ats, 3 * HOUR) == await shown(database, ats, 3 * HOUR)

    before = await stored(other, "temporary_status"), await stored(other, "evse")
    again = counted(await taken_in(file, other, there, clock))
    assert again == {
        "locations": {},
        **{sort: {"known": sum(done[sort].values())} for sort in ("evses", "temporaryStatuses")},
    }
    assert (await stored(other, "temporary_status"), await stored(other, "evse")) == before

    # And back, where everything is known.
    back = counted(await taken_in(await exported(other, clock), database, there, clock, dry_run=True))
    assert back == again


async def test_what_was_changed_or_ended_since_an_import_stays_so(
    database: Database, writer: Writer, other: Database, there: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    one = await plan(writer, valid_to=START + HOUR)
    await plan(writer, kind=Kind.RESERVED, valid_from=START + 2 * HOUR)
    file = await exported(database, clock)
    await taken_in(file, other, there, clock)
    moved = [row["id"] for row in await stored(other, "temporary_status")]
    clock.advance(MINUTE)
    async with other.write() as connection:
        await connection.exec_driver_sql(f"UPDATE temporary_status SET ended_at = created_at WHERE id = {moved[0]}")
    await change(writer, one, valid_to=START + 3 * HOUR)
    await end(writer, one)

    for where, by in ((other, there), (database, writer)):
        rows = await stored(where, "temporary_status")
        assert counted(await taken_in(file, where, by, clock))["temporaryStatuses"] == {"known": 2}
        assert await stored(where, "temporary_status") == rows


async def test_a_reference_of_the_keys_and_who_made_it_are_only_told(
    database: Database, writer: Writer, other: Database, there: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    made = await plan(writer, valid_from=START + HOUR)
    await taken_in(await exported(database, clock), other, there, clock)
    (row,) = await stored(other, "temporary_status")
    assert (row["created_by"], row["ref"][:7]) == ("cli", "import:")
    (line,) = await stored(other, "audit")
    assert (line["action"], line["subject"]) == ("import", f"temporary status {row['id']}, made by {made.created_by}")


async def test_what_is_over_when_it_comes_is_left_out(
    database: Database, writer: Writer, other: Database, there: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    await plan(writer, valid_to=START + HOUR)
    await plan(writer, valid_to=START + HOUR + MINUTE)
    file = await exported(database, clock)
    clock.advance(HOUR)
    assert counted(await taken_in(file, other, there, clock))["temporaryStatuses"] == {"over": 1, "created": 1}


async def test_an_evse_that_is_there_is_left_as_it_is_and_gets_what_it_lacks(
    database: Database, writer: Writer, other: Database, there: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    await plan(writer)
    await register(there, deployment=DeploymentState.STOCK)
    done = counted(await taken_in(await exported(database, clock), other, there, clock))
    assert done == {"locations": {}, "evses": {"differs": 1}, "temporaryStatuses": {"created": 1}}
    assert (await stored(other, "evse"))[0]["deployment_state"] == "STOCK"


@pytest.mark.parametrize("uid", ["theirs", "DE-ABC-E1"])
async def test_an_evse_that_is_another_one_there_is_refused_with_all_that_is_on_it(
    database: Database, writer: Writer, other: Database, there: Writer, clock: FrozenClock, uid: str
) -> None:
    await register(writer)
    await register(writer, "DE*ABC*E2")
    for evse_id in (EVSE, "DE*ABC*E2"):
        await plan(writer, evse_id)
    # The same EVSE ID under another uid, or another EVSE ID under the same one.
    await register(there, EVSE if uid == "theirs" else "DE*ABC*E9", uid=uid)
    tally = await taken_in(await exported(database, clock), other, there, clock)
    once = {"refused": 1, "created": 1}
    assert counted(tally) == {"locations": {}, "evses": once, "temporaryStatuses": once}
    assert [one.partition(":")[0] for one in tally.refusals] == ["line 2", "line 3"]
    assert "registered" in tally.refusals[0]
    assert len(await stored(other, "temporary_status")) == 1
