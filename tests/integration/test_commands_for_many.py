"""Planning for many EVSEs and ending that again, in the writer: in one transaction, and beside other commands."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from app.domain.errors import BatchRefused, TooManyEvses
from app.domain.evse_id import parse_evse_id
from app.domain.principal import Principal, Role
from app.domain.status import Kind
from app.domain.whole import MOST_IN_BATCH, Whole
from app.store import line
from app.store.commands.ending_batches import EndBatch
from app.store.commands.planning_many import PlanForAll, PlanMany, Refused
from app.store.commands.temporary_statuses import Plan, Said
from app.store.database import Database
from app.store.failures import DatabaseUnavailable
from app.store.tables import metadata
from app.store.writer import Command, Writer
from tests.builders import BOOKING, OPERATIONS, SENSOR, marked, plan, register, settled, stored, wish
from tests.clock import START, FrozenClock
from tests.integration.test_clockwork import make_fleet
from tests.integration.writing import Commits, together

OPERATOR = Whole(operator="DEABC")


def for_all(which: Whole = OPERATOR, by: Principal = OPERATIONS, *, atomic: bool = False) -> PlanForAll:
    return PlanForAll(by=by, which=which, said=Said(kind=Kind.BLOCKED), batch="b-1", atomic=atomic)


def for_each(count: int, by: Principal = SENSOR, *, atomic: bool = False) -> PlanForAll:
    which = tuple(parse_evse_id(f"DE*ABC*E{number}") for number in range(1, count + 1))
    return PlanForAll(by=by, which=which, said=Said(kind=Kind.BLOCKED), batch="b-1", atomic=atomic)


async def test_a_whole_operator_of_five_thousand_is_planned_and_ended_at_once_and_not_one_more(
    database: Database, writer: Writer
) -> None:
    await make_fleet(database, MOST_IN_BATCH + 1, START)
    with pytest.raises(TooManyEvses):
        await writer.run(for_all())
    evse = metadata.tables["evse"]
    async with database.write() as connection:
        await connection.execute(update(evse).where(evse.c.id == 1).values(deployment_state="DEPRECATED"))
    assert len(await writer.run(for_all(atomic=True))) == MOST_IN_BATCH
    assert len(await writer.run(EndBatch(OPERATIONS, "b-1"))) == MOST_IN_BATCH


async def test_an_atomic_call_whose_commit_fails_leaves_nothing(database: Database, writer: Writer) -> None:
    await make_fleet(database, 20, START)
    await settled(database)
    commits = Commits(database)
    commits.to_break = 99
    with capture_logs(), pytest.raises(DatabaseUnavailable):
        await writer.run(for_all(atomic=True))
    commits.to_break = 0
    assert await stored(database, "temporary_status") == []
    assert await stored(database, "audit") == []
    assert await marked(database) == []


async def test_an_atomic_call_that_is_refused_leaves_room_for_those_beside_it(
    database: Database, writer: Writer
) -> None:
    await make_fleet(database, 12, START)
    await settled(database)
    singles = [Plan(BOOKING, wish(f"DE*ABC*E{number}")) for number in range(1, 6)]
    answers = await together(writer.run(for_each(12, atomic=True)), *(writer.run(one) for one in singles))
    assert isinstance(answers[0], BatchRefused)
    assert [isinstance(one, Exception) for one in answers[1:]] == [False] * 5
    rows = await stored(database, "temporary_status")
    assert [(row["created_by"], row["batch"]) for row in rows] == [(BOOKING.id, None)] * 5
    assert await marked(database) == [1, 2, 3, 4, 5]
    assert [row["action"] for row in await stored(database, "audit")] == ["create"] * 5 + ["trip"]


async def test_what_is_planned_beside_a_call_for_many_counts_for_it(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.permission.MOST_ON_ONE_EVSE", 3)
    await register(writer, "DE*ABC*E1")
    await plan(writer, "DE*ABC*E1")
    several = PlanMany(by=SENSOR, wishes=(wish("DE*ABC*E1"),) * 3, batch="b-1")
    single = Plan(BOOKING, wish("DE*ABC*E1"))
    judged, beside = await together(writer.run(several), writer.run(single))
    assert [isinstance(one, Refused) for one in judged] == [False, False, True]
    assert isinstance(beside, Exception)
    beside, judged = await together(writer.run(single), writer.run(several))
    assert isinstance(beside, Exception)
    assert [isinstance(one, Refused) for one in judged] == [True] * 3


async def test_a_rehearsal_leaves_no_trace_and_takes_no_turn(database: Database, writer: Writer) -> None:
    await make_fleet(database, 12, START)
    await settled(database)
    judged = await writer.rehearse(for_each(12))
    assert [isinstance(one, Refused) for one in judged] == [False] * 5 + [True] * 7
    for table in ("temporary_status", "brake", "audit"):
        assert await stored(database, table) == []
    assert await marked(database) == []
    await plan(writer, "DE*ABC*E1")


async def test_rehearsals_take_turns_so_that_nobody_else_waits_for_more_than_one(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_fleet(database, 12, START)
    under_way: list[int] = [0]
    write = database.write

    @asynccontextmanager
    async def counted() -> AsyncGenerator[AsyncConnection]:
        under_way.append(under_way[-1] + 1)
        async with write() as connection:
            try:
                yield connection
            finally:
                under_way.append(under_way[-1] - 1)

    monkeypatch.setattr(database, "write", counted)
    await asyncio.gather(*(writer.rehearse(for_each(12)) for _ in range(5)))
    assert under_way == [0] + [1, 0] * 5


async def test_nobody_waits_for_two_calls_for_thousands_at_once(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "HEAVY", 10)
    await make_fleet(database, 12, START)
    sizes: list[int] = []

    class Counting(Writer):
        async def _commit(self, commands: Sequence[Command[Any]]) -> tuple[list[Any], bool]:
            sizes.append(len(commands))
            return await super()._commit(commands)

    writer = Counting(database, clock)
    await writer.start()
    commands: list[Command[Any]] = [
        for_each(4, OPERATIONS),
        *[for_each(3, OPERATIONS)] * 3,
        *[Plan(OPERATIONS, wish())] * 2,
    ]
    answers = [writer.submit(one) for one in (*commands, for_all(), *commands[-2:])]
    await asyncio.gather(*answers)
    assert sizes == [3, 1, 5]
    await writer.stop()


async def test_a_batch_is_ended_as_far_as_it_is_the_keys(database: Database, writer: Writer) -> None:
    await make_fleet(database, 3, START)
    technician = Principal("technician", Role.TECHNICIAN)
    await writer.run(for_each(2, technician))
    await writer.run(
        PlanMany(by=OPERATIONS, wishes=(wish("DE*ABC*E3"), wish("DE*ABC*E3", kind=Kind.MAINTENANCE)), batch="b-1")
    )
    ended = await writer.run(EndBatch(technician, "b-1"))
    assert [(one.one.evse, one.one.kind) for one in ended] == [
        (1, Kind.BLOCKED),
        (2, Kind.BLOCKED),
        (3, Kind.MAINTENANCE),
    ]
    rows = await stored(database, "temporary_status")
    assert [row["end_reason"] for row in rows] == ["deleted", "deleted", None, "deleted"]
