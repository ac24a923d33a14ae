"""Full loads when clocks step, replicas freeze, and somebody changes things while one is being made."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select

from app.channels.channel import Message
from app.channels.oicp.answers import Judgement
from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.connection import OicpConnection
from app.channels.oicp.simulator import Hub
from app.channels.oicp.wire import ActionType, PushEvseStatus
from app.channels.outcomes import Apart, Delivered, NotSent, Outcome, Rejected, Replaced, Unknown
from app.domain.delivery import Aspect
from app.domain.errors import PartnerNotFound
from app.domain.full_load import FullLoad
from app.domain.partner import Partner
from app.domain.status import Kind
from app.schedule.bundling import Bundling
from app.schedule.full_loads import FullLoads
from app.store import deliveries, full_loads, partners
from app.store.tables import metadata
from tests.builders import HOUR, MINUTE, end, plan, register, report, stored
from tests.clock import FrozenClock
from tests.integration.scripted_channel import LIMITS, Rig, add_partner
from tests.integration.test_full_loads import (
    ALL,
    ME,
    ONE,
    TWO,
    _failed,
    actions,
    ask,
    hub,
    hubject,
    in_time,
    loads,
    look_again,
    rig,
    settled,
)

__all__ = ["hub", "rig"]  # fixtures
SECOND = timedelta(seconds=1)
YEARS = timedelta(days=3653)


def replacing(monkeypatch: pytest.MonkeyPatch, how: Callable[[list[Message]], Awaitable[Replaced]]) -> None:
    async def replace_all(_: OicpConnection, messages: list[Message]) -> Replaced:
        return await how(messages)

    monkeypatch.setattr(OicpConnection, "replace_all", replace_all)


async def standing(rig: Rig, partner: Partner) -> FullLoad:
    load = await loads(rig, partner)
    assert load is not None
    return load


# Clocks


async def test_one_that_was_asked_for_by_a_clock_that_was_ahead_is_made_once(rig: Rig, hub: Hub) -> None:
    async with hubject(rig, hub) as partner:
        async with rig.database.write() as connection:
            await full_loads.ask(connection, partner.id, "test", rig.clock.now() + YEARS, forced=True)
        look_again(rig)
        await rig.until(lambda: bool(actions(hub)))
        for _ in range(5):
            look_again(rig)
            await rig.quiet()
        assert actions(hub) == ["fullLoad"]


@pytest.mark.parametrize("step", [YEARS, -YEARS])
async def test_a_doubt_outlives_a_step_of_the_clock(rig: Rig, hub: Hub, clock: FrozenClock, step: timedelta) -> None:
    async with hubject(rig, hub) as partner:
        hub.fault = "cut"
        await ask(rig, partner)
        await rig.until(lambda: _failed(rig, partner))
        hub.fault = None
        clock.set(clock.now() + step)
        await rig.catch_up()
        for _ in range(10):
            clock.advance(2 * SECOND)
            await rig.quiet()
        hub.shown.clear()  # what was lost is applied now, half a minute after it was sent
        await in_time(rig, lambda: hub.shown == dict.fromkeys(ALL, "Available"))
        assert (await standing(rig, partner)).doubtful_until is None


# Replicas


async def test_a_replica_that_stood_still_before_it_sent_its_load_does_not_send_it(
    rig: Rig, hub: Hub, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, gate, frozen = FullLoads._begin, asyncio.Event(), asyncio.Event()

    async def freezing(loads: FullLoads, count: int) -> Any:
        began = await begin(loads, count)
        if not frozen.is_set():
            frozen.set()
            await gate.wait()
        return began

    monkeypatch.setattr(FullLoads, "_begin", freezing)
    async with hubject(rig, hub) as partner, asyncio.timeout(60):
        await ask(rig, partner)
        await frozen.wait()
        other = Rig(rig.database, clock, rig.writer, OicpChannel())
        await other.dispatcher.start()
        try:
            clock.advance(LIMITS.lease + SECOND)
            await settled(other, partner)
            await plan(rig.writer, ONE, kind=Kind.BLOCKED)
            await other.catch_up()
            await other.until(lambda: hub.shown.get(ONE) == "Occupied")
            sent = len(actions(hub))
            gate.set()
            await other.quiet()
            assert len(actions(hub)) == sent
            assert hub.shown[ONE] == "Occupied"
        finally:
            gate.set()
            await other.dispatcher.stop()


async def test_a_replica_that_stood_still_after_its_load_was_answered_takes_nothing_back(
    rig: Rig, hub: Hub, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Available, Occupied, Available: by what was acknowledged alone it could not be told that something happened."""
    replace_all, gate, frozen = OicpConnection.replace_all, asyncio.Event(), asyncio.Event()

    async def freezing(connection: OicpConnection, messages: list[Message]) -> Replaced:
        replaced = await replace_all(connection, messages)
        if not frozen.is_set():
            frozen.set()
            await gate.wait()
        return replaced

    monkeypatch.setattr(OicpConnection, "replace_all", freezing)
    async with hubject(rig, hub) as partner, asyncio.timeout(60):
        first = await plan(rig.writer, ONE, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(lambda: hub.shown.get(ONE) == "Occupied")
        await rig.quiet()
        await end(rig.writer, first)
        await ask(rig, partner)
        await rig.reconciler.pass_once()
        await frozen.wait()
        other = Rig(rig.database, clock, rig.writer, OicpChannel())
        await other.dispatcher.start()
        try:
            clock.advance(LIMITS.lease + SECOND)
            await settled(other, partner)
            second = await plan(rig.writer, ONE, kind=Kind.BLOCKED)
            await other.catch_up()
            await other.until(lambda: hub.shown.get(ONE) == "Occupied")
            await other.quiet()
            gate.set()
            await other.quiet()
            await end(rig.writer, second)
            await in_time(other, lambda: hub.shown[ONE] == "Available")
        finally:
            gate.set()
            await other.dispatcher.stop()


@pytest.mark.parametrize("change", [{"paused": True}, {"configuration": {"ownsAllStatuses": False}}])
async def test_none_is_made_once_the_partner_is_paused_or_no_longer_ours_to_replace(
    rig: Rig, hub: Hub, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    read, gate, reading = FullLoads._all_there_is, asyncio.Event(), asyncio.Event()

    async def slowly(loads: FullLoads) -> Any:
        found = await read(loads)
        reading.set()
        await gate.wait()
        return found

    monkeypatch.setattr(FullLoads, "_all_there_is", slowly)
    async with hubject(rig, hub) as partner, asyncio.timeout(60):
        await ask(rig, partner)
        await reading.wait()
        if "configuration" in change:
            change = {"configuration": partner.configuration | change["configuration"]}
        await rig.change("hub", **change)
        gate.set()
        for _ in range(3):
            look_again(rig)
            await rig.quiet()
    assert actions(hub) == []


async def test_one_that_is_asked_for_when_the_partner_was_just_removed_is_refused(rig: Rig, hub: Hub) -> None:
    async with hubject(rig, hub) as partner:
        await rig.dispatcher.stop()
        async with rig.database.write() as connection:
            await partners.remove(connection, "hub", rig.clock.now(), "test")
        with pytest.raises(PartnerNotFound):
            async with rig.database.write() as connection:
                await full_loads.ask(connection, partner.id, "test", rig.clock.now(), forced=False)


# What is in it


async def test_one_that_is_asked_for_right_after_a_partner_was_added_waits_until_all_evses_are_known_for_it(
    rig: Rig, hub: Hub, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.schedule.reconcile.CHUNK", 10)
    async with hubject(rig, hub, operatorId="DE*XYZ"):  # a socket, and EVSEs that are of no concern
        url = (await stored(rig.database, "partner"))[0]["configuration"]["baseUrl"]
    fleet = [f"DE*ABC*E5{number}" for number in range(60)]
    for evse_id in fleet:
        await register(rig.writer, evse_id)
        await report(rig.writer, "Available", evse_id)
    await rig.catch_up()
    good = OicpChannel().accept({"baseUrl": url, "operatorId": "DE*ABC", "ownsAllStatuses": True})
    told: dict[str, Any] = {"configuration": good.configuration, "audience": good.audience, "tells_fleet": False}
    partner = await add_partner(rig.database, clock, "new", channel="oicp", **told)
    made: list[int] = []

    async def counted(messages: list[Message]) -> Replaced:
        made.append(len(messages))
        return Replaced(Delivered("ok"))

    replacing(monkeypatch, counted)
    rig.dispatcher.partners_changed()
    await rig.until(lambda: partner.id in rig.dispatcher._lanes)
    await rig.reconciler._introduce()
    await rig.reconciler._chunk()  # one of several: reconcile is in the midst of it
    await ask(rig, partner)
    await rig.quiet()
    assert made == []
    await rig.catch_up()
    look_again(rig)
    await rig.until(lambda: bool(made))
    assert made == [len(fleet) + len(ALL)]


async def test_what_it_left_out_is_told_when_it_shows_again_what_was_acknowledged_before(rig: Rig, hub: Hub) -> None:
    hub.known = {*ALL}
    async with hubject(rig, hub) as partner:
        first = await plan(rig.writer, ONE, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(lambda: hub.shown.get(ONE) == "Occupied")
        await rig.quiet()
        hub.known.discard(ONE)  # its EvseData is taken away over there
        await end(rig.writer, first)
        await rig.catch_up()
        await rig.quiet()
        await ask(rig, partner)
        await settled(rig, partner)
        assert ONE not in hub.shown
        hub.known.add(ONE)  # and is published anew
        await plan(rig.writer, ONE, kind=Kind.BLOCKED)
        await in_time(rig, lambda: hub.shown.get(ONE) == "Occupied")


async def test_an_evse_that_a_dead_replica_was_telling_does_not_make_it_fail_again_and_again(
    rig: Rig, hub: Hub, clock: FrozenClock
) -> None:
    hub.known = {ONE, ME}
    async with hubject(rig, hub) as partner:
        two = (await register(rig.writer, TWO)).id
        orphan = {"in_flight": True, "token": "dead", "lease_until": clock.now() - SECOND, "acked_digest": ""}
        async with rig.database.write() as connection:
            await deliveries.settle(
                connection,
                [(partner.id, two, Aspect.STATUS)],
                lambda row: msgspec.structs.replace(row, **orphan, next_at=clock.now()),
            )
            await full_loads.ask(connection, partner.id, "test", clock.now(), forced=False)
        look_again(rig)
        await settled(rig, partner)
        assert actions(hub).count("fullLoad") == 2


async def test_more_may_be_named_than_fit_into_a_statement(rig: Rig, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    async def refused(messages: list[Message]) -> Replaced:
        made.append(len(messages))
        return Replaced(Rejected("603", retry_slowly=True), frozenset(range(len(messages))))

    replacing(monkeypatch, refused)
    many = 11_000
    async with hubject(rig, hub) as partner:
        async with rig.database.write() as connection:
            for name, of in (("evse", "id"), ("presented", "evse"), ("delivery", "evse")):
                table = metadata.tables[name]
                like = dict((await connection.execute(select(table).limit(1))).mappings().one())
                rows = [{**like, of: 1000 + number} for number in range(many)]
                if name == "evse":
                    for row in rows:
                        row.update(
                            uid=f"u{row['id']}", evse_id=f"DE*ABC*E7{row['id']}", evse_id_key=f"DEABCE7{row['id']}"
                        )
                await connection.execute(insert(table), rows)
        await ask(rig, partner)
        await rig.until(lambda: bool(made), within=60)
        load = await _given_up(rig, partner)
    assert made == [many + len(ALL)]
    assert "it would be empty" in str(load.last_error)


async def _given_up(rig: Rig, partner: Partner) -> FullLoad:
    """Settle it, letting it be tried as often as it is wanted."""

    async def is_settled() -> bool:
        look_again(rig)
        return (await standing(rig, partner)).asked_at is None

    await rig.until(is_settled, within=60)
    return await standing(rig, partner)


# News beside it


async def test_news_are_told_between_loads_that_are_refused_for_one_evse_after_another(
    rig: Rig, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    deliver, owed = OicpConnection.deliver, asyncio.Event()

    async def refused(messages: list[Message]) -> Replaced:
        order.append("load")
        if len(order) > 1:
            await owed.wait()
        return Replaced(Rejected("603", retry_slowly=True), frozenset({0}) if len(messages) > 1 else frozenset())

    async def noted(connection: OicpConnection, message: Message) -> Any:
        order.append("news")
        return await deliver(connection, message)

    replacing(monkeypatch, refused)
    monkeypatch.setattr(OicpConnection, "deliver", noted)
    async with hubject(rig, hub) as partner:
        for number in range(20):
            await register(rig.writer, f"DE*ABC*E0{number}")
        await rig.catch_up()
        await rig.until(lambda: len(hub.shown) == 20)
        order.clear()
        await ask(rig, partner)
        await rig.until(lambda: len(order) > 1)
        await plan(rig.writer, ME, kind=Kind.BLOCKED)
        await rig.catch_up()
        owed.set()
        await rig.until(lambda: "news" in order)
        assert order[:3] == ["load", "load", "news"]


async def test_one_that_fails_every_time_is_not_made_all_the_time(
    rig: Rig, hub: Hub, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    async def lost(_messages: list[Message]) -> Replaced:
        made.append(clock.advance(10 * SECOND))
        return Replaced(Unknown("no answer within 10 s"))

    replacing(monkeypatch, lost)
    async with hubject(rig, hub) as partner:
        await ask(rig, partner)
        await rig.until(lambda: bool(made))
        until = clock.now() + HOUR
        while clock.now() < until:
            clock.advance(2 * MINUTE)
            await rig.quiet()
        assert 1 < len(made) <= 5
        assert (await standing(rig, partner)).asked_at is None  # given up until the next day


async def test_a_parked_evse_does_not_keep_one_that_failed_from_being_tried_again(
    rig: Rig, hub: Hub, clock: FrozenClock
) -> None:
    hub.known = {ONE, ME}
    async with hubject(rig, hub) as partner:
        await plan(rig.writer, TWO, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(lambda: bool(hub.received))
        await rig.quiet()
        hub.fault = "500"
        await ask(rig, partner)
        await rig.until(lambda: _failed(rig, partner))
        hub.fault = None
        for _ in range(10):
            clock.advance(MINUTE)
            await rig.quiet()
        assert (await standing(rig, partner)).accepted_count == 2


async def test_news_do_not_queue_behind_everything_that_is_told_anew(rig: Rig, hub: Hub, clock: FrozenClock) -> None:
    async with hubject(rig, hub, largestBundle=1) as partner:
        for number in range(100):
            await register(rig.writer, f"DE*ABC*E5{number:03}")
        await rig.catch_up()
        await rig.until(lambda: len(hub.shown) == 100, within=30)
        await rig.quiet()
        hub.received.clear()
        async with rig.database.write() as connection:
            await full_loads.owe_everything(connection, partner.id, clock.now(), over=4 * MINUTE)
        clock.advance(SECOND)
        await plan(rig.writer, "DE*ABC*E5099", kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(lambda: hub.shown.get("DE*ABC*E5099") == "Occupied", within=30)
        assert [one.evse_id for one in hub.received].index("DE*ABC*E5099") < 10
        clock.advance(5 * MINUTE)
        await rig.catch_up()
        await rig.until(lambda: len({one.evse_id for one in hub.received}) == 100 + len(ALL), within=60)


async def test_what_was_left_out_of_a_request_does_not_free_a_partner_that_asks_us_to_wait(
    rig: Rig, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    async def send(_: OicpConnection, push: PushEvseStatus) -> Judgement:
        sent.append(push.action_type)
        if push.action_type is ActionType.UPDATE:
            return Judgement(Rejected("009", retry_slowly=True), "009", ONE)
        return Judgement(NotSent("429", timedelta(seconds=60)))

    monkeypatch.setattr(OicpConnection, "_send", send)
    monkeypatch.setattr(Bundling, "size", lambda _self, backlog, _now: min(backlog, 100))
    async with hubject(rig, hub):
        for one in ALL:
            await plan(rig.writer, one, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(lambda: len(sent) > 1)
        for _ in range(3):
            await rig.quiet()
    assert len(sent) <= 4


async def test_while_another_replica_has_the_lane_it_is_not_asked_for_all_the_time(
    rig: Rig, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    do = FullLoads.do

    async def counted(loads: FullLoads) -> Partner | None:
        nonlocal tries
        tries += 1
        return await do(loads)

    monkeypatch.setattr(FullLoads, "do", counted)
    async with hubject(rig, hub) as partner:
        async with rig.database.write() as connection:
            await deliveries.release_lane(connection, partner.id, rig.dispatcher._lanes[partner.id]._token)
            assert await deliveries.take_lane(connection, partner.id, "another", rig.clock.now(), LIMITS.lease)
        await ask(rig, partner)
        await rig.until(lambda: tries > 0)
        await rig.quiet()
        assert tries == 1


async def test_news_are_told_while_one_waits_for_an_evse_to_be_looked_at(rig: Rig, hub: Hub) -> None:
    async with hubject(rig, hub) as partner:
        await register(rig.writer, "DE*ABC*E4")  # and nobody looks at it
        await ask(rig, partner)
        async with rig.database.write() as connection:
            assert await partners.resend(connection, partner, 1, rig.clock.now())
        await rig.until(lambda: ONE in hub.shown, within=10)
        assert "fullLoad" not in actions(hub)


async def test_how_a_bundle_went_is_learned_of_it_as_one_request_also_where_news_came_meanwhile(
    rig: Rig, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, answered = asyncio.Event(), asyncio.Event()
    learned: list[int] = []
    monkeypatch.setattr(Bundling, "size", lambda _self, backlog, _now: min(max(backlog, 1), 100))
    monkeypatch.setattr(Bundling, "learn", lambda _self, said, _seconds: learned.append(len(said)))

    async def deliver_together(_: OicpConnection, messages: list[Message]) -> list[Outcome]:
        under_way.set()
        await answered.wait()
        return [Apart("refused without saying for which") for _ in messages]

    monkeypatch.setattr(OicpConnection, "deliver_together", deliver_together)
    async with hubject(rig, hub) as partner:
        lane = rig.dispatcher._lanes[partner.id]
        await plan(rig.writer, ONE, kind=Kind.BLOCKED)
        await plan(rig.writer, TWO, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(under_way.is_set)
        lane._requests._takes = 0.01  # it has answered quickly so far
        await plan(rig.writer, ME, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.quiet()
        answered.set()
        await rig.until(lambda: bool(learned))
        assert learned[0] == 2
