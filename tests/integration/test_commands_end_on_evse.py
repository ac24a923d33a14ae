"""For callers that know only the EVSE: what they end, and what they leave alone."""

from typing import Any

import pytest

from app.domain.errors import (
    EvseNotFound,
)
from app.domain.evse_id import parse_evse_id
from app.domain.principal import Principal
from app.domain.status import Kind
from app.domain.temporary_status import State
from app.store.commands.ending import EndOnEvse
from app.store.commands.temporary_statuses import Written
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import (
    ADMIN,
    BOOKING,
    EVSE,
    HOUR,
    MINUTE,
    SENSOR,
    plan,
    register,
    stored,
)
from tests.clock import START, FrozenClock

IN_AN_HOUR, IN_TWO_HOURS = START + HOUR, START + 2 * HOUR


@pytest.fixture(autouse=True)
async def _evses(writer: Writer) -> None:
    await register(writer, EVSE)
    await register(writer, "DE*ABC*E2")


async def end_on_evse(writer: Writer, *, by: Principal = SENSOR, **which: Any) -> list[Written]:
    return await writer.run(EndOnEvse(by, parse_evse_id(EVSE), **which))


async def test_what_is_in_effect_and_mine_is_ended(database: Database, writer: Writer) -> None:
    mine = [await plan(writer), await plan(writer, kind=Kind.RESERVED)]
    await plan(writer, by=BOOKING)
    await plan(writer, valid_from=IN_AN_HOUR)
    await plan(writer, "DE*ABC*E2")
    ended = await end_on_evse(writer)
    assert [written.one.id for written in ended] == [one.id for one in mine]
    rows = await stored(database, "temporary_status")
    assert [row["id"] for row in rows if row["ended_at"] is not None] == [one.id for one in mine]


async def test_only_the_kind_that_is_named_is_ended(writer: Writer) -> None:
    await plan(writer, kind=Kind.RESERVED)
    blocked = await plan(writer, kind=Kind.BLOCKED)
    assert [written.one.id for written in await end_on_evse(writer, kind=Kind.BLOCKED)] == [blocked.id]


async def test_planned_ones_are_ended_when_asked_for(writer: Writer) -> None:
    active, planned = await plan(writer), await plan(writer, valid_from=IN_AN_HOUR)
    await plan(writer, by=BOOKING, valid_from=IN_AN_HOUR)
    ended = await end_on_evse(writer, include_planned=True)
    assert [written.one.id for written in ended] == [active.id, planned.id]
    assert {written.one.state(START) for written in ended} == {State.ENDED}


async def test_an_admin_ends_everybodys(writer: Writer) -> None:
    ones = [await plan(writer, by=by) for by in (SENSOR, BOOKING, ADMIN)]
    ended = await end_on_evse(writer, by=ADMIN)
    assert [written.one.id for written in ended] == [one.id for one in ones]
    assert ended[-1].live == []


async def test_nothing_in_effect_is_nothing_to_end(writer: Writer, clock: FrozenClock) -> None:
    await plan(writer, valid_to=START + MINUTE)
    clock.advance(MINUTE)
    assert await end_on_evse(writer) == []
    with pytest.raises(EvseNotFound):
        await writer.run(EndOnEvse(SENSOR, parse_evse_id("DE*ABC*E404")))


async def test_however_much_is_planned_on_an_evse_what_is_in_effect_can_be_ended(
    database: Database, writer: Writer
) -> None:
    one = await plan(writer)
    (row,) = await stored(database, "temporary_status")
    del row["id"]
    later = [
        row | {"valid_from": START + number * HOUR, "valid_to": START + (number + 1) * HOUR}
        for number in range(1, 33_001)
    ]
    async with database.write() as connection:
        await connection.execute(metadata.tables["temporary_status"].insert(), later)
    assert [written.one.id for written in await end_on_evse(writer, by=ADMIN)] == [one.id]
