"""Replicas whose clocks differ by a few milliseconds, as they do although all follow the database's."""

from datetime import datetime, timedelta

import pytest

from app.domain.delivery import Delivery
from app.schedule.decisions import claimed
from app.schedule.reconcile import Reconciler
from app.store import deliveries
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import register
from tests.clock import FrozenClock
from tests.integration.scripted_channel import LIMITS, add_partner

APART = timedelta(milliseconds=5)


@pytest.mark.parametrize("behind", [APART, -APART, timedelta()])
async def test_a_delivery_that_one_replica_has_just_claimed_is_not_claimed_by_another(
    database: Database, writer: Writer, clock: FrozenClock, behind: timedelta
) -> None:
    partner = await add_partner(database, clock, "app")
    await register(writer)
    await Reconciler(database, clock).pass_once()
    at = clock.now() + timedelta(seconds=1)

    async def claims(at: datetime) -> int:
        def take(row: Delivery) -> Delivery:
            return claimed(row, "token", at, LIMITS)

        async with database.write() as connection:
            return len(await deliveries.claim(connection, partner, at, 1, LIMITS.lease, take))

    assert await claims(at) == 1
    assert await claims(at - behind) == 0


@pytest.mark.parametrize("behind", [APART, -APART, timedelta()])
async def test_a_lane_that_one_replica_has_just_taken_is_not_taken_by_another(
    database: Database, clock: FrozenClock, behind: timedelta
) -> None:
    partner = await add_partner(database, clock, "hub")
    at = clock.now()
    async with database.write() as connection:
        assert await deliveries.take_lane(connection, partner.id, "one", at, LIMITS.lease)
        assert not await deliveries.take_lane(connection, partner.id, "other", at - behind, LIMITS.lease)
