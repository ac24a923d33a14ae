"""Two thousand windows that begin at once, at a Hubject that takes 150 ms for each answer."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from app.domain.evse_id import parse_evse_id
from app.domain.status import DeploymentState, Kind
from app.store.commands.evses import Register
from app.store.commands.temporary_statuses import Plan
from tests.builders import ADMIN, OPERATIONS, wish
from tests.e2e.hubject import Fleet, fleet

WINDOWS = 2000
ANSWER = 0.15  #: seconds
TARGET = 60.0  #: seconds


@pytest.mark.timeout(900)
async def test_all_of_them_are_at_hubject_within_a_minute_in_bundles_and_the_next_change_is_told_alone(
    embedded_url: str,
) -> None:
    await _storm(embedded_url)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_the_same_on_postgresql(postgresql_url: str) -> None:
    await _storm(postgresql_url)


async def _storm(url: str) -> None:
    async with fleet(url, WINDOWS) as network:
        await network.add_partner()
        network.hub.delay = ANSWER
        begin = network.service.clock.now() + timedelta(seconds=2)
        await _plan(network, network.evse_ids, begin)

        await network.until(lambda: len(network.hub.shown) == WINDOWS)

        # Not by the clock of a machine that may be busy, but by how often Hubject had to answer.
        assert len(network.requests()) * ANSWER < TARGET
        assert sum(network.requests()) == WINDOWS  # each was told once
        assert set(network.hub.shown.values()) == {"OutOfService"}
        assert network.hub.wrong == []  # two in flight at once would stand here
        told = len(network.requests())
        network.hub.delay = 0
        await network.until(network.is_at_rest)
        few = network.evse_ids[:3]
        await _plan(network, few, network.service.clock.now(), kind=Kind.COMMISSIONING)
        await network.until(network.is_at_rest)
        assert len(network.requests()) == told  # which Hubject could not tell from maintenance
        register = [Register(by=ADMIN, evse_id=parse_evse_id(one), deployment=DeploymentState.STOCK) for one in few]
        await asyncio.gather(*(network.service.writer.run(one) for one in register))
        await network.until(lambda: len(network.hub.shown) == WINDOWS - len(few))
        assert network.requests()[told:] == [1, 1, 1]


async def _plan(network: Fleet, evse_ids: Sequence[str], begin: datetime, kind: Kind = Kind.MAINTENANCE) -> None:
    for first in range(0, len(evse_ids), 250):
        wishes = [wish(one, kind=kind, valid_from=begin, valid_to=begin + timedelta(hours=1)) for one in evse_ids]
        await asyncio.gather(
            *(network.service.writer.run(Plan(OPERATIONS, one)) for one in wishes[first : first + 250])
        )
