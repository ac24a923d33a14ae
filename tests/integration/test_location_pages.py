"""The pages of locations: how much is on them, and that the database goes straight to it."""

import tracemalloc
from typing import Any, Final

import pytest

from app.domain.partner import Audience, Partner
from app.store import location_pages, partners
from app.store.database import Database
from app.store.location_pages import MOST_EVSES, Wanted
from app.store.tables import metadata
from tests.builders import stored
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import add_partner
from tests.integration.test_query_plans import plan_of

EVERYTHING: Final = Wanted()
FILLING: Final = "x" * 2000  #: about what a charger has in connectors and pictures


async def make_locations(database: Database, sizes: list[int]) -> None:
    """Insert locations with so many EVSEs each, all in production; the EVSEs in an order that is not theirs."""
    common = {"operator": "DEABC", "created_by": "test", "created_at": START, "updated_at": START}
    places = [
        {
            "id": number,
            "country": "DE",
            "party": "ABC",
            "location": f"L{number}",
            "ocpi_object": {"id": f"L{number}"},
            "ocpi_version": "2.2.1",
            "changed_at": START,
            "created_by": "test",
            "created_at": START,
        }
        for number, _ in enumerate(sizes, 1)
    ]
    stands = [place["location"] for place, size in zip(places, sizes, strict=True) for _ in range(size)]
    evses: list[dict[str, Any]] = [
        {
            **common,
            "id": number,
            "country": "DE",
            "party": "ABC",
            "uid": f"E{number}",
            "location": location,
            "deployment_state": "PRODUCTION",
            "actual_status": "AVAILABLE",
            "ocpi_object": {"uid": f"E{number}", "images": FILLING},
            "ocpi_version": "2.2.1",
        }
        for number, location in enumerate(reversed(stands), 1)
    ]
    known = [{"evse": one["id"], "what": "actual:AVAILABLE", "version": 1, "last_updated": START} for one in evses]
    async with database.write() as connection:
        await connection.execute(metadata.tables["location"].insert(), places)
        await connection.execute(metadata.tables["evse"].insert(), evses)
        await connection.execute(metadata.tables["presented"].insert(), known)
        if not database.embedded:
            await connection.exec_driver_sql("ANALYZE")


async def sizes_of_pages(database: Database, partner: Partner, limit: int) -> list[list[int]]:
    """Read all pages, and count the EVSEs of each location on them."""
    pages: list[list[int]] = []
    after: int | None = 0
    while after is not None:
        async with database.read() as connection:
            page = await location_pages.page(connection, partner, EVERYTHING, limit=limit, after=after)
        assert page.length == len(page.sites)
        pages.append([len(site.truths) for site in page.sites])
        after = page.following
    return pages


async def test_a_page_ends_early_where_many_evses_stand_and_a_location_is_never_cut(
    database: Database, clock: FrozenClock
) -> None:
    most = MOST_EVSES
    await make_locations(database, [1, most - 1, 1, most + 1, 2, 2])
    partner = await add_partner(database, clock, "emsp")
    assert await sizes_of_pages(database, partner, 100) == [[1, most - 1], [1], [most + 1], [2, 2]]
    async with database.read() as connection:
        assert await location_pages.count(connection, partner, EVERYTHING) == 6


async def test_a_page_takes_the_memory_of_a_page_however_large_the_fleet(embedded_url: str, clock: FrozenClock) -> None:
    database = Database(embedded_url)
    await make_locations(database, [5] * 1000)
    partner = await add_partner(database, clock, "emsp")
    await sizes_of_pages(database, partner, 20)  # once, for what is made only once
    tracemalloc.start()
    assert len(await sizes_of_pages(database, partner, 20)) == 50
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await database.close()
    assert most < 2 * 1024 * 1024  # all EVSEs together are ten


async def test_locations_and_their_evses_are_found_through_their_indexes(
    database: Database, clock: FrozenClock
) -> None:
    await make_locations(database, [2] * 1000)
    audience = Audience(operators=("DE*ABC",))
    partner = await add_partner(database, clock, "emsp", audience=audience)

    async def page(connection: Any, _partner: Partner) -> None:
        found = await location_pages.page(connection, partner, EVERYTHING, limit=5, after=500)
        assert [len(site.truths) for site in found.sites] == [2] * 5

    async def find(connection: Any, _partner: Partner) -> None:
        (found,) = await location_pages.find(connection, partner, "L7", any_case=True)
        assert found.location.id == "L7"

    for query in (page, find):
        plan = await plan_of(database, query, partner)
        assert "ix_evse_location_country_party" in plan, plan
        for table in ("evse", "presented", "delivery"):
            assert f"Seq Scan on {table}" not in plan.replace("Seq Scan on delivery  (cost=0.00..0.00", ""), plan
            assert not any(line.startswith(f"SCAN {table}") for line in plan.splitlines()), plan


@pytest.mark.parametrize("paused", [False, True])
async def test_a_partner_is_found_by_the_digest_of_its_token(
    database: Database, clock: FrozenClock, paused: bool
) -> None:
    await add_partner(database, clock, "silent")
    emsp = await add_partner(database, clock, "emsp", caller="digest", paused=paused)
    async with database.read() as connection:
        assert await partners.by_caller(connection, {"other", "digest"}) == emsp
        assert await partners.by_caller(connection, {"other"}) is None
        assert await partners.by_caller(connection, set()) is None
    assert [row["caller"] for row in await stored(database, "partner")] == [None, "digest"]
