"""The fleet, filtered and in pages."""

import pytest

from tests.integration.api.calls import EVSES, Client, get, good, plan, refusal, register


@pytest.fixture
async def fleet(admin: Client) -> list[str]:
    """Seven EVSEs in the order they were registered: odd ones at LOC1, the first and the last in stock."""
    evse_ids = [f"DE*ABC*E{number}" for number in (9, 1, 8, 2, 7, 3, 6)]
    for position, evse_id in enumerate(evse_ids):
        state = "STOCK" if position in {0, 6} else "PRODUCTION"
        await register(admin, evse_id, deploymentState=state, locationId="LOC1" if position % 2 else "LOC2")
    return evse_ids


async def test_in_the_order_it_was_registered(reader: Client, fleet: list[str]) -> None:
    assert [one["evseId"] for one in await get(reader, EVSES)] == fleet


async def test_an_item_says_the_same_as_the_evse_alone(reader: Client, sensor: Client, fleet: list[str]) -> None:
    await plan(sensor, fleet[3], "MAINTENANCE")
    for one in await get(reader, EVSES):
        assert one == await get(reader, f"{EVSES}/{one['evseId']}")
    assert (await get(reader, EVSES))[3]["presented"]["oicp"]["status"] == "OutOfService"


async def test_filters(reader: Client, fleet: list[str], subtests: pytest.Subtests) -> None:
    for query, expected in (
        ({"locationId": "LOC1"}, fleet[1::2]),
        ({"deploymentState": "STOCK"}, [fleet[0], fleet[6]]),
        ({"locationId": "LOC1", "deploymentState": "STOCK"}, []),
        ({"locationId": "LOC404"}, []),
        ({"locationId": ""}, []),
    ):
        with subtests.test(**query):
            assert [one["evseId"] for one in await get(reader, EVSES, **query)] == expected


async def test_pages_are_linked_and_show_everything_once(reader: Client, fleet: list[str]) -> None:
    answer = await reader.get(EVSES, params={"limit": 2, "deploymentState": "PRODUCTION"})
    pages = [[one["evseId"] for one in good(answer)]]
    while "next" in answer.links:
        answer = await reader.get(answer.links["next"]["url"])
        pages.append([one["evseId"] for one in good(answer)])
    assert pages == [fleet[1:3], fleet[3:5], fleet[5:6]]


async def test_a_page_may_be_read_while_the_fleet_grows(admin: Client, reader: Client, fleet: list[str]) -> None:
    first = await reader.get(EVSES, params={"limit": 6})
    await register(admin, "DE*ABC*E100")
    rest = await reader.get(first.links["next"]["url"])
    assert [one["evseId"] for one in good(rest)] == [fleet[6], "DE*ABC*E100"]


async def test_a_filter_that_cannot_be_read_is_named(reader: Client, subtests: pytest.Subtests) -> None:
    for query, parameter in (
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"deploymentState": "FIELD"}, "deploymentState"),
        ({"locationId": "\x00"}, "locationId"),
        ({"cursor": "nonsense"}, "cursor"),
    ):
        with subtests.test(**query):
            refusal(await reader.get(EVSES, params=query), 400, parameter=parameter)
