"""The writer when something goes wrong, and when it starts and stops: nothing is lost, nobody waits for ever."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from app.domain.evse import Evse
from app.store import line
from app.store.batch import Batch
from app.store.database import Database
from app.store.needs import Needs
from app.store.writer import Writer, WriterBusy
from tests.builders import plan, register, stored
from tests.clock import FrozenClock
from tests.integration.writing import Commits, together


class Poison(msgspec.Struct, frozen=True):
    """Inserts an EVSE whose uid is taken: only the database notices, and it fails the whole transaction."""

    like: Evse

    def needs(self) -> Needs:
        return Needs(new_evses=1)

    def decide(self, batch: Batch) -> None:
        batch.put_evse(msgspec.structs.replace(self.like, id=batch.new_key("evse"), evse_id=None, key=None))


class Defect(msgspec.Struct, frozen=True):
    """Fails in a way that nobody thought of."""

    def needs(self) -> Needs:
        return Needs()

    def decide(self, batch: Batch) -> None:
        raise ZeroDivisionError(f"at {batch.at}")


async def queued(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Have a command wait for the writer, without waiting for its answer."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


# Failures


async def test_a_command_that_fails_the_commit_fails_alone(database: Database, writer: Writer) -> None:
    evse = await register(writer)
    with capture_logs():
        answers = await together(
            *(plan(writer) for _ in range(5)), writer.run(Poison(evse)), *(plan(writer) for _ in range(5))
        )
    assert isinstance(answers.pop(5), IntegrityError)
    assert [row["id"] for row in await stored(database, "temporary_status")] == [one.id for one in answers]
    assert len(await stored(database, "evse")) == 1


async def test_a_defect_in_one_command_harms_no_other(database: Database, writer: Writer) -> None:
    await register(writer)
    with capture_logs() as logs:
        first, broken, last = await together(plan(writer), writer.run(Defect()), plan(writer))
    assert isinstance(broken, ZeroDivisionError)
    assert [row["id"] for row in await stored(database, "temporary_status")] == [first.id, last.id]
    assert {"event": "a change could not be written", "command": "Defect"}.items() <= logs[-1].items()


async def test_a_commit_that_fails_once_is_tried_again(database: Database, writer: Writer) -> None:
    await register(writer)
    commits = Commits(database)
    commits.to_break = 1
    with capture_logs():
        answers = await together(*(plan(writer) for _ in range(5)))
    assert [row["id"] for row in await stored(database, "temporary_status")] == [one.id for one in answers]


async def test_a_caller_that_gives_up_does_not_undo_the_commit(database: Database, writer: Writer) -> None:
    await register(writer)
    gone = await queued(plan(writer, reason="asked and left"))
    gone.cancel()
    stayed = await plan(writer, reason="stayed")
    assert gone.cancelled()
    rows = await stored(database, "temporary_status")
    assert [row["reason"] for row in rows] == ["asked and left", "stayed"]
    assert rows[-1]["id"] == stayed.id


# Starting and stopping


async def test_stopping_finishes_what_waits(database: Database, writer: Writer) -> None:
    await register(writer)
    waiting = [await queued(plan(writer)) for _ in range(600)]
    await writer.stop()
    answers = await together(*waiting)
    assert len({one.id for one in answers}) == 600
    assert len(await stored(database, "temporary_status")) == 600


async def test_a_writer_that_is_not_running_says_so(database: Database, clock: FrozenClock) -> None:
    writer = Writer(database, clock)
    with pytest.raises(WriterBusy):
        await plan(writer)
    await writer.start()
    await register(writer)
    await writer.stop()
    with pytest.raises(WriterBusy):
        await plan(writer)
    await writer.stop()
    assert await stored(database, "temporary_status") == []


async def test_callers_that_go_on_asking_neither_hinder_a_stop_nor_wait_for_ever(
    database: Database, writer: Writer
) -> None:
    await register(writer)
    answered = 0

    async def keeps_asking() -> None:
        nonlocal answered
        while True:
            try:
                await plan(writer)
            except WriterBusy:
                return
            answered += 1

    callers = [asyncio.create_task(keeps_asking()) for _ in range(20)]
    while answered < 40:  # noqa: ASYNC110 - until it is well under way
        await asyncio.sleep(0.001)
    try:
        await asyncio.wait_for(writer.stop(), 5)
        await asyncio.wait_for(asyncio.gather(*callers), 5)
    finally:
        for one in callers:
            one.cancel()
    assert len(await stored(database, "temporary_status")) == answered


async def test_a_command_that_comes_just_as_the_writer_stops_is_answered(database: Database, writer: Writer) -> None:
    await register(writer)
    stopping = asyncio.create_task(writer.stop())
    for _ in range(20):
        late = asyncio.create_task(plan(writer))
        await asyncio.sleep(0)
        (outcome,) = await asyncio.wait_for(asyncio.gather(late, return_exceptions=True), 5)
        if isinstance(outcome, WriterBusy):
            break
    await stopping


async def test_beyond_what_may_wait_callers_are_told_to_come_back(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "WAITING", 3)
    writer = Writer(database, clock)
    await writer.start()
    await register(writer)
    answers = await together(*(plan(writer) for _ in range(5)))
    assert [type(one) for one in answers[3:]] == [WriterBusy, WriterBusy]
    assert [row["id"] for row in await stored(database, "temporary_status")] == [one.id for one in answers[:3]]
    await writer.stop()


async def test_a_commit_whose_answer_is_lost_is_not_done_twice(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(writer)
    really = database.write
    lost: list[bool] = []

    @asynccontextmanager
    async def losing() -> AsyncGenerator[AsyncConnection]:
        async with really() as connection:
            yield connection
        if not lost:
            lost.append(True)
            raise ConnectionResetError("the answer to COMMIT never came")

    monkeypatch.setattr(database, "write", losing)
    one = await plan(writer)
    assert lost
    assert [row["id"] for row in await stored(database, "temporary_status")] == [one.id]
