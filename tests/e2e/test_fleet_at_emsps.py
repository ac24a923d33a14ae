"""A fleet (thousands of EVSEs in the long run), what can happen to it, and what eMSPs of three versions know of it."""

import asyncio
import random
from datetime import timedelta
from typing import Final

import pytest

from app.channels.ocpi.emsp_behaviour import Trouble
from app.channels.ocpi.emsp_view import compare
from app.demo.listening import listening
from app.domain.evse_id import parse_evse_id
from app.domain.principal import Principal
from app.domain.status import DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store.commands.ending import End
from app.store.commands.evses import Register, Report
from app.store.commands.temporary_statuses import Plan
from tests.builders import ADMIN, OPERATIONS, wish
from tests.e2e.emsps import PER_LOCATION, Connected, Network, an_emsp, network, site
from tests.e2e.hurried import HURRIED

SITES: Final = 30  #: of ten EVSEs
MANY: Final = 500
TROUBLES: Final[tuple[Trouble | None, ...]] = (
    *(None, None, "500", "503", "429", "2001", "3000", "502", "garbage", "bad-json"),
    *("cut", "slow", "late", "late-500", "late-silent"),
)
LATE_BY: Final = 3.0  #: seconds; later than what follows, and before a doubt is settled


class History:
    """Things that happen to a fleet, drawn from a seed."""

    def __init__(self, over: Network, sites: int, seed: int) -> None:
        self._network = over
        self._sites = sites
        self._draw = random.Random(seed)
        self._planned: list[tuple[Principal, TemporaryStatus]] = []

    async def step(self, happenings: int) -> None:
        await asyncio.gather(*(self._happen() for _ in range(happenings)))

    async def _happen(self) -> None:
        evse_id = parse_evse_id(self._draw.choice(self._network.evse_ids))
        run = self._network.service.writer.run
        match self._draw.choices(("plan", "end", "report", "gate", "import"), (60, 20, 40, 10, 1))[0]:
            case "plan":
                at = self._network.service.clock.now()
                begin = at + timedelta(milliseconds=self._draw.randrange(8000))
                end = begin + timedelta(milliseconds=self._draw.randrange(1, 12_000))
                ahead = begin + timedelta(days=1)  # which is announced and does not come
                kind, by = self._draw.choice(list(Kind)), self._draw.choice((ADMIN, OPERATIONS))
                valid = self._draw.choice(((begin, end), (begin, None), (ahead, ahead + timedelta(hours=1))))
                asked = wish(evse_id.written, kind=kind, valid_from=valid[0], valid_to=valid[1])
                self._planned.append((by, (await run(Plan(by, asked))).one))
            case "end" if self._planned:
                by, one = self._planned.pop(self._draw.randrange(len(self._planned)))
                await run(End(by, one.id))
            case "report":
                word = self._draw.choice(("Available", "Charging", "Faulted", "Unavailable", "Finishing"))
                await run(Report(by=ADMIN, evse_id=evse_id, reported=word))
            case "gate":
                states = (*[DeploymentState.PRODUCTION] * 3, DeploymentState.STOCK, DeploymentState.DEPRECATED)
                await run(Register(by=ADMIN, evse_id=evse_id, deployment=self._draw.choice(states)))
            case "import":
                await self._network.import_(site(self._draw.randrange(self._sites), self._draw.randrange(16, 64)))


@pytest.mark.timeout(900)
async def test_push_and_pull_say_what_is_presented_in_all_three_versions(embedded_url: str) -> None:
    await _a_history(embedded_url, SITES, seed=1, steps=8)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 8))
async def test_they_do_after_longer_histories_too(database_url: str, seed: int) -> None:
    await _a_history(database_url, MANY, seed, steps=60)


async def _a_history(url: str, sites: int, seed: int, steps: int) -> None:
    draw = random.Random(-seed)
    old = an_emsp("2.1.1", set(), strict_locations=True, demands_uid=True)
    usual = an_emsp("2.2.1", set(), strict_locations=True, checks_order=bool(seed % 2))
    new = an_emsp("2.3.0", set(), strict_locations=True, rejects_schedules="422")
    async with (
        network(url, sites, **HURRIED) as over,
        listening(old.app) as at_old,
        listening(usual.app) as at_usual,
        listening(new.app) as at_new,
    ):
        # One gets some locations, all of them by push. The others begin with what they pull.
        some = [f"L{number}" for number in range(sites // 5)]
        await over.add(old, at_old, "2.1.1", locations=some, initialPush=True, uidInPatch=True, schedule=True)
        one = await over.add(usual, at_usual, "2.2.1", schedule=True)
        other = await over.add(new, at_new, "2.3.0", schedule=True, wholeEvse=True)
        for begins in (one, other):
            begins.emsp.adopt(await begins.emsp.pull(over.versions_url, begins.token))
            assert len(begins.emsp.shown) == sites * PER_LOCATION
        other.schedules = False  # it was offered them, and rejects each
        for connected in over.emsps:
            connected.emsp.late_by, connected.emsp.slow_by = LATE_BY, LATE_BY

        history = History(over, sites, seed)
        for _ in range(steps):
            for connected in over.emsps:
                connected.emsp.fault = draw.choice(TROUBLES)
            await history.step(draw.randrange(20, 300))
            if draw.random() < 0.5:
                await over.pull_changes()
            await asyncio.sleep(draw.random())
        for connected in over.emsps:
            connected.emsp.fault = None
            await connected.emsp.settled()
        await over.until(over.is_at_rest, within=600)
        await over.resend_what_was_rejected()
        await over.until(over.is_at_rest, within=600)
        for connected in over.emsps:
            await _knows_what_it_should(over, connected)


async def _knows_what_it_should(over: Network, one: Connected) -> None:
    pushed, pulled = one.emsp.view(), await one.emsp.pull(over.versions_url, one.token)
    assert pulled.shown == await over.should_show(one)
    # What is gone is not told whole, and not at all to who never had it; the list goes on having it as removed.
    gone = {key for key, status in pulled.shown.items() if status == "REMOVED"}
    there = [key for key in pulled.evses if key not in gone]
    assert compare(pushed, pulled, schedules=one.schedules, whole=one.version == "2.3.0", only=there) == []
    assert {pushed.shown.get(key, "REMOVED") for key in gone} <= {"REMOVED"}
    assert pushed.evses.keys() <= pulled.evses.keys()
    # Whoever pulls what has changed, again and again, has missed nothing either.
    by_and_by = await one.emsp.pull(over.versions_url, one.token, since=one.pulled)
    assert compare(by_and_by, pulled, whole=True) == []
    assert one.emsp.wrong == []
