"""Everything that Hubject has of an operator replaced at once: when, with what, and what comes after it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.simulator import Hub
from app.clock import SystemClock
from app.demo.listening import listening
from app.domain.delivery import Aspect
from app.domain.full_load import PUT_OFF, FullLoad
from app.domain.partner import Partner
from app.domain.status import DeploymentState, Kind
from app.store import deliveries, full_loads
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import MINUTE, end, plan, register, report, stored
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import LIMITS, Rig

THREE = timedelta(hours=19)  #: from the tests' beginning, 08:00, to three in the night
ONE, TWO, ME = "DE*ABC*E1", "DE*ABC*E2", "DE*ABC*E3"
ALL = (ONE, TWO, ME)


@pytest.fixture
def hub() -> Hub:
    return Hub(SystemClock())


@pytest.fixture
async def rig(database: Database, clock: FrozenClock, writer: Writer) -> AsyncGenerator[Rig]:
    rig = Rig(database, clock, writer, OicpChannel())
    await rig.dispatcher.start()
    yield rig
    await rig.dispatcher.stop()


@asynccontextmanager
async def hubject(rig: Rig, hub: Hub, **configuration: Any) -> AsyncGenerator[Partner]:
    """A partner that owns all statuses at `hub`, and three EVSEs that are available."""
    for evse_id in ALL:
        await register(rig.writer, evse_id)
        await report(rig.writer, "Available", evse_id)
    await rig.catch_up()  # before there is a partner, so that it is told of none of it
    async with listening(hub.app) as url:
        raw = {"baseUrl": url, "operatorId": "DE*ABC", "ownsAllStatuses": True} | configuration
        good = OicpChannel().accept(raw)
        partner = await rig.partner(
            "hub", channel="oicp", configuration=good.configuration, audience=good.audience, tells_fleet=False
        )
        await rig.until(lambda: _knows(rig, partner))
        yield partner


async def _knows(rig: Rig, partner: Partner) -> bool:
    return await loads(rig, partner) is not None


async def loads(rig: Rig, partner: Partner) -> FullLoad | None:
    async with rig.database.read() as connection:
        return await full_loads.find(connection, partner.id)


async def ask(rig: Rig, partner: Partner, *, forced: bool = False) -> None:
    async with rig.database.write() as connection:
        await full_loads.ask(connection, partner.id, "test", rig.clock.now(), forced=forced)
    look_again(rig)


def look_again(rig: Rig) -> None:
    assert isinstance(rig.clock, FrozenClock)
    rig.clock.advance(timedelta(seconds=1.5))


async def settled(rig: Rig, partner: Partner) -> FullLoad:
    """Wait until nobody wants a load, and nothing is owed; return how they stand."""
    found: list[FullLoad] = []

    async def is_settled() -> bool:
        load = await loads(rig, partner)
        assert load is not None
        found.append(load)
        return load.asked_at is None and load.began_at is None

    await rig.until(is_settled)
    return found[-1]


async def in_time(rig: Rig, holds: Callable[[], bool], *, within: timedelta = timedelta(minutes=10)) -> None:
    """Let time pass until something holds: everything is told anew one after the other."""
    assert isinstance(rig.clock, FrozenClock)
    over = rig.clock.now() + within
    while not holds() and rig.clock.now() < over:
        rig.clock.advance(timedelta(seconds=20))
        await rig.catch_up()
        await rig.quiet()
    await rig.until(holds, within=60)  # however slow the machine is


async def another_pushed(hub: Hub, partner: Partner, evse_id: str) -> None:
    """Push a status as somebody else did, and have Hubject forget that it was not us."""
    record = {"EvseID": evse_id, "EvseStatus": "Available"}
    push = {"ActionType": "insert", "OperatorEvseStatus": {"OperatorID": "DE*ABC", "EvseStatusRecord": [record]}}
    async with httpx.AsyncClient() as client:
        path = "/api/oicp/evsepush/v21/operators/DE%2AABC/status-records"
        answer = await client.post(partner.configuration["baseUrl"] + path, json=push)
    assert answer.json()["Result"] is True
    hub.received.clear()


def actions(hub: Hub) -> list[str]:
    return [action for action, _ in dict.fromkeys((one.action, one.at) for one in hub.received)]


async def test_everything_is_replaced_daily_at_its_time(rig: Rig, hub: Hub, clock: FrozenClock) -> None:
    async with hubject(rig, hub) as partner:
        await another_pushed(hub, partner, "DE*ABC*E9")  # a charger that is long gone
        await plan(rig.writer, TWO, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(lambda: hub.shown.get(TWO) == "Occupied")
        assert actions(hub) == ["update"]

        clock.set(START + THREE - timedelta(seconds=2))
        clock.advance(timedelta(seconds=1))
        await rig.quiet()
        assert actions(hub) == ["update"]

        clock.advance(timedelta(seconds=2))
        await rig.until(lambda: "fullLoad" in actions(hub))
        assert hub.shown == {ONE: "Available", TWO: "Occupied", ME: "Available"}
        load = await settled(rig, partner)
        assert (load.accepted_count, load.last_error) == (3, None)
        clock.advance(timedelta(hours=23))
        await rig.quiet()
        clock.advance(timedelta(hours=1))
        await rig.until(lambda: actions(hub).count("fullLoad") == 2)
    assert hub.wrong == []


async def test_where_others_push_too_nothing_is_ever_replaced(rig: Rig, hub: Hub, clock: FrozenClock) -> None:
    async with listening(hub.app) as url:
        good = OicpChannel().accept({"baseUrl": url, "operatorId": "DE*ABC"})
        partner = await rig.partner("hub", channel="oicp", configuration=good.configuration, audience=good.audience)
        await ask(rig, partner)
        clock.advance(3 * THREE)
        await rig.quiet()
    assert hub.received == []


async def test_it_says_what_is_shown_and_leaves_out_what_is_not_shared(rig: Rig, hub: Hub) -> None:
    async with hubject(rig, hub) as partner:
        await register(rig.writer, TWO, deployment=DeploymentState.STOCK)
        await register(rig.writer, ME, deployment=DeploymentState.DEPRECATED)
        await register(rig.writer, "DE*XYZ*E1")
        await plan(rig.writer, ONE, kind=Kind.MAINTENANCE)
        await rig.catch_up()
        await ask(rig, partner)
        assert (await settled(rig, partner)).accepted_count == 1
        await rig.quiet()
    assert hub.shown == {ONE: "OutOfService"}
    assert hub.wrong == []


async def test_what_begins_and_ends_around_it_is_right_afterwards(rig: Rig, hub: Hub) -> None:
    """Also what went back meanwhile to the word that was acknowledged before: the load said another one."""
    async with hubject(rig, hub) as partner:
        first = await plan(rig.writer, ONE, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(lambda: hub.shown.get(ONE) == "Occupied")
        hub.delay = 0.5
        await plan(rig.writer, ME, kind=Kind.MAINTENANCE)
        await rig.catch_up()
        await rig.until(lambda: hub.received[-1].evse_id == ME)
        # While the lane is busy with that one, so that the load is what comes next:
        await end(rig.writer, first)
        await ask(rig, partner)
        await rig.catch_up()
        await rig.until(lambda: "fullLoad" in actions(hub))
        # While the load, in which ONE is available, is under way:
        await plan(rig.writer, ONE, kind=Kind.BLOCKED)
        await plan(rig.writer, TWO, kind=Kind.RESERVED)
        await rig.catch_up()
        await settled(rig, partner)
        await rig.until(lambda: hub.shown == {ONE: "Occupied", TWO: "Reserved", ME: "OutOfService"})
        assert ("fullLoad", ONE, "Available") in [(one.action, one.evse_id, one.status) for one in hub.received]
    assert hub.wrong == []


async def test_what_hubject_does_not_know_is_left_out_and_parked(rig: Rig, hub: Hub, clock: FrozenClock) -> None:
    hub.known = {ONE, ME}
    async with hubject(rig, hub) as partner:
        await ask(rig, partner)
        assert (await settled(rig, partner)).accepted_count == 2
        assert hub.shown == {ONE: "Available", ME: "Available"}
        assert actions(hub) == ["fullLoad", "fullLoad"]
        await rig.quiet()
        assert [row["rejected_version"] is not None for row in await stored(rig.database, "delivery")] == [
            False,
            True,
            False,
        ]

        # Published at last, it is tried again slowly, and is in the next load.
        hub.known.add(TWO)
        clock.advance(LIMITS.retry_slowly + MINUTE)
        await rig.catch_up()
        await rig.until(lambda: hub.shown.get(TWO) == "Available")
        await ask(rig, partner)
        assert (await settled(rig, partner)).accepted_count == 3


async def test_where_hubject_does_not_say_which_it_misses_each_is_told_to_find_out(
    rig: Rig, hub: Hub, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.channels.oicp.bundle.named", lambda *_: set())
    hub.known = {ONE, ME}
    async with hubject(rig, hub) as partner:
        await ask(rig, partner)
        await rig.until(lambda: "fullLoad" in actions(hub))
        await in_time(rig, lambda: actions(hub).count("update") == 3)
        assert actions(hub).count("fullLoad") == 1
        clock.advance(PUT_OFF)
        assert (await settled(rig, partner)).accepted_count == 2
    assert hub.shown == {ONE: "Available", ME: "Available"}
    assert hub.wrong == []


async def test_one_that_is_suspiciously_small_is_not_made_unless_it_is_forced(rig: Rig, hub: Hub) -> None:
    async with hubject(rig, hub) as partner:
        await ask(rig, partner)
        await settled(rig, partner)
        for evse_id in (ONE, TWO):
            await register(rig.writer, evse_id, deployment=DeploymentState.STOCK)
        await rig.catch_up()
        await rig.until(lambda: hub.shown == {ME: "Available"})
        await ask(rig, partner)
        load = await settled(rig, partner)
        assert load.last_error == "it has 1 EVSEs, the last one had 3; ask for it with force if that is meant"
        assert actions(hub).count("fullLoad") == 1

        await ask(rig, partner, forced=True)
        assert (await settled(rig, partner)).accepted_count == 1
        assert actions(hub).count("fullLoad") == 2


async def test_an_empty_one_deletes_everything_only_by_force(rig: Rig, hub: Hub) -> None:
    async with hubject(rig, hub) as partner:
        for evse_id in ALL:
            await register(rig.writer, evse_id, deployment=DeploymentState.STOCK)
        await rig.catch_up()
        await another_pushed(hub, partner, "DE*ABC*E9")
        await ask(rig, partner)
        assert "it would be empty" in str((await settled(rig, partner)).last_error)
        assert "DE*ABC*E9" in hub.shown
        await ask(rig, partner, forced=True)
        assert (await settled(rig, partner)).accepted_count == 0
        assert hub.shown == {}


async def test_one_that_may_come_late_is_followed_by_everything_once_more(
    rig: Rig, hub: Hub, clock: FrozenClock
) -> None:
    async with hubject(rig, hub) as partner:
        hub.fault = "cut"
        await ask(rig, partner)
        await rig.until(lambda: bool(hub.received))
        await rig.until(lambda: _failed(rig, partner))
        hub.fault = None
        clock.advance(MINUTE)
        await rig.quiet()
        assert actions(hub).count("fullLoad") == 1
        await ask(rig, partner)  # somebody does not want to wait until it is tried again
        await rig.until(lambda: actions(hub).count("fullLoad") == 2)
        assert (await settled(rig, partner)).doubtful_until is not None
        # What the first of them would do, were it applied only now.
        hub.shown.clear()
        await in_time(rig, lambda: hub.shown == dict.fromkeys(ALL, "Available"))
        assert (await settled(rig, partner)).doubtful_until is None


async def test_one_whose_answer_was_lost_is_tried_again_after_a_while(rig: Rig, hub: Hub, clock: FrozenClock) -> None:
    async with hubject(rig, hub) as partner:
        hub.fault = "cut"
        await ask(rig, partner)
        await rig.until(lambda: _failed(rig, partner))
        hub.fault = None
        clock.advance(PUT_OFF)
        await rig.until(lambda: actions(hub).count("fullLoad") == 2)
        assert (await settled(rig, partner)).accepted_count == 3
    assert hub.wrong == []


async def _failed(rig: Rig, partner: Partner) -> bool:
    load = await loads(rig, partner)
    return load is not None and load.began_at is None and load.last_error is not None


async def test_whoever_finds_one_that_was_begun_by_another_that_is_gone_holds_it_for_possible(
    rig: Rig, hub: Hub, clock: FrozenClock
) -> None:
    async with hubject(rig, hub) as partner:
        async with rig.database.write() as connection:
            await full_loads.change(connection, partner.id, clock.now(), lambda load: load.begun(clock.now()))
        look_again(rig)

        async def is_doubted() -> bool:
            load = await loads(rig, partner)
            return load is not None and load.began_at is None and load.doubtful_until == clock.now() + LIMITS.settle

        await rig.until(is_doubted)
        await in_time(rig, lambda: hub.shown == dict.fromkeys(ALL, "Available"))


async def test_while_another_replica_has_the_lane_none_is_made(rig: Rig, hub: Hub, clock: FrozenClock) -> None:
    async with hubject(rig, hub) as partner:
        async with rig.database.write() as connection:
            assert await deliveries.take_lane(connection, partner.id, "other", clock.now(), LIMITS.lease)
        await ask(rig, partner)
        await rig.quiet()
        assert hub.received == []
        clock.advance(LIMITS.lease)
        await settled(rig, partner)
        assert actions(hub) == ["fullLoad"]


async def test_a_partner_that_is_away_gets_it_when_it_is_back(rig: Rig, hub: Hub, clock: FrozenClock) -> None:
    async with hubject(rig, hub) as partner:
        hub.fault = "429"
        await ask(rig, partner)
        await rig.until(lambda: _failed(rig, partner))
        await rig.quiet()
        assert len(actions(hub)) == 1
        hub.fault = None
        clock.advance(MINUTE)
        assert (await settled(rig, partner)).accepted_count == 3
        assert (await settled(rig, partner)).doubtful_until is None


async def test_what_was_doubtful_before_it_is_told_once_more_after_it(rig: Rig, hub: Hub, clock: FrozenClock) -> None:
    async with hubject(rig, hub) as partner:
        hub.fault = "cut"
        await plan(rig.writer, ONE, kind=Kind.BLOCKED)
        await rig.catch_up()
        await rig.until(lambda: hub.shown.get(ONE) == "Occupied")
        await rig.until(lambda: _is_suspect(rig))
        hub.fault = None
        await ask(rig, partner)
        clock.advance(MINUTE)
        await rig.until(lambda: len(hub.received) > 1)  # the one EVSE finds out that it is back
        await rig.quiet()
        look_again(rig)
        await settled(rig, partner)
        hub.shown[ONE] = "Available"  # what came late
        clock.advance(LIMITS.settle + MINUTE)
        await rig.until(lambda: hub.shown[ONE] == "Occupied")


async def _is_suspect(rig: Rig) -> bool:
    return any(row["suspect"] for row in await stored(rig.database, "delivery"))


async def test_a_doubt_is_settled_even_where_full_loads_are_no_longer_ours_to_make(
    rig: Rig, hub: Hub, clock: FrozenClock
) -> None:
    async with hubject(rig, hub) as partner:
        hub.fault = "cut"
        await ask(rig, partner)
        await rig.until(lambda: _failed(rig, partner))
        hub.fault = None
        await rig.change("hub", configuration=partner.configuration | {"ownsAllStatuses": False})
        clock.advance(MINUTE)
        await rig.quiet()
        hub.shown.clear()  # as the load would leave it, coming late, had there been nothing in it
        hub.received.clear()
        await in_time(rig, lambda: hub.shown == dict.fromkeys(ALL, "Available"))
        assert "fullLoad" not in actions(hub)


async def test_an_evse_that_somebody_died_over_does_not_keep_a_load_from_being_made(
    rig: Rig, hub: Hub, clock: FrozenClock
) -> None:
    hub.known = {ONE, ME}
    async with hubject(rig, hub) as partner:
        evse = (await register(rig.writer, TWO)).id
        lease = clock.now() + LIMITS.lease
        async with rig.database.write() as connection:
            await deliveries.settle(
                connection,
                [(partner.id, evse, Aspect.STATUS)],
                lambda row: msgspec.structs.replace(row, token="dead", in_flight=True, lease_until=lease),
            )
        await ask(rig, partner)
        assert (await settled(rig, partner)).accepted_count == 2
        assert actions(hub).count("fullLoad") == 2
