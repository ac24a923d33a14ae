"""An EVSE that moves to another location is gone from where it was, at partners that are pushed by OCPI."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import update

from app.channels.ocpi.channel import OcpiChannel
from app.channels.ocpi.simulator import PARTY, Behaviour, Emsp
from app.demo.listening import listening
from app.domain.status import DeploymentState, Kind
from app.store.commands.importing import Import
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, HOUR, MINUTE, imported, plan, register, stored
from tests.clock import FrozenClock
from tests.contract.ocpi.given import TOKEN
from tests.integration.api.ocpi_pulling import evse
from tests.integration.scripted_channel import Rig

UID: Final = "3256"
OBJECT: Final = evse(UID)
EVSE: Final = OBJECT["evse_id"]
OLD, NEW, THIRD = f"LOC1/{UID}", f"LOC2/{UID}", f"LOC3/{UID}"


class Scene:
    """One EVSE that stands at LOC1, and a strict eMSP that is pushed, lacks whatever it was not given, and watches."""

    def __init__(self, rig: Rig, emsp: Emsp, url: str) -> None:
        self.rig = rig
        self.emsp = emsp
        self.url = url

    async def join(self, **different: Any) -> None:
        raw = {
            "url": self.url,
            "token": TOKEN,
            "countryCode": PARTY.country,
            "partyId": PARTY.party,
            "initialPush": True,
            **different,
        }
        await self.move("LOC1", told=False)
        good = OcpiChannel().accept(raw)
        await self.rig.partner(
            channel="ocpi",
            configuration=good.configuration,
            secrets=good.secrets,
            tells_fleet=True,
            gets_schedule=good.gets_schedule,
        )
        await self.told()

    async def move(self, location: str, *, told: bool = True) -> None:
        self.clock.advance(MINUTE)
        one = imported(EVSE, uid=UID, location=location, ocpi_object=OBJECT)
        await self.rig.writer.run(Import(by=ADMIN, imported=one))
        if told:
            await self.told()

    async def told(self) -> None:
        """Wait until nothing is owed any more, and see that all of it was right."""
        await self.rig.until(self._is_told)
        assert self.emsp.wrong == []

    async def _is_told(self) -> bool:
        await self.rig.reconciler.pass_once()
        rows = await stored(self.rig.database, "delivery")
        # Where something may still be applied late it takes a while.
        self.clock.advance(timedelta(seconds=1) if any(row["suspect"] for row in rows) else timedelta(milliseconds=50))
        return all(row["next_at"] is None and not row["in_flight"] for row in rows)

    @property
    def clock(self) -> FrozenClock:
        assert isinstance(self.rig.clock, FrozenClock)
        return self.rig.clock

    @property
    def shown(self) -> dict[str, str]:
        return self.emsp.shown

    def said(self) -> list[tuple[str, str, str | None]]:
        """What was asked since this was last asked: the kind of each request, of what, and which status it says."""
        asked: list[tuple[str, str, str | None]] = [
            (one.kind, one.key, one.body.get("status")) for one in self.emsp.requests
        ]
        self.emsp.requests.clear()
        return asked

    async def told_at(self) -> list[str | None]:
        return [row["told_at"] for row in await stored(self.rig.database, "delivery")]


@pytest.fixture
async def scene(database: Database, clock: FrozenClock, writer: Writer) -> AsyncGenerator[Scene]:
    emsp = Emsp(clock, TOKEN, known={OLD}, behaviour=Behaviour())
    rig = Rig(database, clock, writer, OcpiChannel())
    async with listening(emsp.app) as base:
        await rig.dispatcher.start()
        yield Scene(rig, emsp, emsp.url(base))
        await rig.dispatcher.stop()


async def test_it_is_removed_where_it_was_and_given_whole_where_it_is(scene: Scene) -> None:
    await scene.join()
    assert scene.said() == [("PATCH status", OLD, "AVAILABLE")]
    await scene.move("LOC2")
    assert scene.said() == [("PATCH status", OLD, "REMOVED"), ("PUT evse", NEW, "AVAILABLE")]
    await plan(scene.rig.writer, EVSE, kind=Kind.MAINTENANCE)
    await scene.told()
    assert scene.said() == [("PATCH status", NEW, "INOPERATIVE")]
    assert scene.shown == {OLD: "REMOVED", NEW: "INOPERATIVE"}


async def test_it_moves_to_and_fro_and_is_always_at_one_place(scene: Scene) -> None:
    await scene.join()
    for location in ("LOC2", "LOC1", "LOC2"):
        await scene.move(location)
        at = {key for key, status in scene.shown.items() if status != "REMOVED"}
        assert at == {f"{location}/{UID}"}
    # Back from REMOVED it is given whole, here as everywhere.
    assert scene.said()[-4:] == [
        ("PATCH status", NEW, "REMOVED"),
        ("PUT evse", OLD, "AVAILABLE"),
        ("PATCH status", OLD, "REMOVED"),
        ("PUT evse", NEW, "AVAILABLE"),
    ]


async def test_nothing_is_said_of_the_new_place_before_it_is_gone_from_the_old_one(scene: Scene) -> None:
    await scene.join()
    scene.said()
    scene.emsp.fault = "500"
    await scene.move("LOC2", told=False)
    await scene.rig.catch_up()
    await scene.rig.until(lambda: bool(scene.emsp.requests))
    for _ in range(3):
        scene.clock.advance(10 * MINUTE)
        await scene.rig.catch_up()
        await scene.rig.quiet()
    assert set(scene.said()) == {("PATCH status", OLD, "REMOVED")}
    assert await scene.told_at() == [f"DE/ABC/LOC1/{UID}"]
    scene.emsp.fault = None
    scene.clock.advance(10 * MINUTE)
    await scene.told()
    assert scene.shown == {OLD: "REMOVED", NEW: "AVAILABLE"}


async def test_a_partner_that_no_longer_has_it_at_the_old_place_gets_it_at_the_new_one(scene: Scene) -> None:
    await scene.join()
    scene.said()
    scene.emsp.known = set()
    scene.emsp.shown.clear()
    await scene.move("LOC2")
    assert scene.said() == [("PATCH status", OLD, "REMOVED"), ("PUT evse", NEW, "AVAILABLE")]
    assert scene.shown == {NEW: "AVAILABLE"}


async def test_back_before_anybody_heard_of_it_nothing_is_removed(scene: Scene) -> None:
    await scene.join()
    scene.said()
    await scene.move("LOC2", told=False)
    await scene.move("LOC1")
    assert {status for _, _, status in scene.said()} == {"AVAILABLE"}
    assert scene.shown == {OLD: "AVAILABLE"}


async def test_moved_twice_before_anybody_heard_of_it_it_is_removed_where_it_was_acknowledged(scene: Scene) -> None:
    await scene.join()
    scene.said()
    await scene.move("LOC2", told=False)
    await scene.move("LOC3")
    assert scene.said() == [("PATCH status", OLD, "REMOVED"), ("PUT evse", THIRD, "AVAILABLE")]


async def test_moved_on_before_the_second_place_took_it_it_is_nowhere_else(scene: Scene) -> None:
    await scene.join()
    scene.emsp.faults.script(None, "cut")  # removed at the first; applied at the second, which we do not hear
    await scene.move("LOC2", told=False)
    await scene.rig.catch_up()
    await scene.rig.until(lambda: NEW in scene.shown)
    await scene.move("LOC3", told=False)
    scene.clock.advance(10 * MINUTE)
    await scene.rig.until(scene._is_told)
    scene.clock.advance(10 * MINUTE)
    await scene.told()
    assert scene.shown == {OLD: "REMOVED", NEW: "REMOVED", THIRD: "AVAILABLE"}


@pytest.mark.parametrize("state", [DeploymentState.STOCK, DeploymentState.DEPRECATED])
async def test_it_moves_out_of_production_and_is_removed_at_both_places(scene: Scene, state: DeploymentState) -> None:
    await scene.join()
    scene.said()
    scene.clock.advance(MINUTE)
    await register(scene.rig.writer, EVSE, uid=UID, deployment=state, location="LOC2")
    await scene.told()
    assert scene.said() == [("PATCH status", OLD, "REMOVED"), ("PATCH status", NEW, "REMOVED")]


async def test_it_stands_nowhere_any_more_and_is_removed_where_it_was(scene: Scene) -> None:
    await scene.join()
    scene.clock.advance(MINUTE)
    await register(scene.rig.writer, EVSE, uid=UID, location=None)
    await scene.rig.catch_up()
    await scene.rig.until(lambda: scene.shown == {OLD: "REMOVED"})
    assert scene.emsp.wrong == []


async def test_it_was_registered_by_hand_and_its_time_rises_where_it_is_removed(scene: Scene) -> None:
    scene.emsp.known = None
    await scene.join()
    await register(scene.rig.writer, "DE*ABC*E9", deployment=DeploymentState.PRODUCTION, location="LOC1", uid="9")
    await scene.told()
    scene.clock.advance(MINUTE)
    await register(scene.rig.writer, "DE*ABC*E9", location="LOC2", uid="9")
    await scene.told()
    assert (scene.shown["LOC1/9"], scene.shown["LOC2/9"]) == ("REMOVED", "UNKNOWN")


async def test_a_schedule_goes_with_it(scene: Scene) -> None:
    await scene.join(schedule=True)
    at = scene.clock.now()
    await plan(scene.rig.writer, EVSE, kind=Kind.MAINTENANCE, valid_from=at + HOUR, valid_to=at + 2 * HOUR)
    await scene.told()
    assert list(scene.emsp.schedules) == [OLD]
    scene.said()
    await scene.move("LOC2")
    assert [one for one in scene.said() if one[1] == OLD] == [("PATCH status", OLD, "REMOVED")]
    assert NEW in scene.emsp.schedules
    assert scene.shown == {OLD: "REMOVED", NEW: "AVAILABLE"}
    assert set(await scene.told_at()) == {f"DE/ABC/LOC2/{UID}"}


async def test_a_schedule_alone_is_not_said_of_the_new_place_either_before_it_is_gone(scene: Scene) -> None:
    await scene.join(schedule=True)
    at = scene.clock.now()
    await plan(scene.rig.writer, EVSE, kind=Kind.MAINTENANCE, valid_from=at + HOUR, valid_to=at + 2 * HOUR)
    await scene.told()
    scene.said()
    await scene.move("LOC2", told=False)
    await scene.rig.reconciler.pass_once()
    delivery = metadata.tables["delivery"]
    # As where the partner has rejected the status.
    put_off = update(delivery).where(delivery.c.aspect == "status").values(next_at=scene.clock.now() + 5 * HOUR)
    async with scene.rig.database.write() as connection:
        await connection.execute(put_off)
    await scene.rig.until(lambda: NEW in scene.emsp.schedules)
    assert scene.said()[0] == ("PATCH status", OLD, "REMOVED")
    # It has it there by the schedule alone, which came with the whole EVSE, when it moves on.
    await scene.move("LOC3")
    assert scene.shown == {OLD: "REMOVED", NEW: "REMOVED", THIRD: "AVAILABLE"}
