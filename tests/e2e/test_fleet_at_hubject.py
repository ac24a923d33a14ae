"""A fleet (five thousand EVSEs in the long run), all that can happen to it, and what an EMP sees of it in the end."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest

from app.channels.oicp.simulator import Trouble
from app.domain.evse_id import parse_evse_id
from app.domain.principal import Principal
from app.domain.status import DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store.commands.ending import End
from app.store.commands.evses import Register, Report
from app.store.commands.temporary_statuses import Plan
from tests.builders import ADMIN, OPERATIONS, wish
from tests.e2e.hubject import Fleet, fleet
from tests.e2e.hurried import HURRIED

SIZE: Final = 1500
MANY: Final = 5000
TROUBLES: Final[Sequence[Trouble | None]] = (None, None, "500", "429", "garbage", "cut", "017", "late", "late-504")
LATE_BY: Final = 3.0  #: seconds; later than what follows, and before a doubt is settled


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for the settings: a full load that was lost, and what is told anew after it, must be waited for."""
    monkeypatch.setattr("app.domain.full_load.PUT_OFF", timedelta(seconds=12))
    monkeypatch.setattr("app.schedule.full_loads._ANEW", timedelta(seconds=5))


class History:
    """Things that happen to a fleet, drawn from a seed."""

    def __init__(self, network: Fleet, seed: int) -> None:
        self._network = network
        self._draw = random.Random(seed)
        self._planned: list[tuple[Principal, TemporaryStatus]] = []

    async def step(self, happenings: int) -> None:
        await asyncio.gather(*(self._happen() for _ in range(happenings)))

    async def _happen(self) -> None:
        evse_id = parse_evse_id(self._draw.choice(self._network.evse_ids))
        run = self._network.service.writer.run
        match self._draw.choices(("plan", "end", "report", "gate"), (5, 2, 3, 1))[0]:
            case "plan":
                at = self._network.service.clock.now()
                begin = at + timedelta(milliseconds=self._draw.randrange(8000))
                end = begin + timedelta(milliseconds=self._draw.randrange(1, 20_000))
                kind, by = self._draw.choice(list(Kind)), self._draw.choice((ADMIN, OPERATIONS))
                asked = wish(evse_id.written, kind=kind, valid_from=begin, valid_to=self._draw.choice((end, None)))
                self._planned.append((by, (await run(Plan(by, asked))).one))
            case "end" if self._planned:
                by, one = self._planned.pop(self._draw.randrange(len(self._planned)))
                await run(End(by, one.id))
            case "report":
                word = self._draw.choice(("Available", "Charging", "Faulted", "Unavailable", "Finishing"))
                await run(Report(by=ADMIN, evse_id=evse_id, reported=word))
            case "gate":
                states = (DeploymentState.PRODUCTION, DeploymentState.PRODUCTION, DeploymentState.STOCK)
                await run(Register(by=ADMIN, evse_id=evse_id, deployment=self._draw.choice(states)))


@pytest.mark.timeout(900)
async def test_an_emp_sees_of_each_what_is_presented(embedded_url: str) -> None:
    await _a_history(embedded_url, SIZE, seed=1, steps=12)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 8))
async def test_an_emp_sees_it_after_longer_histories_too(database_url: str, seed: int) -> None:
    await _a_history(database_url, MANY, seed, steps=60)


async def _a_history(url: str, size: int, seed: int, steps: int) -> None:
    async with fleet(url, size, **HURRIED) as network:
        hub, draw = network.hub, random.Random(-seed)
        hub.late_by = LATE_BY
        hub.strict_update = bool(seed % 2)  # as documented, or as observed
        # Some were never published as EvseData; those that Hubject does not know must not hold back the others.
        hub.known = {one for one in network.evse_ids if draw.random() > 0.01}
        await network.add_partner(ownsAllStatuses=True)
        await network.ask_for_full_load()
        history = History(network, seed)
        for _ in range(steps):
            hub.fault = draw.choice(TROUBLES)
            if draw.random() < 0.15:
                await network.ask_for_full_load()
            await history.step(draw.randrange(20, 300))
            await asyncio.sleep(draw.random())
        hub.fault = None
        await network.until(lambda: not hub.pending)
        hub.known = set(network.evse_ids)  # published at last

        await network.until(network.is_at_rest, within=600)
        await network.until(network.is_seen_as_it_should)  # windows go on beginning and ending
        assert hub.wrong == []  # two requests in flight at once would stand here
