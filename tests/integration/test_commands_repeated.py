"""Commands that come again, late or in the wrong order: each is done once, and the newest counts."""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from app.domain import errors
from app.domain.api_key import ApiKey
from app.domain.planning import Changes
from app.domain.precondition import Precondition, Tags, tag_of
from app.domain.principal import Principal, Role
from app.domain.rights import Rights
from app.domain.status import Kind
from app.store import keys
from app.store.commands.ending import End, EndByRef
from app.store.commands.idempotent import Answered, Idempotent
from app.store.commands.planning_many import PlanMany, Refused
from app.store.commands.temporary_statuses import Change, Plan, PlanByRef, Written
from app.store.database import Database
from app.store.failures import DatabaseUnavailable
from app.store.writer import Writer
from tests.builders import BOOKING, EVSE, HOUR, MINUTE, SENSOR, plan, plan_by_ref, register, stored, wish
from tests.clock import START, FrozenClock
from tests.integration.writing import Commits, together

FINAL = Principal("final-booking-system", Role.CLIENT, Rights(final_cancel=True))
IN_AN_HOUR = START + HOUR


@pytest.fixture(autouse=True)
async def _evses(writer: Writer) -> None:
    await register(writer, EVSE)
    await register(writer, "DE*ABC*E2")


def once(key: str = "k-1", digest: str = "d", *, by: Principal = BOOKING, **asked: Any) -> Idempotent[Written]:
    """A plan with an Idempotency-Key, answered with its id."""
    command = Plan(by, wish(**asked))
    return Idempotent(by=by, command=command, key=key, digest=digest, render=lambda done: (201, str(done.one.id)))


def losing_the_answer(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Lose the answer to the next COMMIT, and say so."""
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
    return lost


# Idempotency-Key


async def test_of_many_in_one_group_one_is_done_and_the_others_get_its_answer(
    database: Database, writer: Writer
) -> None:
    answers = await together(*(writer.run(once()) for _ in range(10)))
    (row,) = await stored(database, "temporary_status")
    assert [one.text for one in answers] == [str(row["id"])] * 10
    assert sorted(one.replayed for one in answers) == [False] + [True] * 9
    assert len(await stored(database, "audit")) == 3, "two registrations, one plan"


async def test_in_one_group_another_body_is_refused(database: Database, writer: Writer) -> None:
    first, other = await together(writer.run(once()), writer.run(once(digest="other", reason="x")))
    assert isinstance(first, Answered)
    assert isinstance(other, errors.IdempotencyMismatch)
    assert len(await stored(database, "temporary_status")) == 1


async def test_what_fails_in_the_commit_leaves_no_answer_behind(database: Database, writer: Writer) -> None:
    commits = Commits(database)
    commits.to_break = 2
    with capture_logs(), pytest.raises(DatabaseUnavailable):
        await writer.run(once())
    assert await stored(database, "idempotency") == await stored(database, "temporary_status") == []
    assert not (await writer.run(once())).replayed


async def test_a_refused_one_leaves_no_answer_behind(database: Database, writer: Writer) -> None:
    with pytest.raises(errors.AlreadyOver):
        await writer.run(once(valid_to=START))
    assert await stored(database, "idempotency") == []
    assert not (await writer.run(once())).replayed


async def test_a_key_that_is_no_longer_good_gets_no_answer_again(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    stored_key = ApiKey(
        id="RMGbP9e0KI", name="x", role=Role.CLIENT, digest="x", created_by="cli", created_at=clock.now()
    )
    async with database.write() as connection:
        await keys.add(connection, stored_key)
    by = stored_key.principal
    assert not (await writer.run(once(by=by))).replayed
    assert (await writer.run(once(by=by))).replayed
    async with database.write() as connection:
        await keys.revoke(connection, by.id, clock.now(), "cli")
    with pytest.raises(errors.KeyNotGood):
        await writer.run(once(by=by))
    with pytest.raises(errors.KeyNotGood):
        await writer.run(PlanMany(by=by, wishes=(wish(),), batch="b-1"))


@pytest.mark.parametrize("refused", [False, True])
async def test_a_commit_whose_answer_is_lost_is_answered_as_it_was(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    many = PlanMany(by=BOOKING, wishes=(wish("DE*ABC*E404" if refused else EVSE), wish("DE*ABC*E404")), batch="b-1")
    command = Idempotent(
        by=BOOKING, command=many, key="k-1", digest="d", render=lambda done: (200, str([type(one) for one in done]))
    )
    lost = losing_the_answer(database, monkeypatch)
    answer = await writer.run(command)
    assert lost
    assert answer.text.count("Refused") == (2 if refused else 1)
    assert len(await stored(database, "temporary_status")) == (0 if refused else 1)
    assert len(await stored(database, "idempotency")) == 1


# Preconditions


async def test_of_two_changes_of_one_state_the_second_is_refused(writer: Writer) -> None:
    one = await plan(writer)
    condition = Precondition(matches=Tags(strong=frozenset({tag_of(one, START)})))
    first, second = await together(
        writer.run(Change(SENSOR, one.id, Changes(reason="first"), condition)),
        writer.run(Change(SENSOR, one.id, Changes(reason="second"), condition)),
    )
    assert first.one.reason == "first"
    assert isinstance(second, errors.PreconditionFailed)


@pytest.mark.parametrize("ends", [False, True])
async def test_a_condition_that_held_is_not_tried_again_when_only_the_answer_is_lost(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    one = await plan(writer)
    condition = Precondition(matches=Tags(strong=frozenset({tag_of(one, START)})))
    lost = losing_the_answer(database, monkeypatch)
    done = await writer.run(
        End(SENSOR, one.id, condition) if ends else Change(SENSOR, one.id, Changes(reason="new"), condition)
    )
    assert lost
    assert done.one.revision == 2
    assert (await stored(database, "temporary_status"))[0]["revision"] == 2


async def test_a_change_that_never_reached_the_disk_is_tried_again(database: Database, writer: Writer) -> None:
    one = await plan(writer)
    commits = Commits(database)
    commits.to_break = 1
    condition = Precondition(matches=Tags(strong=frozenset({tag_of(one, START)})))
    with capture_logs():
        done = await writer.run(Change(SENSOR, one.id, Changes(reason="new"), condition))
    assert (await stored(database, "temporary_status"))[0]["reason"] == done.one.reason == "new"


# References


async def test_a_sensor_that_never_cancels_leaves_nothing_to_remember(database: Database, writer: Writer) -> None:
    for _ in range(3):
        await plan_by_ref(writer, "bay-7")
    assert await stored(database, "reference") == []
    await writer.run(EndByRef(SENSOR, "bay-7"))
    for _ in range(3):
        await plan_by_ref(writer, "bay-7")
        await writer.run(EndByRef(SENSOR, "bay-7"))
    (row,) = await stored(database, "reference")
    assert (row["owner"], row["ref"], row["cancelled_at"], row["blind"]) == (SENSOR.id, "bay-7", START, True)


async def test_a_booking_system_that_sends_no_versions_cancels_for_a_day(writer: Writer, clock: FrozenClock) -> None:
    await plan_by_ref(writer, "B-1", by=FINAL)
    await writer.run(EndByRef(FINAL, "B-1"))
    with pytest.raises(errors.StaleVersion):
        await plan_by_ref(writer, "B-1", by=FINAL)
    clock.advance(24 * HOUR - MINUTE)
    with pytest.raises(errors.StaleVersion):
        await plan_by_ref(writer, "B-1", by=FINAL)
    clock.advance(MINUTE)
    assert (await plan_by_ref(writer, "B-1", by=FINAL)).created


async def test_versions_hold_within_one_group_too(database: Database, writer: Writer) -> None:
    answers = await together(
        *(writer.run(PlanByRef(BOOKING, "B-1", wish(reason=str(one)), one)) for one in (1, 3, 2, 3)),
        writer.run(EndByRef(BOOKING, "B-1", 2)),
    )
    assert [isinstance(one, errors.StaleVersion) for one in answers] == [False, False, True, False, True]
    (row,) = await stored(database, "temporary_status")
    assert (row["reason"], row["ended_at"]) == ("3", None)


async def test_a_replaced_window_passes_its_version_on(database: Database, writer: Writer, clock: FrozenClock) -> None:
    await writer.run(PlanByRef(BOOKING, "B-1", wish(), 5))
    clock.advance(MINUTE)
    moved = await writer.run(PlanByRef(BOOKING, "B-1", wish("DE*ABC*E2"), 6))
    assert moved.created
    with pytest.raises(errors.StaleVersion):
        await writer.run(PlanByRef(BOOKING, "B-1", wish(), 5))
    assert [row["source_version"] for row in await stored(database, "reference")] == [6]


class Event(msgspec.Struct, frozen=True):
    """What a booking system says with a version: where and when it is, or that it is cancelled."""

    version: int
    evse_id: str | None = None
    hours: int = 0

    def command(self) -> PlanByRef | EndByRef:
        if self.evse_id is None:
            return EndByRef(BOOKING, "B-1", self.version)
        begin = START + self.hours * HOUR if self.hours else None
        asked = wish(self.evse_id, kind=Kind.RESERVED, valid_from=begin, valid_to=START + (self.hours + 1) * HOUR)
        return PlanByRef(BOOKING, "B-1", asked, self.version)


async def tell(writer: Writer, events: Sequence[Event], *, at_once: bool) -> None:
    """Tell it all; a late event is a refusal, and nothing else is."""
    if at_once:
        answers = await together(*(writer.run(one.command()) for one in events))
    else:
        answers = [(await together(writer.run(one.command())))[0] for one in events]
    assert {type(one) for one in answers if isinstance(one, Exception)} <= {errors.StaleVersion}


@pytest.mark.parametrize("seed", range(25))
async def test_the_events_of_a_booking_in_any_order_and_repeated_end_as_the_newest_says(
    database: Database, writer: Writer, seed: int
) -> None:
    chance = random.Random(seed)
    history = [
        Event(version, chance.choice([None, EVSE, EVSE, "DE*ABC*E2"]), chance.randrange(4))
        for version in range(chance.randint(1, 6))
    ]
    told = history + chance.choices(history, k=chance.randint(0, 6))
    chance.shuffle(told)
    await tell(writer, told, at_once=chance.random() < 0.5)
    newest = history[-1]
    live = [row for row in await stored(database, "temporary_status") if row["ended_at"] is None]
    if newest.evse_id is None:
        assert live == []
    else:
        (row,) = live
        evses = {one["id"]: one["evse_id"] for one in await stored(database, "evse")}
        window = (START + newest.hours * HOUR, START + (newest.hours + 1) * HOUR)
        assert (evses[row["evse"]], row["valid_from"], row["valid_to"]) == (newest.evse_id, *window)
    assert [row["source_version"] for row in await stored(database, "reference")] == [newest.version]


# Many in one


async def test_many_are_committed_together_and_each_is_judged_beside_those_before_it(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    limited = ApiKey(
        id="RMGbP9e0KI",
        name="x",
        role=Role.CLIENT,
        digest="x",
        created_by="cli",
        created_at=clock.now(),
        rights=Rights(most_active=2),
    )
    async with database.write() as connection:
        await keys.add(connection, limited)
    commits = Commits(database)
    later = wish(valid_from=START + 5 * HOUR)
    first = [wish(valid_to=IN_AN_HOUR), wish("DE*ABC*E9"), wish("DE*ABC*E2", valid_to=IN_AN_HOUR)]
    done = await writer.run(
        PlanMany(by=limited.principal, wishes=(*first, wish(valid_to=IN_AN_HOUR), later), batch="b-1")
    )
    assert [type(one.why if isinstance(one, Refused) else one) for one in done] == [
        Written,
        errors.EvseNotFound,
        Written,
        errors.TooManyActive,
        Written,
    ]
    assert commits.count == 1
    assert len(await stored(database, "temporary_status")) == 3


async def test_one_batch_on_an_evse_that_two_write_to(database: Database, writer: Writer) -> None:
    many = PlanMany(by=BOOKING, wishes=tuple(wish(reason=str(number)) for number in range(100)), batch="b-1")
    done, one, again = await together(writer.run(many), plan(writer), writer.run(many))
    assert [len(done), len(again)] == [100, 100]
    assert len(await stored(database, "temporary_status")) == 201
    assert one.id not in {item.one.id for item in done if isinstance(item, Written)}
