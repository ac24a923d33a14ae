"""A scope means the same in SQL as in Python: near misses of operators, sites and EVSEs are none of its own."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from app.domain.evse import Evse
from app.domain.scope import EVERYTHING, Scope
from app.store import reading
from app.store.database import Database
from app.store.reach import covered
from app.store.reading import FleetQuery
from app.store.tables import metadata
from tests.builders import stored
from tests.clock import START

_evse = metadata.tables["evse"]
OPERATORS = ["DEABC", "DEABD", "DEAB", "deabc", "49*810", "4*9810", "DE%", "DEAB_", "DEABC\u0130"]
COUNTRIES = ["DE", "de", "D"]
PARTIES = ["ABC", "EABC", "AB%"]
LOCATIONS = ["LOC1", "LOC", "loc1", "LOC12", "L%", "LOC_", ""]

sites = st.tuples(st.sampled_from(COUNTRIES), st.sampled_from(PARTIES), st.sampled_from(LOCATIONS))
scopes = st.builds(
    Scope,
    operators=st.lists(st.sampled_from(OPERATORS), max_size=3).map(tuple),
    sites=st.lists(sites, max_size=4).map(tuple),
    evses=st.lists(st.integers(1, 260), max_size=4).map(tuple),
)


@pytest.fixture
async def fleet(database: Database) -> list[Evse]:
    """An EVSE of each operator at each site, and one that stands nowhere."""
    places = [(country, party, at) for country in COUNTRIES for party in PARTIES for at in (*LOCATIONS, None)]
    common = {"deployment_state": "PRODUCTION", "actual_status": "UNKNOWN", "created_by": "test"}
    rows: list[dict[str, Any]] = []
    for number, (country, party, location) in enumerate(places):
        for step in range(3):
            operator = OPERATORS[(number + step) % len(OPERATORS)]
            place = {"country": country, "party": party, "location": location, "uid": str(len(rows))}
            rows.append({**common, **place, "operator": operator, "created_at": START, "updated_at": START})
    async with database.write() as connection:
        await connection.execute(insert(_evse), rows)
    async with database.read() as connection:
        return await reading.fleet(connection, FleetQuery(limit=1000))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scope=scopes)
async def test_sql_and_the_domain_agree_on_what_a_scope_covers(
    database: Database, fleet: list[Evse], scope: Scope
) -> None:
    async with database.read() as connection:
        found = (await connection.execute(select(_evse.c.id).where(covered(scope)).order_by(_evse.c.id))).scalars()
        assert list(found) == [one.id for one in fleet if scope.covers(one)]


async def test_a_page_of_the_fleet_is_full_of_what_is_in_scope(database: Database, fleet: list[Evse]) -> None:
    scope = Scope(operators=("DEABC",), sites=(("DE", "ABC", "LOC1"),))
    mine = [one for one in fleet if scope.covers(one)]
    assert len(mine) > 6
    async with database.read() as connection:
        first = await reading.fleet(connection, FleetQuery(scope=scope, limit=5))
        second = await reading.fleet(connection, FleetQuery(scope=scope, limit=1000, after=first[-1].id))
    assert first == mine[:5]
    assert first + second == mine


async def test_a_scope_of_very_many_sites_and_evses_can_be_asked_for(database: Database, fleet: list[Evse]) -> None:
    sites = tuple(("DE", "ABC", f"LOC{number}") for number in range(5000))
    scope = Scope(sites=sites, evses=tuple(range(1, 5000, 2)))
    async with database.read() as connection:
        found = await reading.fleet(connection, FleetQuery(scope=scope, limit=1000))
    assert found == [one for one in fleet if scope.covers(one)]


async def test_no_scope_is_everything(database: Database, fleet: list[Evse]) -> None:
    assert len(await stored(database, "evse")) == len(fleet) == 216
    async with database.read() as connection:
        assert await reading.fleet(connection, FleetQuery(scope=EVERYTHING, limit=1000)) == fleet
