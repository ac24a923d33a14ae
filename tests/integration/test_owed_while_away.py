"""A partner that was away for two days is owed one thing about each EVSE, and not one for each change."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from shutil import copyfile
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from app.channels.channel import Lane
from app.channels.outcomes import Delivered, NotSent, Outcome, Unknown
from app.domain.evse_id import parse_evse_id
from app.store.commands.evses import Report
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, register
from tests.clock import FrozenClock
from tests.integration.scripted_channel import LIMITS, Rig, Said, ScriptedChannel

TWO_DAYS: Final = timedelta(days=2)
SECOND: Final = timedelta(seconds=1)
IN_FLIGHT: Final = 32
#: What every charger says in turn: never the same twice running, and in the end not what the partner was last told.
WORDS: Final = ("Charging", "Faulted")
_delivery = metadata.tables["delivery"]
_presented = metadata.tables["presented"]


class Fleet:
    """EVSEs that all change at once, a partner that can go away, and another that is paused all the while."""

    def __init__(self, rig: Rig, clock: FrozenClock, channel: ScriptedChannel, size: int) -> None:
        self.rig = rig
        self.clock = clock
        self.channel = channel
        self.size = size
        self._evse_ids = [parse_evse_id(f"DE*ABC*E{number}") for number in range(1, size + 1)]

    async def arrive(self) -> None:
        """Have the partner told of everything, and the paused one of nothing."""
        await asyncio.gather(*(register(self.rig.writer, one.written) for one in self._evse_ids))
        await self.report("Available")
        await self.rig.partner("paused", paused=True)
        await self.rig.partner("app")
        self.clock.advance(SECOND)
        await self.until_nothing_is_due()
        assert self.told() == Counter(range(1, self.size + 1))

    async def report(self, word: str) -> None:
        """Have every charger say `word`, and everybody owed what that comes to."""
        waiting = [self.rig.writer.submit(Report(by=ADMIN, evse_id=one, reported=word)) for one in self._evse_ids]
        await asyncio.gather(*waiting)
        await self.rig.catch_up()

    def told(self) -> Counter[int]:
        """How often each EVSE was spoken of since this was last asked."""
        said = Counter(one.evse for one in self.channel.said)
        self.channel.said.clear()
        return said

    async def until_nothing_is_due(self) -> None:
        due = (_delivery.c.next_at <= self.clock.now(), _delivery.c.partner.in_(_partners(paused=False)))

        async def none() -> bool:
            return await self.rows(*due) == 0

        await self.rig.until(none, within=600)

    async def until_tried(self, absence: "Absence", asked: int) -> None:
        """Wait until the partner was asked in vain this often in all, and that is stored."""

        async def tried() -> bool:
            return absence.asked >= asked and await self.rows(_delivery.c.in_flight) == 0

        await self.rig.until(tried, within=60)

    async def rows(self, *conditions: Any) -> int:
        return await self._one(select(func.count()).select_from(_delivery).where(*conditions))

    async def suspects(self) -> Counter[int]:
        async with self.rig.database.read() as connection:
            return Counter((await connection.execute(select(_delivery.c.evse).where(_delivery.c.suspect))).scalars())

    async def fewest_changes(self) -> int:
        return await self._one(select(func.min(_presented.c.version)))

    async def _one(self, query: Any) -> int:
        async with self.rig.database.read() as connection:
            number: int = (await connection.execute(query)).scalar_one()
            return number


def _partners(*, paused: bool) -> Any:
    partner = metadata.tables["partner"]
    return select(partner.c.id).where(partner.c.paused.is_(paused))


class Absence:
    """How a partner is away: what was under way is never answered, and then it is mostly out of reach."""

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, _said: Said) -> Outcome:
        self.asked += 1
        hangs = self.asked <= IN_FLIGHT or self.asked % 10 == 0
        return Unknown("no answer within 10 s") if hangs else NotSent("could not connect")


@asynccontextmanager
async def fleet(database: Database, clock: FrozenClock, writer: Writer, size: int) -> AsyncGenerator[Fleet]:
    channel = ScriptedChannel(Lane(in_flight=IN_FLIGHT))
    rig = Rig(database, clock, writer, channel)
    await rig.dispatcher.start()
    try:
        yield Fleet(rig, clock, channel, size)
    finally:
        await rig.dispatcher.stop()


async def away_for_two_days(one: Fleet, changes: int) -> None:
    """Count rows all along, requests while away, and requests once the partner is back."""
    await one.arrive()
    before = await one.fewest_changes()

    absence = Absence()
    one.channel.answer = absence.answer
    for number in range(changes):
        one.clock.advance(TWO_DAYS / changes)
        await one.report(WORDS[number % len(WORDS)])
        await one.until_tried(absence, IN_FLIGHT + number)
        assert await one.rows() == 2 * one.size
    assert await one.fewest_changes() >= before + changes
    await one.rig.quiet()
    assert absence.asked == IN_FLIGHT + changes - 1  # after the first, one a round asks whether the partner is back

    one.told()
    one.channel.answer = lambda _said: Delivered("ok")
    one.clock.advance(LIMITS.back_off_longest)
    await one.until_nothing_is_due()
    assert one.told() == Counter(range(1, one.size + 1))
    suspects = await one.suspects()
    assert IN_FLIGHT <= len(suspects) < one.size
    one.clock.advance(LIMITS.settle)
    await one.until_nothing_is_due()
    assert one.told() == suspects

    await one.rig.change("paused", paused=False)
    await one.until_nothing_is_due()
    assert one.told() == Counter(range(1, one.size + 1))
    assert set(one.channel.shown.values()) == {"OUTOFORDER"}
    assert len(one.channel.shown) == 2 * one.size
    assert await one.rows() == 2 * one.size
    assert await one.rows(_delivery.c.next_at.is_not(None) | _delivery.c.suspect | _delivery.c.in_flight) == 0


async def test_a_partner_that_was_away_gets_one_request_for_each_evse_and_one_more_for_each_suspect(
    database: Database, clock: FrozenClock, writer: Writer
) -> None:
    async with fleet(database, clock, writer, 300) as one:
        await away_for_two_days(one, 20)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_two_days_away_from_5000_evses_that_change_200_times_cost_5000_requests_and_not_a_million(
    sqlite_template: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    """A million changes through the writer, the reconciler and the lanes of two partners, one away and one paused.

    Counted are the rows of what is owed, after every round of changes: 5,000 a partner; the requests while away: one
    wave, then one a round; and those on return: 5,000, and one more for each row of which a request was never answered.
    """
    database = Database(f"sqlite:///{copyfile(sqlite_template, tmp_path / 'evse-status.db')}")
    writer = Writer(database, clock)
    await writer.start()
    try:
        async with fleet(database, clock, writer, 5000) as one:
            await away_for_two_days(one, 200)
    finally:
        await writer.stop()
        await database.close()
