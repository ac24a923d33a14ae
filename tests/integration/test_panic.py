"""Panic, and revoking, against what a key has under way: on either engine, and between two replicas."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.errors import BlastRadius, DomainError, KeyNotFound, KeyNotGood
from app.domain.granting import WantedRights
from app.domain.principal import COMMAND_LINE, Principal, Role
from app.domain.rights import UNLIMITED, Rights
from app.domain.temporary_status import State
from app.store import issuing, keys
from app.store import panic as panicking
from app.store.batch import Batch
from app.store.commands.ending import EndAllOf
from app.store.commands.temporary_statuses import Plan
from app.store.database import Database
from app.store.panic import Panicked, panic
from app.store.rows import temporary_status_from
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, HOUR, MINUTE, change, end, plan, plan_by_ref, register, stored, wish
from tests.clock import FrozenClock
from tests.integration.test_writer_replicas import Replicas
from tests.integration.writing import together


async def hold(
    database: Database, clock: FrozenClock, role: Role = Role.CLIENT, rights: Rights = UNLIMITED, **different: object
) -> Principal:
    """Store a key and return its holder, as the guard would."""
    key_id, key = new_key()
    usual = {"id": key_id, "name": "x", "role": role, "digest": digest_of(key), "created_by": "cli", "rights": rights}
    one = ApiKey(**usual | {"created_at": clock.now()} | different)  # type: ignore[arg-type]
    async with database.write() as connection:
        await keys.add(connection, one)
    return one.principal


async def live(database: Database, clock: FrozenClock, owner: str) -> int:
    """How many of a key's temporary statuses are not over."""
    table = metadata.tables["temporary_status"]
    async with database.read() as connection:
        rows = (await connection.execute(select(table).where(table.c.created_by == owner))).mappings()
        return sum(temporary_status_from(row).state(clock.now()) is not State.ENDED for row in rows)


async def test_a_key_that_was_revoked_after_its_call_began_writes_nothing(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    by = await hold(database, clock)
    one = await plan(writer, by=by)
    async with database.write() as connection:
        await issuing.revoke(connection, COMMAND_LINE, by.id, clock.now())
    for late in (plan(writer, by=by), plan_by_ref(writer, "r", by=by), change(writer, one, by=by, reason="x")):
        with pytest.raises(KeyNotGood):
            await late
    with pytest.raises(KeyNotGood):
        await end(writer, one, by=by)
    (row,) = await stored(database, "temporary_status")
    assert (row["revision"], row["ended_at"]) == (1, None)


async def test_a_key_that_expires_while_its_call_waits_writes_nothing(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    by = await hold(database, clock, expires_at=clock.now() + MINUTE)
    clock.advance(MINUTE - timedelta(milliseconds=1))
    await plan(writer, by=by)
    clock.advance(timedelta(milliseconds=1))
    with pytest.raises(KeyNotGood):
        await plan(writer, by=by)


async def test_rights_that_were_narrowed_after_the_call_began_count(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    by = await hold(database, clock)
    wanted = WantedRights(open_ended=False)
    async with database.write() as connection:
        await issuing.change(connection, COMMAND_LINE, by.id, clock.now(), wanted=wanted)
    with pytest.raises(DomainError, match="open"):
        await plan(writer, by=by)


async def test_panic_ends_thousands_in_slices_and_says_how_far_it_is(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    evses = [f"DE*ABC*E{number}" for number in range(20)]
    await together(*(register(writer, one) for one in evses))
    by, other = await hold(database, clock, Role.OPERATIONS), await hold(database, clock)
    later = clock.now() + HOUR
    await together(
        *(
            plan(writer, evses[number % 20], by=by, valid_from=later + number * MINUTE, valid_to=later + number * HOUR)
            for number in range(1, 1501)
        ),
        *(plan(writer, one, by=by) for one in evses),
    )
    kept = await plan(writer, by=other, evse_id=evses[0])
    heard: list[tuple[int, int]] = []
    done = await panic(database, writer, clock, COMMAND_LINE, by.id, told=lambda *how: heard.append(how))
    assert done == Panicked(1520, [])
    assert heard == [(ended, 1520 - ended) for ended in [*range(0, 1520, panicking.SLICE), 1520]]
    assert await live(database, clock, by.id) == 0
    assert await live(database, clock, other.id) == 1
    (still,) = [row for row in await stored(database, "temporary_status") if row["id"] == kept.id]
    assert still["ended_at"] is None
    assert await panic(database, writer, clock, COMMAND_LINE, by.id) == Panicked(0, [])


async def test_a_panic_that_was_killed_half_way_is_finished_by_doing_it_again(
    database: Database, writer: Writer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(writer)
    by = await hold(database, clock)
    await together(*(plan(writer, by=by) for _ in range(7)))
    monkeypatch.setattr(panicking, "SLICE", 2)

    def killed(ended: int, _left: int) -> None:
        if ended >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await panic(database, writer, clock, COMMAND_LINE, by.id, told=killed)
    assert await live(database, clock, by.id) == 3
    with pytest.raises(KeyNotGood):
        await plan(writer, by=by)
    clock.advance(MINUTE)
    assert (await panic(database, writer, clock, COMMAND_LINE, by.id)).ended == 3
    assert [row["action"] for row in await stored(database, "audit") if row["subject"] == f"key {by.id}"] == [
        "create",
        "revoke",
    ]


async def test_a_slice_of_which_some_ran_out_meanwhile_is_not_taken_for_the_last(
    database: Database, writer: Writer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(writer)
    by = await hold(database, clock)
    for number in range(6):
        await plan(writer, by=by, valid_to=clock.now() + (HOUR if number % 2 else MINUTE))
    monkeypatch.setattr(panicking, "SLICE", 2)
    ended = []

    def later(so_far: int, _left: int) -> None:
        ended.append(so_far)
        if len(ended) == 2:
            clock.advance(MINUTE)

    done = await panic(database, writer, clock, COMMAND_LINE, by.id, told=later)
    assert done.ended == 4
    assert await live(database, clock, by.id) == 0


async def test_what_the_key_did_to_others_is_listed_newest_first_and_its_own_is_not(
    database: Database, writer: Writer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(writer)
    by = await hold(database, clock, Role.ADMIN)
    theirs = [await plan(writer, by=ADMIN) for _ in range(3)]
    own = await plan(writer, by=by)
    await change(writer, own, by=by, reason="own")
    await register(writer, "DE*ABC*E2")
    for one in theirs:
        clock.advance(MINUTE)
        await end(writer, one, by=by)
    done = await panic(database, writer, clock, COMMAND_LINE, by.id)
    subjects = [f"temporary status {one.id}" for one in reversed(theirs)]
    assert [(one.action, one.subject) for one in done.touched] == [("end", subject) for subject in subjects]
    assert done.touched[0].at == clock.now()
    monkeypatch.setattr(panicking, "MOST_TOUCHED", 2)
    again = await panic(database, writer, clock, COMMAND_LINE, by.id)
    assert [one.subject for one in again.touched] == subjects[:2]


async def test_what_it_did_to_keys_is_listed_however_much_else_it_did_since(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    thief = await hold(database, clock, Role.ADMIN)
    async with database.write() as connection:
        wanted = WantedRights()
        back_door = await issuing.create(connection, thief, clock.now(), name="x", of=Role.ADMIN, wanted=wanted)
    one = await plan(writer, by=ADMIN)
    for number in range(panicking.MOST_TOUCHED + 1):
        await change(writer, one, by=thief, reason=str(number))
    done = await panic(database, writer, clock, COMMAND_LINE, thief.id)
    assert len(done.touched) == panicking.MOST_TOUCHED
    assert (done.touched[0].action, done.touched[0].subject) == ("create", f"key {back_door.stored.id}")


async def test_with_what_the_key_planned_gone_there_is_room_for_others(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    evses = [f"DE*ABC*E{number}" for number in range(8)]
    await together(*(register(writer, one) for one in evses))
    culprit, another = await hold(database, clock), await hold(database, clock)
    await together(*(plan(writer, one, by=culprit) for one in evses))
    with pytest.raises(BlastRadius):
        await plan(writer, evses[7], by=another)
    assert await panic(database, writer, clock, COMMAND_LINE, culprit.id) == Panicked(5, [])
    await together(*(plan(writer, one, by=another) for one in evses[:5]))
    assert await live(database, clock, another.id) == 5
    with pytest.raises(BlastRadius):  # it counts anew
        await plan(writer, evses[7], by=another)


async def test_what_another_key_planned_goes_on_being_counted(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    evses = [f"DE*ABC*E{number}" for number in range(8)]
    await together(*(register(writer, one) for one in evses))
    culprit, another = await hold(database, clock), await hold(database, clock)
    await together(*(plan(writer, one, by=culprit) for one in evses))
    await panic(database, writer, clock, COMMAND_LINE, another.id)
    with pytest.raises(BlastRadius):
        await plan(writer, evses[7], by=await hold(database, clock))


async def test_whoever_may_not_panic_a_key_revokes_nothing(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    by, admin = await hold(database, clock, Role.OPERATIONS), await hold(database, clock, Role.ADMIN)
    for target in (admin.id, "nobody"):
        with pytest.raises(KeyNotFound):
            await panic(database, writer, clock, by, target)
    assert [row["revoked_at"] for row in await stored(database, "api_key")] == [None, None]


@pytest.fixture
async def replicas(postgresql_url: str, clock: FrozenClock) -> AsyncGenerator[Replicas]:
    """Two writers, each with connections of its own."""
    databases = [Database(postgresql_url) for _ in range(2)]
    writers = [Writer(one, clock) for one in databases]
    for writer in writers:
        await writer.start()
    yield [*zip(writers, databases, strict=True)]
    for writer in writers:
        await writer.stop()
    for one in databases:
        await one.close()


@pytest.mark.parametrize("role", [Role.CLIENT, Role.OPERATIONS])
async def test_panic_on_one_replica_lets_nothing_survive_that_another_is_just_planning(
    replicas: Replicas, clock: FrozenClock, role: Role
) -> None:
    (here, database), (there, _) = replicas
    evses = [f"DE*ABC*E{number}" for number in range(5)]  # few enough for the brake
    await together(*(register(here, one) for one in evses))
    for _ in range(4):
        by = await hold(database, clock, role)
        stop = asyncio.Event()

        async def go_on(writer: Writer, by: Principal = by, stop: asyncio.Event = stop) -> int:
            planned = 0
            while not stop.is_set():
                answers = await together(*(plan(writer, one, by=by) for one in evses))
                planned += sum(not isinstance(one, Exception) for one in answers)
                if any(isinstance(one, KeyNotGood) for one in answers):
                    return planned
            return planned

        busy = [asyncio.create_task(go_on(writer)) for writer, _ in replicas]
        await asyncio.sleep(0.05)
        with capture_logs() as logs:
            done = await asyncio.wait_for(panic(database, here, clock, COMMAND_LINE, by.id), 30)
        planned = [await asyncio.wait_for(one, 30) for one in busy]
        stop.set()
        assert logs == []
        assert await live(database, clock, by.id) == 0
        assert done.ended == sum(planned) > 0
        with pytest.raises(KeyNotGood):
            await plan(there, evses[0], by=by)


async def test_revoking_waits_for_what_the_key_has_under_way_and_finds_it(
    replicas: Replicas, clock: FrozenClock
) -> None:
    (here, database), (_, elsewhere) = replicas
    await register(here)
    by = await hold(database, clock)
    command = Plan(by, wish(EVSE))
    async with elsewhere.write() as connection:
        batch = Batch(clock.now())
        await batch.load(connection, [command.needs()])
        command.decide(batch)
        ending = asyncio.create_task(panic(database, here, clock, COMMAND_LINE, by.id))
        await asyncio.sleep(0.2)  # it has come as far as it can
        assert not ending.done()
        await batch.write(connection)
    assert (await asyncio.wait_for(ending, 5)).ended == 1
    assert await live(database, clock, by.id) == 0


async def test_a_slice_ends_only_what_it_has_locked_and_not_what_another_replica_is_at(
    replicas: Replicas, clock: FrozenClock
) -> None:
    (here, database), (there, elsewhere) = replicas
    await register(here)
    by = await hold(database, clock)
    made = await together(*(plan(here, by=by) for _ in range(4)))
    async with elsewhere.write() as connection:
        batch, command = Batch(clock.now()), EndAllOf(COMMAND_LINE, by.id, 2)
        await batch.load(connection, [command.needs()])
        assert command.decide(batch) == 2
        beside = asyncio.create_task(here.run(EndAllOf(COMMAND_LINE, by.id, 2)))
        await asyncio.sleep(0.2)  # it has come as far as it can
        await batch.write(connection)
    assert await asyncio.wait_for(beside, 5) == 0
    assert await there.run(EndAllOf(COMMAND_LINE, by.id, 2)) == len(made) - 2


async def test_two_panics_at_once_end_everything_once(replicas: Replicas, clock: FrozenClock) -> None:
    (here, database), (there, elsewhere) = replicas
    await register(here)
    by = await hold(database, clock)
    await together(*(plan(here, by=by) for _ in range(600)))
    done = await together(
        panic(database, here, clock, COMMAND_LINE, by.id), panic(elsewhere, there, clock, COMMAND_LINE, by.id)
    )
    assert sum(one.ended for one in done) == 600
    assert {row["revision"] for row in await stored(database, "temporary_status")} == {2}


async def test_ending_all_of_one_that_has_nothing_is_nothing(writer: Writer) -> None:
    assert await writer.run(EndAllOf(COMMAND_LINE, "nobody", 10)) == 0
