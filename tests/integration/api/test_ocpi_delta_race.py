"""What is committed while somebody pulls is found by the next pull that asks for what has changed since."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from app.domain.status import Kind
from app.service import Service
from app.settings import Settings
from app.store import presented
from tests.builders import plan
from tests.clock import FrozenClock
from tests.integration.api.ocpi_pulling import Fleet, evse, location


@pytest.fixture
async def fleet(settings: Settings, clock: FrozenClock) -> AsyncGenerator[Fleet]:
    async with Fleet(Service(settings, clock=clock)).running() as running:
        yield running


async def test_a_change_that_is_committed_while_somebody_pulls_is_in_the_next_delta(
    fleet: Fleet, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.take_in(location("L1", evse("1")))
    emsp = await fleet.partner()
    clock.advance(timedelta(minutes=1))
    pulled: list[Any] = []
    real = presented.write

    async def write(connection: Any, resolved: Any) -> None:
        await real(connection, resolved)
        clock.advance(timedelta(milliseconds=100))  # as long as a chunk of 500 takes
        pulled.append(await emsp.get("locations"))

    monkeypatch.setattr(presented, "write", write)
    await plan(fleet.service.writer, "DE*ABC*E1", kind=Kind.MAINTENANCE)
    clock.advance(timedelta(milliseconds=10))
    await fleet.computed()
    monkeypatch.undo()
    first = pulled[-1]
    assert [one["status"] for one in first.data[0]["evses"]] == ["AVAILABLE"]
    clock.advance(timedelta(hours=1))
    assert await emsp.statuses(date_from=first.envelope["timestamp"]) == {"1": "INOPERATIVE"}
