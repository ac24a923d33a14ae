"""Whoever locks deliveries of several EVSEs does so in one order."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.outcomes import Delivered
from app.domain.delivery import Delivery
from app.schedule.decisions import Claim, Told
from app.schedule.reconcile import Reconciler
from app.schedule.settling import Done, settle
from app.store import deliveries, presented
from app.store.commands.importing import Import
from app.store.database import Database
from app.store.deliveries import Attempt, Owed
from app.store.rows import delivery_values
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, imported, stored
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import LIMITS, add_partner


@pytest.fixture
async def database(postgresql_url: str) -> AsyncGenerator[Database]:
    opened = Database(postgresql_url)
    yield opened
    await opened.close()


def attempt_at(delivery: Delivery) -> Attempt:
    return Attempt(
        at=START,
        partner=delivery.partner,
        evse=delivery.evse,
        aspect=delivery.aspect,
        version=1,
        said="AVAILABLE",
        outcome="Delivered",
        answer="",
        took_ms=1,
    )


async def filled(database: Database, clock: FrozenClock, writer: Writer) -> list[Delivery]:
    partner = await add_partner(database, clock, "emsp")
    for number in (1, 2):
        await writer.run(Import(by=ADMIN, imported=imported(f"DE*ABC*E{number}", uid=f"u{number}")))
    evses = [row["id"] for row in await stored(database, "evse")]
    rows = [
        Delivery(partner=partner.id, evse=one, want=1, acked=1, acked_at=START, shared_at=START, generation=1)
        for one in evses
    ]
    async with database.write() as connection:
        await connection.execute(metadata.tables["delivery"].insert(), [delivery_values(one) for one in rows])
    return rows


async def test_reconcile_and_a_location_that_was_told_anew_do_not_deadlock(
    database: Database, clock: FrozenClock, writer: Writer
) -> None:
    first, second = await filled(database, clock, writer)
    claim = Claim(second, clock.now())
    disturbing = Done(claim, Told(1, "AVAILABLE"), Delivered(disturbs=True), attempt_at(second))
    promised = asyncio.Event()

    async def reconcile() -> None:
        # As `deliveries.owe` does, row by row in the order of the EVSEs.
        async with database.write() as connection:
            await deliveries.owe(connection, [Owed(first, created=False, at=START)])
            promised.set()
            await asyncio.sleep(0.3)  # for long enough that the other has locked what it can
            await deliveries.owe(connection, [Owed(second, created=False, at=START)])

    async def settled() -> None:
        await promised.wait()
        async with database.write() as connection:
            finished = {second.key: disturbing}
            await settle(connection, clock.now(), LIMITS, second.partner, finished, giving_back=None)

    await asyncio.gather(reconcile(), settled())
    owed = {row["evse"]: row["next_at"] is not None for row in await stored(database, "delivery")}
    assert owed == {first.evse: True, second.evse: False}


async def test_what_is_said_of_an_evse_is_never_older_than_its_version(
    database: Database, clock: FrozenClock, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two reads of `truths` the EVSE is imported anew, and looked at."""
    rows = await filled(database, clock, writer)
    reconciler = Reconciler(database, clock)
    await reconciler.pass_once()
    real = presented.evses_by_id

    async def late(connection: AsyncConnection, ids: Collection[int]) -> Any:
        clock.advance(timedelta(seconds=1))
        again = imported("DE*ABC*E1", uid="u1", ocpi_object={"uid": "u1", "floor_level": "2"})
        await writer.run(Import(by=ADMIN, imported=again))
        await reconciler.pass_once()
        return await real(connection, ids)

    monkeypatch.setattr(presented, "evses_by_id", late)
    async with database.write() as connection:
        truth = (await presented.truths(connection, [rows[0].evse]))[rows[0].evse]
    (newest, _) = await stored(database, "presented")
    old = truth.evse.ocpi_object == {"uid": "u1", "evse_id": "DE*ABC*E1"}
    assert not (old and truth.shown.version == newest["version"])
