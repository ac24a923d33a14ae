"""What a key's rights let through, in the writer and at the edge of each limit, on both databases."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from app.domain.api_key import ApiKey
from app.domain.errors import (
    DomainError,
    EvseNotFound,
    KeyNotGood,
    KindNotAllowed,
    OpenEndNotAllowed,
    TooFarAhead,
    TooLong,
    TooManyActive,
)
from app.domain.instant import MILLISECOND
from app.domain.principal import Principal, Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.domain.status import Kind
from app.store import keys
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import HOUR, LENIENT, MINUTE, change, end, plan, plan_by_ref, register, stored
from tests.clock import START, FrozenClock
from tests.integration.writing import together

EVSES = [f"DE*ABC*E{number}" for number in range(1, 13)]


async def holder(database: Database, role: Role = Role.CLIENT, *, name: str = "k", **rights: Any) -> Principal:
    """Store a key with these rights, and return who holds it."""
    key = ApiKey(id=name, name=name, role=role, digest="", created_by="cli", created_at=START, rights=Rights(**rights))
    async with database.write() as connection:
        await keys.add(connection, key)
    return key.principal


@pytest.fixture
async def lenient(database: Database, clock: FrozenClock) -> AsyncGenerator[Writer]:
    """A writer whose brake lets everything through, as here only the key's own limits count."""
    started = Writer(database, clock, brake=LENIENT)
    await started.start()
    yield started
    await started.stop()


async def refused(work: Any, kind: type[DomainError], field: str | None = None) -> str:
    with pytest.raises(kind) as refusal:
        await work
    assert refusal.value.field == field
    return str(refusal.value)


async def test_a_key_says_only_its_kinds(writer: Writer, database: Database) -> None:
    await register(writer)
    booking = await holder(database, kinds=(Kind.RESERVED,))
    await plan(writer, by=booking, kind=Kind.RESERVED)
    says = await refused(plan(writer, by=booking, kind=Kind.BLOCKED), KindNotAllowed, "temporaryStatus")
    assert says == "this key may only say RESERVED"


async def test_a_sensors_key_says_blocked_whatever_its_rights_are(writer: Writer, database: Database) -> None:
    await register(writer)
    sensor = await holder(database, Role.INGEST)
    await plan(writer, by=sensor)
    for kind in set(Kind) - {Kind.BLOCKED}:
        await refused(plan(writer, by=sensor, kind=kind), KindNotAllowed, "temporaryStatus")


async def test_the_longest_is_measured_from_the_beginning_and_then_from_now(
    writer: Writer, database: Database, clock: FrozenClock
) -> None:
    await register(writer)
    key = await holder(database, longest=2 * HOUR)
    begin = START + 5 * HOUR
    too_late = begin + 2 * HOUR + MILLISECOND
    await refused(plan(writer, by=key, valid_from=begin, valid_to=too_late), TooLong, "validTo")
    planned = await plan(writer, by=key, valid_from=begin, valid_to=begin + 2 * HOUR)
    await refused(change(writer, planned, by=key, valid_to=too_late), TooLong, "validTo")
    clock.set(begin + HOUR)
    renewed = await change(writer, planned, by=key, valid_to=begin + 3 * HOUR)
    assert renewed.interval.end == begin + 3 * HOUR
    await refused(change(writer, planned, by=key, valid_to=begin + 3 * HOUR + MILLISECOND), TooLong, "validTo")


async def test_a_lease_is_renewed_for_longer_than_its_key_may_say_anything_at_once(
    writer: Writer, database: Database, clock: FrozenClock
) -> None:
    await register(writer)
    sensor = await holder(database, Role.INGEST, longest=HOUR, open_ended=False, most_active=1)
    for _ in range(30):
        done = await plan_by_ref(writer, "bay", by=sensor, valid_to=clock.now() + HOUR)
        clock.advance(59 * MINUTE)
    assert done.one.interval.begin == START
    assert [row["revision"] for row in await stored(database, "temporary_status")] == [30]


async def test_without_the_right_an_end_is_neither_left_out_nor_taken_away(writer: Writer, database: Database) -> None:
    await register(writer)
    key = await holder(database, open_ended=False)
    says = await refused(plan(writer, by=key), OpenEndNotAllowed, "validTo")
    assert "send validTo" in says
    one = await plan(writer, by=key, valid_to=START + HOUR)
    await refused(change(writer, one, by=key, valid_to=None), OpenEndNotAllowed, "validTo")
    await refused(plan_by_ref(writer, "bay", by=key), OpenEndNotAllowed, "validTo")


async def test_the_beginning_lies_no_further_ahead_than_the_key_may_plan(writer: Writer, database: Database) -> None:
    await register(writer)
    key = await holder(database, furthest=HOUR)
    one = await plan(writer, by=key, valid_from=START + HOUR)
    late = START + HOUR + MILLISECOND
    await refused(plan(writer, by=key, valid_from=late), TooFarAhead, "validFrom")
    await refused(change(writer, one, by=key, valid_from=late), TooFarAhead, "validFrom")


@pytest.mark.parametrize("most", [1, 3])
async def test_a_key_has_no_more_in_effect_at_once_than_it_may(lenient: Writer, database: Database, most: int) -> None:
    await together(*(register(lenient, one) for one in EVSES))
    key = await holder(database, most_active=most)
    answers = await together(*(plan(lenient, one, by=key) for one in EVSES))
    assert sum(isinstance(one, TooManyActive) for one in answers) == len(EVSES) - most
    await end(lenient, answers[0], by=key)
    await plan(lenient, EVSES[-1], by=key)
    await refused(plan(lenient, EVSES[-1], by=key), TooManyActive)


async def test_what_is_planned_one_after_the_other_is_not_at_once(lenient: Writer, database: Database) -> None:
    await register(lenient)
    key = await holder(database, most_active=1)
    for hour in range(5):
        await plan(lenient, by=key, valid_from=START + hour * HOUR, valid_to=START + (hour + 1) * HOUR)
    overlapping: dict[str, Any] = {"valid_from": START + 90 * MINUTE, "valid_to": START + 91 * MINUTE}
    await refused(plan(lenient, by=key, **overlapping), TooManyActive)
    await plan(lenient, by=key, valid_from=START + 5 * HOUR)


async def test_all_planned_for_one_instant_are_too_many_long_before_it(lenient: Writer, database: Database) -> None:
    await together(*(register(lenient, one) for one in EVSES))
    key = await holder(database, most_active=2)
    noon = START + 4 * HOUR
    answers = await together(*(plan(lenient, one, by=key, valid_from=noon) for one in EVSES))
    assert sum(isinstance(one, TooManyActive) for one in answers) == len(EVSES) - 2


async def test_what_is_changed_or_replaced_is_not_counted_beside_itself(lenient: Writer, database: Database) -> None:
    await together(*(register(lenient, one) for one in EVSES))
    key = await holder(database, most_active=1)
    first = await plan_by_ref(lenient, "booking", EVSES[0], by=key, valid_to=START + HOUR)
    moved = await plan_by_ref(lenient, "booking", EVSES[1], by=key, valid_to=START + 2 * HOUR)
    assert moved.created
    assert first.one.id != moved.one.id
    await change(lenient, moved.one, by=key, valid_to=START + 3 * HOUR)
    await refused(plan(lenient, by=key), TooManyActive)


async def test_others_windows_are_not_counted(lenient: Writer, database: Database) -> None:
    await register(lenient)
    for name in ("a", "b"):
        await plan(lenient, by=await holder(database, name=name, most_active=1))


async def test_what_lies_outside_its_scope_is_not_there_for_a_key(writer: Writer, database: Database) -> None:
    ours = await register(writer, "DE*ABC*E12")
    for other in ("DE*ABC*E123*1", "DE*ABC*E1*2", "DE*XYZ*E12"):
        await register(writer, other)
    key = await holder(database, scope=Scope(evses=(ours.id,)))
    # Without separators it may be two chargers for others; for this key it can only be its own.
    assert (await plan(writer, "deabce12", by=key)).evse == ours.id
    unknown = await refused(plan(writer, "DE*ABC*E9", by=key), EvseNotFound, "evseId")
    for other in ("DE*ABC*E123*1", "DE*ABC*E1*2", "DE*XYZ*E12"):
        says = await refused(plan(writer, other, by=key), EvseNotFound, "evseId")
        assert says == unknown.replace("DE*ABC*E9", other)


async def test_an_evse_that_left_the_scope_can_be_let_go_of_and_no_more(writer: Writer, database: Database) -> None:
    await register(writer, location="LOC1")
    key = await holder(database, scope=Scope(sites=(("DE", "ABC", "LOC1"),)))
    one = await plan(writer, by=key, valid_to=START + HOUR)
    await register(writer, location="LOC2")
    await refused(change(writer, one, by=key, valid_to=START + 2 * HOUR), EvseNotFound, "evseId")
    assert (await end(writer, one, by=key)).ended_at == START


async def test_what_counts_are_the_rights_as_they_are_when_it_is_written(writer: Writer, database: Database) -> None:
    await register(writer)
    before = await holder(database)
    narrowed = {"rights": msgspec.to_builtins(Rights(kinds=(Kind.RESERVED,)))}
    async with database.write() as connection:
        await connection.execute(keys._key.update().values(narrowed))
    await refused(plan(writer, by=before), KindNotAllowed, "temporaryStatus")


@pytest.mark.parametrize("what", ["revoked_at", "expires_at"])
async def test_a_key_that_is_no_longer_good_writes_nothing_although_its_call_was_let_in(
    writer: Writer, database: Database, what: str
) -> None:
    await register(writer)
    key = await holder(database)
    async with database.write() as connection:
        await connection.execute(keys._key.update().values({what: START}))
    for work in (plan(writer, by=key), plan_by_ref(writer, "bay", by=key)):
        await refused(work, KeyNotGood)
    assert await stored(database, "temporary_status") == []


async def test_a_key_that_nobody_stored_is_good_for_nothing(writer: Writer) -> None:
    await register(writer)
    await refused(plan(writer, by=Principal("made-up", Role.ADMIN, holds_key=True)), KeyNotGood)


@pytest.fixture
async def replicas(postgresql_url: str, clock: FrozenClock) -> AsyncGenerator[list[tuple[Writer, Database]]]:
    databases = [Database(postgresql_url) for _ in range(3)]
    writers = [Writer(one, clock, brake=LENIENT) for one in databases]
    for one in writers:
        await one.start()
    yield [*zip(writers, databases, strict=True)]
    for one in writers:
        await one.stop()
    for database in databases:
        await database.close()


async def test_replicas_that_race_for_a_keys_last_places_give_out_no_more_than_there_are(
    replicas: list[tuple[Writer, Database]],
) -> None:
    (first, database), *_ = replicas
    await together(*(register(first, one) for one in EVSES))
    for number in range(8):
        key = await holder(database, name=f"k{number}", most_active=5)
        answers = await together(*(plan(replicas[n % 3][0], one, by=key) for n, one in enumerate(EVSES)))
        assert sum(isinstance(one, TooManyActive) for one in answers) == len(EVSES) - 5, answers
