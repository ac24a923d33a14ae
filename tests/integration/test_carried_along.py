"""What a whole EVSE carries of the other aspect is what the partner has of it from then on."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from app.channels.channel import Accepted
from app.channels.transport import Answer
from app.domain.status import DeploymentState, Kind
from app.store.commands.importing import Import
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, HOUR, MINUTE, imported, plan, register, report, stored
from tests.clock import FrozenClock
from tests.integration.keeping_partner import CONFIGURATION, OBJECT, Channel, Keeping
from tests.integration.scripted_channel import Rig


@pytest.fixture
def partner() -> Keeping:
    return Keeping()


@pytest.fixture
async def rig(database: Database, clock: FrozenClock, writer: Writer, partner: Keeping) -> AsyncGenerator[Rig]:
    one = Rig(database, clock, writer, Channel(partner))
    await one.dispatcher.start()
    yield one
    await one.dispatcher.stop()


async def joined(rig: Rig, **different: Any) -> None:
    """A partner that shows the one EVSE as AVAILABLE."""
    await rig.writer.run(Import(by=ADMIN, imported=imported(ocpi_object=OBJECT)))
    good: Accepted = Channel(Keeping()).accept({**CONFIGURATION, "initialPush": True, **different})
    await rig.partner(
        channel="ocpi",
        configuration=good.configuration,
        secrets=good.secrets,
        tells_fleet=good.tells_fleet,
        gets_schedule=good.gets_schedule,
    )
    await rig.until(lambda: done(rig))


async def done(rig: Rig) -> bool:
    clock = rig.clock
    assert isinstance(clock, FrozenClock)
    clock.advance(timedelta(milliseconds=50))
    await rig.reconciler.pass_once()
    return all(row["next_at"] is None and not row["in_flight"] for row in await stored(rig.database, "delivery"))


async def row_of(rig: Rig, aspect: str) -> dict[str, Any]:
    (row,) = [one for one in await stored(rig.database, "delivery") if one["aspect"] == aspect]
    return row


async def test_a_status_that_went_along_with_a_schedule_is_not_taken_for_unsaid(
    rig: Rig, clock: FrozenClock, partner: Keeping
) -> None:
    await joined(rig, schedule=True)
    at = clock.now()
    await plan(rig.writer, by=ADMIN, kind=Kind.MAINTENANCE, valid_from=at, valid_to=at + HOUR)
    await rig.until(lambda: done(rig))
    assert partner.status == "INOPERATIVE"

    # It ends, while the partner asks for fewer requests: the PATCH of the status is put off, the schedule, which is
    # empty now and so goes out as a PUT of the whole EVSE, gets through.
    partner.says["PATCH"] = (429, 2000)
    clock.advance(HOUR)
    await rig.catch_up()

    async def emptied() -> bool:
        clock.advance(MINUTE)
        await rig.catch_up()
        return bool((await row_of(rig, "schedule"))["acked_digest"] == "none")

    await rig.until(emptied)
    assert partner.status == "AVAILABLE"

    # And before the PATCH gets through, the technician is back.
    await plan(rig.writer, by=ADMIN, kind=Kind.MAINTENANCE)
    await rig.catch_up()
    partner.says.clear()
    clock.advance(10 * MINUTE)
    await rig.until(lambda: done(rig))
    assert partner.status == "INOPERATIVE"


async def test_a_partner_that_does_not_take_an_evse_whole_is_told_its_status(
    rig: Rig, clock: FrozenClock, partner: Keeping
) -> None:
    await joined(rig, wholeEvse=True)
    assert partner.status == "AVAILABLE"
    clock.advance(MINUTE)
    partner.says["PUT"] = (200, 2001)  # it does not like what is imported next
    again = imported(ocpi_object={**OBJECT, "floor_level": "-1"})
    await rig.writer.run(Import(by=ADMIN, imported=again))
    await rig.until(lambda: done(rig))
    await plan(rig.writer, by=ADMIN, kind=Kind.MAINTENANCE)
    await rig.until(lambda: done(rig))
    assert partner.status == "INOPERATIVE", [method for method, _ in partner.asked]


async def test_a_partner_that_does_not_take_an_evse_whole_hears_that_it_is_back(
    rig: Rig, clock: FrozenClock, partner: Keeping
) -> None:
    await joined(rig)
    await register(rig.writer, deployment=DeploymentState.STOCK, uid="3256")
    await rig.until(lambda: done(rig))
    assert partner.status == "REMOVED"
    partner.says["PUT"] = (405, 2000)
    await register(rig.writer, deployment=DeploymentState.PRODUCTION, uid="3256")
    await rig.until(lambda: done(rig))
    assert partner.status == "AVAILABLE"


class Lacking(Keeping):
    """Has only what it was PUT."""

    async def send(self, method: str, url: str, *, headers: Any, body: bytes) -> Answer:
        if method == "PATCH" and url not in self.evses:
            return Answer(404, {}, b'{"status_code":2003}')
        return await super().send(method, url, headers=headers, body=body)


async def test_what_was_planned_before_a_partner_came_follows_the_evse_that_it_is_given_whole(
    database: Database, clock: FrozenClock, writer: Writer
) -> None:
    partner = Lacking()
    rig = Rig(database, clock, writer, Channel(partner))
    await rig.dispatcher.start()
    try:
        await writer.run(Import(by=ADMIN, imported=imported(ocpi_object=OBJECT)))
        at = clock.now()
        await plan(writer, by=ADMIN, kind=Kind.MAINTENANCE, valid_from=at + 20 * HOUR, valid_to=at + 30 * HOUR)
        await rig.reconciler.pass_once()
        await joined(rig, schedule=True, initialPush=False)
        clock.advance(MINUTE)
        await report(writer, "Charging")
        await rig.until(lambda: done(rig))
    finally:
        await rig.dispatcher.stop()
    assert partner.status == "CHARGING"
    (told,) = partner.evses.values()
    assert len(told["status_schedule"]) == 1
