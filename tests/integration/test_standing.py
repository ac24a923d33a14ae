"""How a partner stands is one thing for all replicas: who finds out tells the others, and one probe is enough."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.channels.channel import Lane
from app.channels.outcomes import Delivered, NotSent, Refused
from app.domain.partner import Standing
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import plan, register, report, stored
from tests.clock import FrozenClock
from tests.integration.scripted_channel import LIMITS, Rig, ScriptedChannel, add_partner

SITES = [f"DE*ABC*E{number}" for number in range(6)]


class Replica(Rig):
    """A rig on a connection of its own to the database that all share."""

    @property
    def failures(self) -> int:
        return sum(lane.partner.failures for lane in self.dispatcher._lanes.values())


@asynccontextmanager
async def replicas(url: str, clock: FrozenClock, *channels: ScriptedChannel) -> AsyncGenerator[list[Replica]]:
    """A replica for each channel, all with a lane to the one partner, which is owed the fleet but held up."""
    async with AsyncExitStack() as stack:
        started = []
        for channel in channels:
            database = Database(url)
            stack.push_async_callback(database.close)
            writer = Writer(database, clock)
            await writer.start()
            stack.push_async_callback(writer.stop)
            one = Replica(database, clock, writer, channel)
            await one.dispatcher.start()
            stack.push_async_callback(one.dispatcher.stop)
            started.append(one)
        for site in SITES:
            await register(started[0].writer, site)
            await report(started[0].writer, "Available", site)
        await add_partner(started[0].database, clock, "app")
        for one in started:
            clock.advance(timedelta(milliseconds=1))
            one.dispatcher.partners_changed()
            await one.until(lambda one=one: len(one.dispatcher._lanes) == 1)  # type: ignore[misc]  # a lambda's default
        yield started


async def test_the_failure_that_one_replica_meets_holds_all_of_them_back(
    postgresql_url: str, clock: FrozenClock
) -> None:
    here, there = ScriptedChannel(), ScriptedChannel(Lane(in_flight=0))  # says nothing until it is to probe
    here.answer = lambda _said: NotSent("away", timedelta(minutes=1))
    async with replicas(postgresql_url, clock, here, there) as (first, second):
        with capture_logs():
            await first.reconciler.pass_once()
            first.dispatcher.promised()
            await first.until(lambda: first.failures == 1)
            assert second.failures == 0
            clock.advance(timedelta(seconds=1))
            second.dispatcher.partners_changed()
            await second.until(lambda: second.failures == 1)
            await second.quiet()
    assert there.said == []


async def test_one_replica_probes_for_all_and_what_it_finds_out_frees_them(
    postgresql_url: str, clock: FrozenClock
) -> None:
    channel = ScriptedChannel()  # one for both, as the partner sees it
    channel.answer = lambda _said: NotSent("away", timedelta(minutes=1))
    async with replicas(postgresql_url, clock, channel, channel) as rigs:
        with capture_logs():
            await rigs[0].catch_up()
            await rigs[0].until(lambda: rigs[0].failures == 1)
            await rigs[0].quiet()
            clock.advance(timedelta(seconds=1))
            rigs[1].dispatcher.partners_changed()
            await rigs[1].until(lambda: rigs[1].failures == 1)

            hanging = _Hanging()
            channel.answer = hanging
            channel.said.clear()
            clock.advance(timedelta(minutes=2))
            for _ in range(4):
                for rig in rigs:
                    await rig.quiet()
            assert len(channel.said) == 1

            hanging.let_go()
            await rigs[0].until(lambda: len(channel.shown) == len(SITES))
            for rig in rigs:
                clock.advance(timedelta(seconds=1))
                rig.dispatcher.partners_changed()
                await rig.until(lambda rig=rig: rig.failures == 0)  # type: ignore[misc]  # a lambda's default
    (row,) = await _partners(postgresql_url)
    assert (row["lane_token"], row["failures"], row["last_error"]) == (None, 0, None)


async def test_a_replica_that_dies_over_the_probe_leaves_it_to_another_when_its_lease_ends(
    postgresql_url: str, clock: FrozenClock
) -> None:
    here, there = ScriptedChannel(), ScriptedChannel()
    here.answer = lambda _said: NotSent("away", timedelta(minutes=1))
    async with replicas(postgresql_url, clock, here, there) as (first, second):
        with capture_logs():
            await first.catch_up()
            await first.until(lambda: first.failures == 1)
            clock.advance(timedelta(seconds=1))
            second.dispatcher.partners_changed()
            await second.until(lambda: second.failures == 1)

            here.answer = there.answer = _Hanging()
            here.said.clear()
            clock.advance(timedelta(minutes=2))
            await first.until(lambda: bool(here.said or there.said))
            prober, other, told = (first, second, there) if here.said else (second, first, here)
            await prober.die()
            told.answer = lambda _said: Delivered()
            await other.quiet()
            assert told.said == []
            clock.advance(LIMITS.lease + timedelta(seconds=1))
            await other.until(lambda: len(told.shown) == len(SITES))


@pytest.mark.parametrize(("outcome", "standing"), [(NotSent("x"), Standing.FAILING), (Refused("x"), Standing.REFUSING)])
async def test_a_refusal_is_told_from_a_failure_and_both_end_with_a_success(
    database: Database,
    clock: FrozenClock,
    writer: Writer,
    outcome: NotSent | Refused,
    standing: Standing,
) -> None:
    channel = ScriptedChannel()
    channel.answer = lambda _said: outcome
    rig = Replica(database, clock, writer, channel)
    await rig.dispatcher.start()
    with capture_logs():
        await register(writer, SITES[0])
        await plan(writer, SITES[0])
        added = await rig.partner()
        await rig.until(lambda: rig.failures == 1)
        assert rig.dispatcher._lanes[added.id].partner.standing is standing
        assert [bool(row["refused"]) for row in await stored(database, "partner")] == [standing is Standing.REFUSING]
        channel.answer = lambda _said: Delivered()
        clock.advance(LIMITS.back_off_longest)
        await rig.until(lambda: rig.failures == 0)
        assert rig.dispatcher._lanes[added.id].partner.standing is Standing.GOOD
        await rig.dispatcher.stop()


class _Hanging:
    def __init__(self) -> None:
        self._let_go = asyncio.Event()

    async def __call__(self, _said: object) -> Delivered:
        await self._let_go.wait()
        return Delivered()

    def let_go(self) -> None:
        self._let_go.set()


async def _partners(url: str) -> list[dict[str, object]]:
    database = Database(url)
    rows = await stored(database, "partner")
    await database.close()
    return rows
