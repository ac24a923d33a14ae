"""The writer: many commands in one commit, and an answer only after it."""

import pytest
from structlog.testing import capture_logs

from app.domain.errors import AlreadyOver, EvseNotFound, MalformedEvseId
from app.domain.planning import Changes
from app.domain.status import Kind
from app.domain.temporary_status import State
from app.store.commands.ending import End
from app.store.commands.importing import Import
from app.store.commands.temporary_statuses import Change, Plan
from app.store.database import Database
from app.store.failures import DatabaseUnavailable
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, HOUR, MINUTE, SENSOR, imported, plan, plan_by_ref, register, stored, wish
from tests.clock import FrozenClock
from tests.integration.writing import Commits, together

# Answers and commits


async def test_an_answer_means_that_every_other_connection_sees_it(
    database: Database, database_url: str, writer: Writer
) -> None:
    await register(writer)
    elsewhere = Database(database_url)
    try:
        for expected in range(1, 21):
            await plan(writer)
            assert len(await stored(elsewhere, "temporary_status")) == expected
    finally:
        await elsewhere.close()


async def test_nobody_is_told_yes_when_the_commit_fails(database: Database, writer: Writer) -> None:
    await register(writer)
    commits = Commits(database)
    commits.to_break = 2  # the one retry too
    with capture_logs() as logs, pytest.raises(DatabaseUnavailable):
        await plan(writer)
    assert await stored(database, "temporary_status") == []
    assert [one["event"] for one in logs] == ["a change could not be written"]
    await plan(writer)
    assert len(await stored(database, "temporary_status")) == 1


async def test_many_commands_share_few_commits(database: Database, writer: Writer) -> None:
    await register(writer)
    commits = Commits(database)
    answers = await together(*(plan(writer) for _ in range(1000)))
    assert len({one.id for one in answers}) == 1000
    assert commits.count <= 5


async def test_nothing_is_lost_when_two_thousand_create_at_once(database: Database, writer: Writer) -> None:
    sites = [f"DE*ABC*E{number}" for number in range(20)]
    await together(*(register(writer, one) for one in sites))
    answers = await together(*(plan(writer, sites[number % 20], by=ADMIN) for number in range(2000)))
    assert sorted(one.id for one in answers) == [row["id"] for row in await stored(database, "temporary_status")]
    assert len({one.id for one in answers}) == 2000


async def test_ids_are_unique_and_rise_with_the_order_of_asking(writer: Writer) -> None:
    await register(writer)
    answers = []
    for _ in range(3):
        answers += await together(*(plan(writer) for _ in range(300)))
    ids = [one.id for one in answers]
    assert ids == sorted(set(ids))


async def test_who_shows_things_hears_of_commits_that_may_change_them_only(
    database: Database, clock: FrozenClock
) -> None:
    heard = []
    writer = Writer(database, clock, committed=lambda: heard.append(clock.now()))
    await writer.start()
    await register(writer)
    one = await plan(writer)
    assert len(heard) == 2
    await together(plan(writer, "DE*ABC*E404"))
    await writer.run(Change(SENSOR, one.id, Changes()))
    await register(writer)
    assert len(heard) == 2
    await writer.run(End(SENSOR, one.id))
    assert len(heard) == 3
    await writer.stop()


# Groups


async def test_a_refusal_writes_nothing_and_does_not_touch_its_group(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    commits, audited = Commits(database), len(await stored(database, "audit"))
    first, unknown, past, last = await together(
        plan(writer, kind=Kind.BLOCKED),
        plan(writer, "DE*ABC*E404"),
        plan(writer, valid_to=clock.now() - MINUTE),
        plan(writer, kind=Kind.MAINTENANCE),
    )
    assert isinstance(unknown, EvseNotFound)
    assert isinstance(past, AlreadyOver)
    assert [row["id"] for row in await stored(database, "temporary_status")] == [first.id, last.id]
    assert len(await stored(database, "audit")) == audited + 2
    assert commits.count == 1


async def test_a_malformed_evse_id_from_a_backend_is_a_refusal_like_any_other(
    database: Database, writer: Writer
) -> None:
    commits = Commits(database)
    with capture_logs() as logs:
        first, malformed, last = await together(
            writer.run(Import(by=ADMIN, imported=imported("DE*ABC*E1", uid="1"))),
            writer.run(Import(by=ADMIN, imported=imported("no EVSE ID", uid="2"))),
            writer.run(Import(by=ADMIN, imported=imported("DE*ABC*E3", uid="3"))),
        )
    assert isinstance(malformed, MalformedEvseId)
    assert [row["id"] for row in await stored(database, "evse")] == [first.evse.id, last.evse.id]
    assert logs == []
    assert commits.count == 1


async def test_commands_of_one_group_see_each_other_on_the_same_evse(database: Database, writer: Writer) -> None:
    await register(writer)
    commits = Commits(database)
    first, second = await together(
        writer.run(Plan(SENSOR, wish(kind=Kind.BLOCKED))), writer.run(Plan(ADMIN, wish(kind=Kind.MAINTENANCE)))
    )
    assert commits.count == 1
    assert [one.id for one in first.live] == [first.one.id]
    assert [one.id for one in second.live] == [first.one.id, second.one.id]


async def test_commands_of_one_group_see_each_other_under_the_same_reference(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    commits = Commits(database)
    created, renewed, replaced = await together(
        plan_by_ref(writer, "bay-7", valid_to=clock.now() + MINUTE),
        plan_by_ref(writer, "bay-7", valid_to=clock.now() + HOUR),
        plan_by_ref(writer, "bay-7", kind=Kind.RESERVED),
    )
    assert commits.count == 1
    assert created.created
    assert not renewed.created
    assert renewed.one.id == created.one.id
    assert replaced.created
    old, new = await stored(database, "temporary_status")
    assert (old["id"], old["valid_to"], old["ended_at"]) == (created.one.id, clock.now() + HOUR, clock.now())
    assert (new["id"], new["kind"], new["ended_at"]) == (replaced.one.id, "RESERVED", None)


async def test_an_evse_can_be_used_in_the_group_that_registers_it(database: Database, writer: Writer) -> None:
    commits = Commits(database)
    evse, again, one = await together(register(writer), register(writer, EVSE.lower()), plan(writer))
    assert commits.count == 1
    assert evse.id == again.id == one.evse
    assert len(await stored(database, "evse")) == 1


async def test_a_change_and_an_end_in_one_group_both_count(database: Database, writer: Writer) -> None:
    await register(writer)
    one = await plan(writer)
    commits = Commits(database)
    changed, ended = await together(
        writer.run(Change(SENSOR, one.id, Changes(reason="car on the bay"))), writer.run(End(SENSOR, one.id))
    )
    assert commits.count == 1
    assert (changed.one.revision, ended.one.revision) == (2, 3)
    (row,) = await stored(database, "temporary_status")
    assert (row["reason"], row["end_reason"], row["revision"]) == ("car on the bay", "deleted", 3)


async def test_a_reference_let_go_of_in_a_group_can_be_taken_again_in_it(database: Database, writer: Writer) -> None:
    await register(writer)
    first = (await plan_by_ref(writer, "bay-7")).one
    commits = Commits(database)
    ended, created = await together(writer.run(End(SENSOR, first.id)), plan_by_ref(writer, "bay-7"))
    assert commits.count == 1
    assert ended.one.state(ended.at) is State.ENDED
    assert created.created
    assert created.one.id != first.id
