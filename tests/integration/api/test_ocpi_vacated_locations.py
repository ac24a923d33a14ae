"""A location that EVSEs have left stays in the list: whoever found them there has to learn that they are gone."""

from collections.abc import AsyncGenerator
from typing import Final

import pytest

from app.domain.instant import rfc3339
from app.domain.partner import Audience
from app.domain.status import DeploymentState
from app.service import Service
from app.settings import Settings
from tests.builders import MINUTE, register
from tests.clock import FrozenClock
from tests.integration.api.ocpi_pulling import VERSIONS, Fleet, Puller, evse, location

EVSE: Final = "DE*ABC*E1"


@pytest.fixture
async def fleet(settings: Settings, clock: FrozenClock) -> AsyncGenerator[Fleet]:
    async with Fleet(Service(settings, clock=clock)).running() as running:
        yield running


async def at(puller: Puller, since: str | None = None) -> dict[str, list[str]]:
    """The uids at each location that is listed."""
    view = await puller.view(**({} if since is None else {"date_from": since}))
    return {place: [one["uid"] for one in seen["evses"]] for place, seen in view.items()}


async def move(fleet: Fleet, to: str, state: DeploymentState = DeploymentState.PRODUCTION) -> None:
    await register(fleet.service.writer, EVSE, uid="1", location=to, deployment=state)
    await fleet.computed()


@pytest.mark.parametrize("version", VERSIONS)
async def test_whoever_asks_for_changes_learns_that_a_place_is_empty_now(
    fleet: Fleet, clock: FrozenClock, version: str
) -> None:
    await fleet.take_in(location("L1", evse("1")))
    emsp = await fleet.partner(version=version)
    assert await at(emsp) == {"L1": ["1"]}
    since = rfc3339(clock.advance(MINUTE))
    await fleet.take_in(location("L1"), location("L2", evse("1")))
    assert await at(emsp, since) == {"L1": [], "L2": ["1"]}
    assert await at(emsp) == {"L1": [], "L2": ["1"]}
    headers = (await emsp.get("locations", {"limit": "1"})).headers
    assert headers["x-total-count"] == "2"
    assert (await emsp.get("locations/L1")).data["evses"] == []
    assert (await emsp.get("locations/L1/1")).http == 404
    clock.advance(10 * MINUTE)
    assert await at(emsp, rfc3339(clock.now())) == {}, "it changes no more"


async def test_it_is_dated_like_any_other(fleet: Fleet, clock: FrozenClock) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L2"))
    emsp = await fleet.partner()
    left = clock.advance(MINUTE)
    await move(fleet, "L2")
    assert (await emsp.view())["L1"]["last_updated"] == rfc3339(left)
    assert "L1" in await emsp.view(date_to=rfc3339(left + MINUTE))
    assert "L1" not in await emsp.view(date_to=rfc3339(left))


async def test_what_stands_there_next_is_in_it(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L2"))
    emsp = await fleet.partner()
    await move(fleet, "L2")
    await fleet.take_in(location("L1", evse("2"), city="Hamburg"))
    assert await at(emsp) == {"L1": ["2"], "L2": ["1"]}
    await move(fleet, "L1")
    assert await at(emsp) == {"L1": ["1", "2"], "L2": []}


async def test_it_is_imported_once_more_and_stays(fleet: Fleet, clock: FrozenClock) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L2"))
    emsp = await fleet.partner()
    await move(fleet, "L2")
    clock.advance(MINUTE)
    await fleet.take_in(location("L1", city="Hamburg"))
    assert (await emsp.view())["L1"]["city"] == "Hamburg"
    assert (await at(emsp))["L1"] == []


async def test_where_nobody_could_find_anything_stays_unmentioned(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1"), publish=False), location("L2"), location("L3"))
    emsp = await fleet.partner()
    await move(fleet, "L2", DeploymentState.STOCK)
    await move(fleet, "L2")
    assert await at(emsp) == {"L2": ["1"]}


async def test_what_was_registered_by_hand_was_never_found_anywhere(fleet: Fleet) -> None:
    await fleet.take_in(location("L1"), location("L2"))
    emsp = await fleet.partner()
    for place in ("L1", "L2", "L1"):
        await register(
            fleet.service.writer, "DE*ABC*E9", location=place, uid="9", deployment=DeploymentState.PRODUCTION
        )
        if place == "L2":
            await fleet.computed()
    assert await at(emsp) == {}


async def test_who_had_asked_before_anything_was_owed_to_it_learns_of_it_too(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L2"))

    async def not_yet() -> None: ...

    with monkeypatch.context() as slow:
        slow.setattr(fleet, "computed", not_yet)
        emsp = await fleet.partner()
        assert await at(emsp) == {"L1": ["1"]}
        await move(fleet, "L2")
    await fleet.computed()
    assert await at(emsp) == {"L1": [], "L2": ["1"]}


@pytest.mark.parametrize("state", [DeploymentState.STOCK, DeploymentState.DEPRECATED])
async def test_what_was_shared_and_moves_while_it_is_out_of_production_leaves_its_place_too(
    fleet: Fleet, clock: FrozenClock, state: DeploymentState
) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L2"))
    emsp = await fleet.partner()
    since = rfc3339(clock.advance(MINUTE))
    await move(fleet, "L1", state)
    await move(fleet, "L2", state)
    assert await at(emsp, since) == {"L1": [], "L2": ["1"]}
    assert (await emsp.statuses())["1"] == "REMOVED"


async def test_it_is_for_those_only_whom_it_may_concern(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L2"))
    audiences = {
        "here": Audience(locations=("L1",)),
        "elsewhere": Audience(locations=("L7",)),
        "ours": Audience(operators=("de*abc",)),
        "theirs": Audience(operators=("DE*XYZ",)),
    }
    partners = {name: await fleet.partner(name, audience=one) for name, one in audiences.items()}
    await move(fleet, "L2")
    seen = {name: "L1" in await one.view() for name, one in partners.items()}
    assert seen == {"here": True, "elsewhere": False, "ours": True, "theirs": False}
