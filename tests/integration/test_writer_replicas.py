"""Two writers on one PostgreSQL, as two `serve` have them: they wait for each other and lose nothing."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.errors import StaleVersion
from app.domain.evse_id import parse_evse_id
from app.domain.planning import Changes
from app.domain.precondition import Precondition, Tags, tag_of
from app.domain.status import DeploymentState
from app.store.batch import Batch
from app.store.commands.ending import EndByRef, EndOnEvse
from app.store.commands.evses import Register
from app.store.commands.idempotent import Idempotent
from app.store.commands.planning_many import PlanMany
from app.store.commands.temporary_statuses import Change, PlanByRef, Written
from app.store.database import Database
from app.store.needs import Needs
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, HOUR, LENIENT, MINUTE, SENSOR, plan, plan_by_ref, register, stored, wish
from tests.clock import FrozenClock
from tests.integration.writing import together

Replicas = list[tuple[Writer, Database]]


@pytest.fixture
async def replicas(postgresql_url: str, clock: FrozenClock) -> AsyncGenerator[Replicas]:
    """Two writers, each with connections of its own, as two `serve` on one PostgreSQL have them."""
    databases = [Database(postgresql_url) for _ in range(2)]
    writers = [Writer(one, clock, brake=LENIENT) for one in databases]
    for writer in writers:
        await writer.start()
    yield [*zip(writers, databases, strict=True)]
    for writer in writers:
        await writer.stop()
    for one in databases:
        await one.close()


async def test_replicas_that_race_for_a_reference_make_one_temporary_status(replicas: Replicas) -> None:
    (here, database), (there, _) = replicas
    await register(here)
    for number in range(15):
        with capture_logs():
            answers = await together(
                plan_by_ref(here, f"bay-{number}", valid_to=None), plan_by_ref(there, f"bay-{number}")
            )
        assert len({one.one.id for one in answers}) == 1
        assert sorted(one.created for one in answers) == [False, True]
    rows = await stored(database, "temporary_status")
    assert len([row for row in rows if row["ended_at"] is None]) == 15 == len({row["ref"] for row in rows})


async def test_replicas_that_are_asked_the_same_under_one_idempotency_key_do_it_once(replicas: Replicas) -> None:
    (here, database), (there, _) = replicas
    await register(here)
    for number in range(15):
        command = Idempotent(
            by=SENSOR,
            command=PlanMany(by=SENSOR, wishes=(wish(), wish()), batch="b-1"),
            key=f"k-{number}",
            digest="d",
            render=lambda done: (200, str([one.one.id for one in done if isinstance(one, Written)])),
        )
        with capture_logs():
            first, second = await together(here.run(command), there.run(command))
        assert first.text == second.text
        assert sorted((first.replayed, second.replayed)) == [False, True]
    assert len(await stored(database, "temporary_status")) == 30


async def test_replicas_that_are_told_of_new_bookings_in_opposite_order_keep_the_newest_of_each(
    replicas: Replicas,
) -> None:
    (here, database), (there, _) = replicas
    await register(here)
    for round_ in range(6):
        bookings = [f"B-{round_}-{number}" for number in range(20)]
        with capture_logs():
            answers = await together(
                *(here.run(PlanByRef(SENSOR, ref, wish(reason="1"), 1)) for ref in bookings),
                *(there.run(PlanByRef(SENSOR, ref, wish(reason="2"), 2)) for ref in bookings[::-1]),
                *(here.run(EndByRef(SENSOR, ref, 3)) for ref in bookings[::2]),
            )
        assert {type(one) for one in answers if isinstance(one, Exception)} <= {StaleVersion}
    live = {row["ref"]: row["reason"] for row in await stored(database, "temporary_status") if row["ended_at"] is None}
    odd = [f"B-{round_}-{number}" for round_ in range(6) for number in range(1, 20, 2)]
    assert live == dict.fromkeys(odd, "2")
    assert {row["source_version"] for row in await stored(database, "reference")} == {2, 3}


async def test_replicas_with_the_same_state_in_hand_change_it_once(replicas: Replicas) -> None:
    (here, database), (there, _) = replicas
    await register(here)
    for _ in range(10):
        one = await plan(here)
        seen = Precondition(matches=Tags(strong=frozenset({tag_of(one, one.created_at)})))
        answers = await together(
            *(writer.run(Change(SENSOR, one.id, Changes(reason="mine"), seen)) for writer in (here, there))
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["PreconditionFailed", "Written"]
    assert {row["revision"] for row in await stored(database, "temporary_status")} == {2}


async def test_replicas_that_race_to_register_an_evse_make_one(replicas: Replicas) -> None:
    (here, database), (there, _) = replicas
    for number in range(10):
        with capture_logs():
            first, second = await together(
                *(
                    one.run(Register(by=ADMIN, evse_id=parse_evse_id(f"DE*ABC*E{number}"), location="LOC1"))
                    for one in (here, there)
                )
            )
        assert first.evse.id == second.evse.id
        assert sorted([first.created, second.created]) == [False, True]
    assert len(await stored(database, "evse")) == len(await stored(database, "presented")) == 10


async def test_replicas_that_race_to_change_lose_no_revision(replicas: Replicas) -> None:
    (here, database), (there, _) = replicas
    await register(here)
    one = await plan(here)
    answers = []
    for round_ in range(10):
        answers += await together(
            *(
                replica.run(Change(SENSOR, one.id, Changes(reason=f"{round_} {number} {name}")))
                for number in range(5)
                for name, replica in (("here", here), ("there", there))
            )
        )
    assert sorted(answer.one.revision for answer in answers) == [*range(2, 102)]
    (row,) = await stored(database, "temporary_status")
    assert row["revision"] == 101
    assert row["reason"] == max(answers, key=lambda answer: answer.one.revision).one.reason


async def test_ending_all_on_an_evse_does_not_undo_what_a_replica_is_just_changing(
    replicas: Replicas, clock: FrozenClock
) -> None:
    (here, _), (_, database) = replicas
    await register(here)
    one = await plan(here, valid_to=clock.now() + MINUTE)
    change = Change(SENSOR, one.id, Changes(valid_to=clock.now() + HOUR, reason="longer"))
    async with database.write() as connection:
        batch = Batch(clock.now())
        await batch.load(connection, [change.needs()])
        ending = asyncio.create_task(here.run(EndOnEvse(SENSOR, parse_evse_id(EVSE))))
        await asyncio.sleep(0.2)  # it has come as far as it can
        change.decide(batch)
        await batch.write(connection)
    await asyncio.wait_for(ending, 5)
    (row,) = await stored(database, "temporary_status")
    assert (row["revision"], row["end_reason"]) == (3, "deleted")
    assert (row["valid_to"], row["reason"]) == (clock.now() + HOUR, "longer")


async def test_replicas_with_overlapping_evses_wait_for_each_other_and_never_deadlock(replicas: Replicas) -> None:
    (here, database), (there, _) = replicas
    sites = [f"DE*ABC*E{number}" for number in range(30)]
    await together(*(register(here, one) for one in sites))
    failed = 0
    with capture_logs() as logs:
        for round_ in range(8):
            forwards, backwards = sites, sites[::-1]
            answers = await together(
                *(plan(here, one) for one in forwards),
                *(plan(there, one) for one in backwards),
                *(one_more(here, one, round_) for one in backwards),
                *(one_more(there, one, round_) for one in forwards),
            )
            failed += sum(isinstance(one, Exception) for one in answers)
    assert logs == []
    assert failed == 0
    assert len(await stored(database, "temporary_status")) == 2 * 8 * 30


async def test_planning_does_not_wait_for_a_replica_that_is_changing_the_evse(
    replicas: Replicas, clock: FrozenClock
) -> None:
    """Or two replicas deadlock: one locks EVSEs in order of their keys, the other as its new rows refer to them."""
    (here, _), (_, database) = replicas
    await register(here)
    async with database.write() as connection:
        await Batch(clock.now()).load(connection, [Needs(evse_ids=(parse_evse_id(EVSE),), changes_evse=True)])
        await asyncio.wait_for(plan(here), 2)


async def test_replicas_that_register_and_plan_the_same_fleet_in_opposite_order_never_deadlock(
    replicas: Replicas,
) -> None:
    (here, _), (there, _) = replicas
    sites = [f"DE*ABC*E{number}" for number in range(200)]
    await together(*(register(here, one) for one in sites))
    with capture_logs() as logs:
        for round_ in range(4):
            answers = await together(
                *(plan(here, one) for one in sites[::-1]), *(one_more(there, one, round_) for one in sites)
            )
            assert [one for one in answers if isinstance(one, Exception)] == []
    assert logs == []


def one_more(writer: Writer, evse_id: str, round_: int) -> Awaitable[Any]:
    """A registration that does change something."""
    return register(writer, evse_id, deployment=DeploymentState.PRODUCTION if round_ % 2 else DeploymentState.STOCK)
