"""What a partner finds that pulls the Locations: what it is pushed, and nothing that is not for it."""

import random
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from app.domain.instant import parse_instant, rfc3339
from app.domain.partner import Audience
from app.domain.status import DeploymentState, Kind
from app.service import Service
from app.settings import Settings
from app.store.location_pages import COMMITTED_WITHIN
from tests.builders import HOUR, MINUTE, end, plan, register, report
from tests.clock import START, FrozenClock
from tests.integration.api.ocpi_pulling import VERSIONS, Fleet, Object, Puller, evse, location


@pytest.fixture
async def fleet(settings: Settings, clock: FrozenClock) -> AsyncGenerator[Fleet]:
    async with Fleet(Service(settings, clock=clock)).running() as running:
        yield running


async def window(fleet: Fleet, uid: str, kind: Kind, begin: Any = None, until: Any = None) -> Any:
    one = await plan(fleet.service.writer, f"DE*ABC*E{uid}", kind=kind, valid_from=begin, valid_to=until)
    await fleet.computed()
    return one


async def deploy(fleet: Fleet, uid: str, state: DeploymentState) -> None:
    await register(fleet.service.writer, f"DE*ABC*E{uid}", deployment=state, uid=uid)
    await fleet.computed()


# What is in it


async def test_a_partner_finds_what_is_presented_in_the_words_of_its_version(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1"), evse("2")), location("L2", evse("3", status="CHARGING")))
    await window(fleet, "1", Kind.MAINTENANCE, until=START + HOUR)
    for version in VERSIONS:
        emsp = await fleet.partner(version, version=version)
        assert await emsp.statuses() == {"1": "INOPERATIVE", "2": "AVAILABLE", "3": "CHARGING"}
        own = {**emsp.partner.configuration, "mapping": {"MAINTENANCE": "OUTOFORDER"}}
        await fleet.change(emsp, configuration=own)
        assert await emsp.statuses() == {"1": "OUTOFORDER", "2": "AVAILABLE", "3": "CHARGING"}


async def test_a_schedule_is_in_it_for_those_who_get_schedules(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1")))
    plain, told = await fleet.partner("plain"), await fleet.partner("told", gets_schedule=True)
    await window(fleet, "1", Kind.RESERVED, START + HOUR, START + 2 * HOUR)
    assert "status_schedule" not in (await plain.view())["L1"]["evses"][0]
    assert (await told.view())["L1"]["evses"][0]["status_schedule"] == [
        {"period_begin": "2026-03-01T09:00:00.000Z", "period_end": "2026-03-01T10:00:00.000Z", "status": "RESERVED"}
    ]


async def test_unknown_fields_go_to_partners_of_the_version_they_were_imported_in(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1", x_evse=[1]), x_place={"a": 1}))
    for version in VERSIONS:
        emsp = await fleet.partner(version, version=version)
        emsp.passes_unknown = version == "2.2.1"
        place = (await emsp.view())["L1"]
        assert ("x_place" in place) is ("x_evse" in place["evses"][0]) is (version == "2.2.1")


async def test_an_evse_that_was_shared_stays_as_removed_and_one_that_never_was_is_not_mentioned(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1"), evse("2"), evse("3")), location("L2", evse("4"), publish=False))
    emsp = await fleet.partner()
    assert sorted(await emsp.statuses()) == ["1", "2", "3"]
    await deploy(fleet, "1", DeploymentState.STOCK)
    await deploy(fleet, "2", DeploymentState.DEPRECATED)
    late = await fleet.partner("late")
    assert await emsp.statuses() == {"1": "REMOVED", "2": "REMOVED", "3": "AVAILABLE"}
    assert await late.statuses() == {"3": "AVAILABLE"}
    await deploy(fleet, "3", DeploymentState.STOCK)
    assert list(await emsp.view()) == ["L1"]
    assert await late.statuses() == {"3": "REMOVED"}
    await deploy(fleet, "1", DeploymentState.PRODUCTION)
    assert (await emsp.statuses())["1"] == "AVAILABLE"


async def test_a_partner_finds_its_own_audience_and_as_removed_what_has_left_it(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L2", evse("2")), location("L3", evse("3")))
    choosy = await fleet.partner(audience=Audience(locations=("L1", "L2")))
    other = await fleet.partner("other", audience=Audience(operators=("DE*XYZ",)))
    assert await choosy.statuses() == {"1": "AVAILABLE", "2": "AVAILABLE"}
    assert await other.statuses() == {}
    await fleet.change(choosy, audience=Audience(locations=("L2",), operators=("de*abc",)))
    assert await choosy.statuses() == {"1": "REMOVED", "2": "AVAILABLE"}


async def test_what_was_not_imported_cannot_be_told_and_is_not_counted(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L8"))
    await register(fleet.service.writer, "DE*ABC*E9", location="L1")
    await register(fleet.service.writer, "DE*ABC*E8", location="L8")
    await fleet.computed()
    emsp = await fleet.partner()
    assert await emsp.statuses() == {"1": "AVAILABLE"}
    assert (await emsp.get("locations")).headers["x-total-count"] == "1"


async def test_an_evse_that_moves_is_found_where_it_stands_and_a_delta_tells_of_both_places(
    fleet: Fleet, clock: FrozenClock
) -> None:
    await fleet.take_in(location("L1", evse("1"), evse("2")), location("L2", evse("3")))
    emsp = await fleet.partner()
    clock.advance(MINUTE)
    since = clock.now()
    await fleet.take_in(location("L1", evse("2")), location("L2", evse("3"), evse("1")))
    changed = await emsp.view(date_from="2026-03-01T08:01:00Z")
    assert since == START + MINUTE
    assert {place: [one["uid"] for one in seen["evses"]] for place, seen in changed.items()} == {
        "L1": ["2"],
        "L2": ["1", "3"],
    }


# Last updated


async def test_each_window_edge_moves_last_updated_and_nothing_else_does(fleet: Fleet, clock: FrozenClock) -> None:
    await fleet.take_in(location("L1", evse("1"), evse("2")))
    emsp = await fleet.partner()
    await window(fleet, "1", Kind.BLOCKED, START + HOUR, START + 2 * HOUR)
    for passed, status in ((HOUR, "BLOCKED"), (HOUR, "AVAILABLE")):
        before = (await emsp.view())["L1"]
        clock.advance(passed)
        await fleet.computed()
        after = (await emsp.view())["L1"]
        now = clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        assert (after["evses"][0]["status"], after["evses"][0]["last_updated"], after["last_updated"]) == (
            status,
            now,
            now,
        )
        assert after["evses"][1] == before["evses"][1]
    quiet = await emsp.view()
    clock.advance(10 * HOUR)
    await fleet.computed()
    assert await emsp.view() == quiet


async def test_a_location_that_differs_is_updated_then_and_its_evses_are_not(fleet: Fleet, clock: FrozenClock) -> None:
    await fleet.take_in(location("L1", evse("1")))
    emsp = await fleet.partner()
    before = (await emsp.view())["L1"]
    clock.advance(MINUTE)
    await fleet.take_in(location("L1", evse("1"), name="Station"))
    (after,) = (await emsp.view(date_from="2026-03-01T08:01:00Z")).values()
    assert (after["name"], after["last_updated"]) == ("Station", "2026-03-01T08:01:00.000Z")
    assert after["evses"] == before["evses"]


async def test_dates_choose_from_the_first_up_to_not_including_the_second(fleet: Fleet, clock: FrozenClock) -> None:
    for number in range(3):
        await fleet.take_in(location(f"L{number}", evse(f"{number}")))
        clock.advance(10 * MINUTE)
    emsp = await fleet.partner()
    _, second, third = (place["last_updated"] for place in (await emsp.view()).values())
    just_after = second.replace("001Z", "002")
    assert just_after != second
    assert list(await emsp.view(date_from=second)) == ["L1", "L2"]
    later = rfc3339(parse_instant(second) + COMMITTED_WITHIN)
    assert list(await emsp.view(date_from=later)) == ["L1", "L2"], "it may have been committed while somebody pulled"
    assert list(await emsp.view(date_from=later.replace("001Z", "002"))) == ["L2"]
    assert list(await emsp.view(date_to=second)) == ["L0"]
    assert list(await emsp.view(date_to=just_after)) == ["L0", "L1"]
    assert list(await emsp.view(date_from=second, date_to=third)) == ["L1"]
    assert list(await emsp.view(date_from=third, date_to=second)) == []
    assert (await emsp.get("locations", {"date_from": second, "limit": 1})).headers["x-total-count"] == "2"


@pytest.mark.parametrize("seed", range(2))
async def test_who_always_asks_for_what_changed_since_knows_what_a_full_pull_says(
    fleet: Fleet, clock: FrozenClock, seed: int
) -> None:
    chance = random.Random(seed)
    uids = [f"{number}" for number in range(8)]
    await fleet.take_in(*(location(f"L{n}", evse(uids[2 * n]), evse(uids[2 * n + 1])) for n in range(4)))
    pullers = [await fleet.partner(version, version=version, gets_schedule=version != "2.1.1") for version in VERSIONS]
    known: dict[str, dict[str, Object]] = {one.version: await one.view() for one in pullers}
    planned: list[Any] = []
    for _ in range(20):
        uid = chance.choice(uids)
        match chance.randrange(6):
            case 0 | 1:
                begin = clock.now() + chance.randrange(90) * MINUTE
                until = begin + chance.randrange(1, 90) * MINUTE
                planned.append(
                    await plan(
                        fleet.service.writer,
                        f"DE*ABC*E{uid}",
                        kind=chance.choice(list(Kind)),
                        valid_from=begin,
                        valid_to=until,
                    )
                )
            case 2 if planned:
                await end(fleet.service.writer, planned.pop(chance.randrange(len(planned))))
            case 3:
                state = chance.choice([DeploymentState.STOCK, DeploymentState.PRODUCTION, DeploymentState.PRODUCTION])
                await register(fleet.service.writer, f"DE*ABC*E{uid}", deployment=state, uid=uid)
            case 4:
                await report(fleet.service.writer, chance.choice(["CHARGING", "AVAILABLE"]), f"DE*ABC*E{uid}")
            case _:
                clock.advance(timedelta(seconds=chance.choice([0, 1, 600, 3600])))
        if chance.random() < 0.8:
            await fleet.computed()
        asking = chance.choice(pullers)
        await _catch_up(asking, known[asking.version])
    await fleet.computed()
    for one in pullers:
        await _catch_up(one, known[one.version])
        assert known[one.version] == await one.view()


async def _catch_up(puller: Puller, known: dict[str, Object]) -> None:
    since = max(place["last_updated"] for place in known.values())
    known |= await puller.view(date_from=since, limit=2)


# Pages


async def test_pages_are_complete_and_in_order_while_windows_begin(fleet: Fleet, clock: FrozenClock) -> None:
    await fleet.take_in(*(location(f"L{number}", evse(f"{number}")) for number in range(7)))
    emsp = await fleet.partner()
    await window(fleet, "0", Kind.BLOCKED, START + MINUTE, START + HOUR)
    await window(fleet, "1", Kind.BLOCKED, START + MINUTE, START + HOUR)
    query = {"date_to": "2026-03-01T08:00:30Z", "limit": 2}
    first = await emsp.get("locations", query)
    assert [one["id"] for one in first.data] == ["L0", "L1"]
    assert (first.headers["x-total-count"], first.headers["x-limit"]) == ("7", "500")
    clock.advance(MINUTE)
    await fleet.computed()  # and L0 and L1 no longer are what was asked for
    link = first.headers["link"].removeprefix("<").removesuffix('>; rel="next"')
    second = await emsp.get(link)
    assert [one["id"] for one in second.data] == ["L2", "L3"]
    assert [len(page) for page in await emsp.pages(limit=3)] == [3, 3, 1]
    assert [one["id"] for page in await emsp.pages(limit=3) for one in page] == [f"L{number}" for number in range(7)]


async def test_a_link_keeps_what_was_asked_for_and_is_missing_on_the_last_page(fleet: Fleet) -> None:
    await fleet.take_in(*(location(f"L{number}", evse(f"{number}")) for number in range(3)))
    emsp = await fleet.partner()
    page = await emsp.get("locations", {"limit": 1, "date_from": "2020-01-01T00:00:00Z", "offset": 1})
    assert page.headers["link"].startswith("<http://evse-status.test/ocpi/2.2.1/locations?")
    for kept in ("limit=1", "date_from=2020-01-01T00%3A00%3A00Z", "offset=2"):
        assert kept in page.headers["link"]
    assert "link" not in (await emsp.get("locations", {"offset": 2})).headers
    assert "link" not in (await emsp.get("locations", {"limit": 3})).headers
    beyond = await emsp.get("locations", {"offset": 3})
    assert (beyond.data, beyond.headers["x-total-count"]) == ([], "3")


async def test_who_counts_offsets_on_its_own_finds_the_same(fleet: Fleet) -> None:
    await fleet.take_in(*(location(f"L{number}", evse(f"{number}")) for number in range(5)))
    emsp = await fleet.partner()
    by_offset = [(await emsp.get("locations", {"offset": number, "limit": 1})).data[0]["id"] for number in range(5)]
    assert by_offset == [f"L{number}" for number in range(5)]
    link = (await emsp.get("locations", {"limit": 1})).headers["link"].removeprefix("<").partition(">")[0]
    leapt = await emsp.get(link.replace("offset=1", "offset=3"))
    assert [one["id"] for one in leapt.data] == ["L3"]


WRONG = [
    *(("limit", value) for value in ("0", "-1", "1.5", "", "x", "+1", "\u0661", "9" * 16)),
    *(("offset", value) for value in ("-1", "", "x", "9" * 16)),
    *(("date_from", value) for value in ("", "yesterday", "2026-03-01", "2026-13-01T00:00:00Z", "1", "2026")),
    ("date_to", "2026-02-29T00:00:00Z"),
    ("date_to", "1999-13-01T00:00:00Z"),
]
AT_THE_EDGE = [
    ({"limit": "1"}, 1),
    ({"limit": "999999999999999"}, 2),
    ({"offset": "0"}, 2),
    ({"offset": "999999999999999"}, 0),
    ({"date_from": "1970-01-01T00:00:00Z"}, 2),
    ({"date_from": "1996-02-29T00:00:00"}, 2),
    ({"date_to": "1999-12-31T23:59:59.999Z"}, 0),
    ({"date_from": "9999-12-31T23:59:59Z"}, 0),
    ({"date_to": "2100-01-01T00:00:00Z"}, 2),
    ({"limit": "2", "x_unknown": "1"}, 2),
    ({"after": "nonsense"}, 2),
]


async def test_a_parameter_that_cannot_be_read_is_named(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    for name, value in WRONG:
        answer = await emsp.get("locations", {name: value})
        assert (answer.http, answer.code) == (200, 2001), (name, value)
        assert name in answer.envelope["status_message"]
        assert "data" not in answer.envelope


async def test_a_parameter_at_the_edge_is_read(fleet: Fleet) -> None:
    await fleet.take_in(location("L1", evse("1")), location("L2", evse("2")))
    emsp = await fleet.partner()
    for query, found in AT_THE_EDGE:
        assert len((await emsp.get("locations", query)).data) == found, query


async def test_no_page_is_empty_but_the_last_for_many_take_such_a_page_for_it(fleet: Fleet) -> None:
    unsayable = [location(f"L{number}", evse(f"{number}", connectors=[])) for number in range(1, 5)]
    await fleet.take_in(location("L0", evse("0")), *unsayable, location("L9", evse("9")))
    emsp = await fleet.partner()
    first = await emsp.get("locations", {"limit": 1})
    assert [one["id"] for one in first.data] == ["L0"]
    second = await emsp.get(first.headers["link"].partition("<")[2].partition(">")[0])
    assert [one["id"] for one in second.data] == ["L9"]
    assert "link" not in second.headers
