"""What is read: the same answer from SQL as from the domain, in pages, on both databases."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import insert

from app.domain.errors import AmbiguousEvse, EvseNotFound, TemporaryStatusNotFound
from app.domain.evse_id import parse_evse_id
from app.domain.instant import MILLISECOND
from app.domain.interval import Interval
from app.domain.status import DeploymentState, Kind
from app.domain.temporary_status import State, TemporaryStatus
from app.store import reading
from app.store.commands.ending import End, EndByRef
from app.store.database import Database
from app.store.presented import live_by_evse
from app.store.reading import FleetQuery, TemporaryQuery
from app.store.rows import temporary_status_values
from app.store.tables import metadata
from app.store.temporary_lists import Place
from app.store.writer import Writer
from tests.builders import BOOKING, EVSE, HOUR, MINUTE, SENSOR, plan, plan_by_ref, register, stored
from tests.clock import START, FrozenClock

#: A day on which everything begins, ends and is ended, and the instants just before and after each.
EDGES = [START + number * MINUTE for number in range(5)]
AROUND = sorted({edge + offset for edge in EDGES for offset in (-MILLISECOND, timedelta(), MILLISECOND)})


def every_history(evse: int) -> list[TemporaryStatus]:
    """A temporary status for each way in which start, end and early end can lie to each other."""
    ways = [
        (begin, end, ended)
        for begin, end, ended in product(EDGES, [None, *EDGES], [None, *EDGES])
        if end is None or end > begin
    ]
    return [
        TemporaryStatus(
            id=number,
            evse=evse,
            kind=Kind.BLOCKED,
            interval=Interval(begin, end),
            created_by=SENSOR.id,
            created_at=START,
            updated_at=START,
            ended_at=ended,
        )
        for number, (begin, end, ended) in enumerate(ways, 1)
    ]


async def given(database: Database, ones: list[TemporaryStatus]) -> None:
    async with database.write() as connection:
        values = [temporary_status_values(one, "DEABC") for one in ones]
        await connection.execute(insert(metadata.tables["temporary_status"]), values)


async def ids(database: Database, at: datetime = START, **wanted: Any) -> list[int]:
    async with database.read() as connection:
        page = await reading.temporary_statuses(connection, TemporaryQuery(**wanted), at)
        return [one.id for one, _ in page]


# States


async def test_sql_and_the_domain_agree_on_the_state_at_every_edge(database: Database, writer: Writer) -> None:
    histories = every_history((await register(writer)).id)
    await given(database, histories)
    assert len(histories) == 90
    for at, state in product(AROUND, State):
        wanted = [one.id for one in histories if one.state(at) is state]
        assert await ids(database, at, state=state, limit=1000) == wanted, f"{state} at {at}"


async def test_what_is_live_in_sql_is_what_the_domain_says_is_not_over(database: Database, writer: Writer) -> None:
    evse = (await register(writer)).id
    await given(database, every_history(evse))
    for at in AROUND:
        # An early end is always stored when it comes: never one that lies ahead.
        histories = [one for one in every_history(evse) if one.ended_at is None or one.ended_at <= at]
        async with database.read() as connection:
            live = (await live_by_evse(connection, [evse], at)).get(evse, [])
        assert live == [one for one in histories if not one.is_over(at)], f"at {at}"


async def test_a_state_changes_by_the_clock_alone(database: Database, writer: Writer) -> None:
    await register(writer)
    one = await plan(writer, valid_from=START + HOUR, valid_to=START + 2 * HOUR)
    for at, state in (
        (START + HOUR - MILLISECOND, State.PLANNED),
        (START + HOUR, State.ACTIVE),
        (START + 2 * HOUR - MILLISECOND, State.ACTIVE),
        (START + 2 * HOUR, State.ENDED),
    ):
        assert await ids(database, at, state=state) == [one.id]


# Temporary statuses


async def test_a_list_is_oldest_first_and_knows_its_evses(database: Database, writer: Writer) -> None:
    await register(writer), await register(writer, "DE*ABC*E2")
    ones = [await plan(writer, "DE*ABC*E2"), await plan(writer), await plan(writer, "DE*ABC*E2")]
    async with database.read() as connection:
        page = await reading.temporary_statuses(connection, TemporaryQuery(), START)
    assert [one for one, _ in page] == ones
    assert [evse.evse_id for _, evse in page] == ["DE*ABC*E2", EVSE, "DE*ABC*E2"]


async def test_a_list_can_be_narrowed_down(database: Database, writer: Writer) -> None:
    first, second = await register(writer), await register(writer, "DE*ABC*E2")
    blocked, reserved = await plan(writer), await plan(writer, kind=Kind.RESERVED, valid_from=START + HOUR)
    other = await plan(writer, "DE*ABC*E2", kind=Kind.RESERVED)
    ended = await plan(writer)
    await writer.run(End(SENSOR, ended.id))
    assert await ids(database) == [blocked.id, reserved.id, other.id, ended.id]
    assert await ids(database, evses=(first.id,)) == [blocked.id, reserved.id, ended.id]
    assert await ids(database, evses=(first.id, second.id), kinds=(Kind.RESERVED,)) == [reserved.id, other.id]
    assert await ids(database, state=State.ACTIVE) == [blocked.id, other.id]
    assert await ids(database, state=State.PLANNED, evses=(first.id,)) == [reserved.id]
    assert await ids(database, state=State.ENDED) == [ended.id]
    assert await ids(database, state=State.PLANNED, evses=(second.id,)) == []


async def test_pages_meet_without_gap_or_overlap_even_while_others_write(database: Database, writer: Writer) -> None:
    await register(writer)
    made = [(await plan(writer)).id for _ in range(10)]
    seen: list[int] = []
    while page := await ids(database, after=seen[-1] if seen else 0, limit=3):
        assert len(page) <= 3
        seen += page
        if len(seen) < 10:
            made.append((await plan(writer)).id)
    assert seen == made


async def test_one_is_found_by_its_id_over_or_not(database: Database, writer: Writer) -> None:
    evse = await register(writer)
    one = await plan(writer, reason="car")
    ended = (await writer.run(End(SENSOR, one.id))).one
    async with database.read() as connection:
        assert await reading.temporary_status(connection, one.id) == (ended, evse)
        with pytest.raises(TemporaryStatusNotFound):
            await reading.temporary_status(connection, one.id + 1)


async def test_by_reference_the_latest_is_found_over_or_not(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await register(writer)
    await plan_by_ref(writer, "bay-7", kind=Kind.BLOCKED)
    second = (await plan_by_ref(writer, "bay-7", kind=Kind.MAINTENANCE, valid_to=START + MINUTE)).one
    await plan_by_ref(writer, "bay-7", by=BOOKING)
    async with database.read() as connection:
        assert (await reading.by_ref(connection, SENSOR.id, "bay-7"))[0] == second
        clock.advance(HOUR)
        assert (await reading.by_ref(connection, SENSOR.id, "bay-7"))[0] == second
        await writer.run(EndByRef(BOOKING, "bay-7"))
        assert (await reading.by_ref(connection, BOOKING.id, "bay-7"))[0].ended_by == BOOKING.id
        with pytest.raises(TemporaryStatusNotFound, match="bay-8"):
            await reading.by_ref(connection, SENSOR.id, "bay-8")


async def test_a_read_after_a_write_shows_the_write(database: Database, writer: Writer) -> None:
    await register(writer)
    for _ in range(20):
        one = await plan(writer)
        async with database.read() as connection:
            assert (await reading.temporary_status(connection, one.id))[0] == one


# EVSEs


@pytest.mark.parametrize("written", [EVSE, "de*abc*e1", "DEABCE1", "deabce1"])
async def test_an_evse_is_found_in_any_form_and_answered_as_registered(
    database: Database, writer: Writer, written: str
) -> None:
    evse = await register(writer)
    async with database.read() as connection:
        assert await reading.evse_named(connection, parse_evse_id(written)) == evse


async def test_an_unknown_and_an_ambiguous_evse_are_refused(database: Database, writer: Writer) -> None:
    await register(writer, "DE*ABC*E1*23", uid="a")
    await register(writer, "DE*ABC*E12*3", uid="b")
    async with database.read() as connection:
        with pytest.raises(AmbiguousEvse):
            await reading.evse_named(connection, parse_evse_id("DEABCE123"))
        with pytest.raises(EvseNotFound) as refused:
            await reading.evse_named(connection, parse_evse_id("DE*ABC*E123*"))
    assert refused.value.field == "evseId"


async def test_the_evse_in_use_is_found_before_its_deprecated_twin(database: Database, writer: Writer) -> None:
    old = await register(writer, deployment=DeploymentState.DEPRECATED)
    async with database.read() as connection:
        assert (await reading.evse_named(connection, parse_evse_id(EVSE))).id == old.id
    row = (await stored(database, "evse"))[0]
    async with database.write() as connection:
        twin = {**row, "id": 4711, "uid": "new", "deployment_state": "PRODUCTION"}
        await connection.execute(insert(metadata.tables["evse"]), twin)
    async with database.read() as connection:
        assert (await reading.evse_named(connection, parse_evse_id(EVSE))).id == 4711


async def test_the_fleet_comes_in_pages_and_can_be_narrowed_down(database: Database, writer: Writer) -> None:
    for number in range(7):
        deployment = DeploymentState.STOCK if number % 2 else DeploymentState.PRODUCTION
        location = "LOC1" if number < 4 else None
        await register(writer, f"DE*ABC*E{number}", deployment=deployment, location=location)

    async def names(**wanted: Any) -> list[str]:
        async with database.read() as connection:
            return [str(one.evse_id)[-1] for one in await reading.fleet(connection, FleetQuery(**wanted))]

    assert await names() == [*"0123456"]
    assert await names(place=Place(location="LOC1")) == [*"0123"]
    assert await names(deployment=DeploymentState.STOCK) == [*"135"]
    assert await names(place=Place(location="LOC1"), deployment=DeploymentState.STOCK) == [*"13"]
    assert await names(place=Place(location="LOC2")) == []
    async with database.read() as connection:
        first = await reading.fleet(connection, FleetQuery(limit=4))
    assert await names(after=first[-1].id, limit=4) == [*"456"]
