"""Lists, filtered by anything: SQL and the domain agree on what is in them, and pages show it all once."""

import itertools
import random
import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from app.domain.evse import Evse
from app.domain.interval import Interval
from app.domain.permission import Action, Allowed, On, may
from app.domain.presentation import Gate, What, present
from app.domain.principal import Principal, Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.domain.status import ActualStatus, DeploymentState, Kind
from app.domain.temporary_status import State, TemporaryStatus
from app.store import reading
from app.store.commands.ending import End
from app.store.database import Database
from app.store.due import AT_ONCE
from app.store.fleet_lists import SHOWN, InEffect
from app.store.reading import FleetQuery, TemporaryQuery
from app.store.rows import evse_values, temporary_status_values, what_text
from app.store.spans import HOUR, NO_STEP, STEPS, at_instant, span_of, step_of
from app.store.tables import metadata
from app.store.temporary_lists import Place
from app.store.writer import Writer
from tests.builders import ADMIN, MINUTE, plan, register
from tests.clock import START, FrozenClock

searched = settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

DAY: Final = timedelta(days=1)
#: Instants as far from each other as the steps are long, and such as meet.
TIMES: Final = [START + hours * HOUR for hours in (-3000, -400, -48, -8, -1, 0, 1, 2, 8, 9, 50, 400, 3000)]
KEYS: Final = ("parking-sensor", "booking-system", "operations-centre")
PLACES: Final = [("DE", "ABC", "LOC1"), ("DE", "XYZ", "LOC1"), ("DE", "ABC", "LOC2"), ("DE", "ABC", None)]
SCOPES: Final = [
    Scope(),
    Scope(operators=("DEABC",)),
    Scope(operators=("DEXYZ", "DEABC")),
    Scope(sites=(("DE", "ABC", "LOC1"),), evses=(4,)),
    Scope(operators=("DEXYZ",), sites=(("DE", "ABC", "LOC2"),)),
]
HOLDERS: Final = [
    Principal(KEYS[0], Role.CLIENT),
    Principal(KEYS[0], Role.ADMIN),
    *(Principal(KEYS[1], Role.TECHNICIAN, Rights(scope=scope)) for scope in SCOPES),
]


def evses() -> list[Evse]:
    """Twelve EVSEs at three locations, in every deployment state."""
    return [
        Evse(
            id=number,
            evse_id=f"{country}*{party}*E{number}",
            key=f"{country}{party}E{number}",
            operator=country + party,
            country=country,
            party=party,
            uid=str(number),
            location=location,
            deployment=list(DeploymentState)[0 if number == 5 else 2 if number == 9 else 1],
            actual_status=list(ActualStatus)[number % 5],
            created_by="backend",
            created_at=START,
            updated_at=TIMES[number],
        )
        for number, (country, party, location) in enumerate(itertools.islice(itertools.cycle(PLACES), 12), 1)
    ]


def histories() -> list[TemporaryStatus]:
    """Every beginning with every end and early end, the rest drawn by lot."""
    lot = random.Random(7)
    ways = [Interval(begin, end) for begin in TIMES for end in (None, *TIMES) if end is None or end > begin]
    found = []
    for number, (interval, early) in enumerate(itertools.product(ways, (None, 0, 1)), 1):
        # An early end is stored when it comes, so none lies ahead.
        ended = None if early is None else min(START, interval.begin + lot.choice((-1, 0, 1, 30)) * HOUR)
        found.append(
            TemporaryStatus(
                id=number,
                evse=lot.randint(1, 12),
                kind=lot.choice(list(Kind)),
                interval=interval,
                created_by=lot.choice(KEYS),
                created_at=min(START, interval.begin),
                updated_at=lot.choice(TIMES[:6]),
                ref=None if ended is None else lot.choice(("bay-1", "bay-2")),  # one of a key at most is live
                batch=lot.choice((None, "b1", "b2")),
                ended_at=ended,
            )
        )
    return found


EVSES: Final = {one.id: one for one in evses()}
HISTORIES: Final = histories()

instants = st.sampled_from([time + step for time in TIMES for step in (-MINUTE, timedelta(), MINUTE)])
places = st.builds(
    Place,
    location=st.sampled_from(["LOC1", "LOC2", "LOC404"]),
    country=st.sampled_from([None, "DE", "AT"]),
    party=st.sampled_from([None, "ABC", "XYZ"]),
)


def any_of(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.one_of(*strategies)


wanted = st.fixed_dictionaries(
    {"by": st.sampled_from(HOLDERS), "limit": st.sampled_from([7, 40, 300])},
    optional={
        "evses": st.lists(st.integers(1, 13), min_size=1, max_size=3, unique=True).map(tuple),
        "place": places,
        "operator": st.sampled_from(["DEABC", "DEXYZ", "DENOT"]),
        "kinds": st.lists(st.sampled_from(Kind), min_size=1, max_size=3, unique=True).map(tuple),
        "state": st.sampled_from(State),
        "active_at": instants,
        "shares_from": instants,
        "shares_until": instants,
        "ends_until": instants,
        "created_by": st.sampled_from([*KEYS, "nobody"]),
        "ref": st.sampled_from(["bay-1", "bay-404"]),
        "batch": st.sampled_from(["b1", "b404"]),
        "updated_since": instants,
    },
)


def belongs(one: TemporaryStatus, query: TemporaryQuery, at: datetime) -> bool:
    """Whether the domain says that it is wanted."""
    evse, edges = EVSES[one.evse], one.edges()
    effect = Interval(edges[0], edges[1] if len(edges) > 1 else None) if edges else None
    far_off = START - 9999 * DAY
    span = Interval(query.shares_from or far_off, query.shares_until)
    in_time = (query.shares_from, query.shares_until) == (None, None) or (effect is not None and effect.overlaps(span))
    return (
        isinstance(may(query.by, Action.SEE, On(evse, one)), Allowed)
        and (not query.evses or one.evse in query.evses)
        and (query.place is None or stands_at(evse, query.place))
        and query.operator in {None, evse.operator}
        and (not query.kinds or one.kind in query.kinds)
        and (query.state is None or one.state(at) is query.state)
        and (query.active_at is None or one.state(query.active_at) is State.ACTIVE)
        and in_time
        and (query.ends_until is None or (one.interval.end is not None and one.interval.end <= query.ends_until))
        and query.created_by in {None, one.created_by}
        and query.ref in {None, one.ref}
        and query.batch in {None, one.batch}
        and (query.updated_since is None or one.updated_at >= query.updated_since)
    )


def stands_at(evse: Evse, place: Place) -> bool:
    return (
        evse.location == place.location and place.country in {None, evse.country} and place.party in {None, evse.party}
    )


@pytest.fixture
async def filled(database: Database) -> Database:
    """All of them; what is shown is as the last look at the EVSE left it, and of some nobody has looked since."""
    shown = [
        {
            "evse": evse.id,
            "what": what_text(shown_now(evse) if evse.id % 3 else Gate.WITHHELD),
            "version": 1,
            "last_updated": TIMES[evse.id - 1],
            "recheck_at": START + HOUR if evse.id % 3 else AT_ONCE,
        }
        for evse in EVSES.values()
    ]
    async with database.write() as connection:
        await connection.execute(insert(metadata.tables["evse"]), [evse_values(one) for one in EVSES.values()])
        await connection.execute(insert(metadata.tables["presented"]), shown)
        values = [temporary_status_values(one, EVSES[one.evse].operator) for one in HISTORIES]
        await connection.execute(insert(metadata.tables["temporary_status"]), values)
    return database


def on(evse: Evse) -> list[TemporaryStatus]:
    return [one for one in HISTORIES if one.evse == evse.id and not one.is_over(START)]


def shown_now(evse: Evse) -> What:
    return present(evse.deployment, evse.actual(None), on(evse), START).what


async def pages(query: Any, read: Callable[[Any], Any]) -> list[int]:
    """All pages, one after the other, as keys; each but the last is full."""
    seen: list[int] = []
    while True:
        page = [one.id for one in await read(query)]
        seen += page
        if len(page) < query.limit:
            return seen
        query = msgspec.structs.replace(query, after=page[-1])


# Temporary statuses


def test_the_histories_are_of_every_length() -> None:
    assert {step_of(one) for one in HISTORIES} == {*STEPS, NO_STEP}
    assert {one.state(START) for one in HISTORIES} == set(State)


@given(
    begin=st.integers(0, 10_000),
    minutes=st.integers(1, 3000 * 60) | st.sampled_from([60 * one for one in STEPS]),
    part=st.floats(0, 1),
)
def test_what_is_in_effect_is_in_one_of_the_spans_of_that_instant(begin: int, minutes: int, part: float) -> None:
    interval = Interval(START + begin * MINUTE, START + (begin + minutes) * MINUTE)
    one = msgspec.structs.replace(HISTORIES[0], interval=interval, ended_at=None)
    last = minutes * MINUTE - timedelta(milliseconds=1)
    for at in (interval.begin, interval.begin + part * last, interval.begin + last):
        assert one.is_active(at)
        assert span_of(one) in at_instant(at)
    assert span_of(one) not in at_instant(interval.begin - 2401 * HOUR) or span_of(one) == NO_STEP


@searched
@given(said=wanted)
async def test_sql_and_the_domain_agree_on_what_is_wanted(filled: Database, said: dict[str, Any]) -> None:
    if (begin := said.get("shares_from")) and (end := said.get("shares_until")) and end <= begin:
        said["shares_until"] = begin + MINUTE
    query = TemporaryQuery(**said)
    async with filled.read() as connection:

        async def read(page: TemporaryQuery) -> list[TemporaryStatus]:
            return [one for one, _ in await reading.temporary_statuses(connection, page, START)]

        assert await pages(query, read) == [one.id for one in HISTORIES if belongs(one, query, START)]


@pytest.mark.parametrize("hours", [*STEPS])
async def test_a_step_reaches_as_far_back_as_it_is_long(database: Database, writer: Writer, hours: int) -> None:
    evse = await register(writer)
    one = await plan(writer, valid_from=START, valid_to=START + hours * HOUR)
    longer = await plan(writer, valid_from=START, valid_to=START + hours * HOUR + MINUTE)
    assert step_of(one) == hours
    assert step_of(longer) != hours
    last = START + hours * HOUR - timedelta(milliseconds=1)
    for at, expected in ((last, [one.id, longer.id]), (START + hours * HOUR, [longer.id]), (START - MINUTE, [])):
        for query in (
            TemporaryQuery(active_at=at),
            TemporaryQuery(shares_from=at, shares_until=at + timedelta(milliseconds=1)),
        ):
            async with database.read() as connection:
                found = await reading.temporary_statuses(connection, query, START - DAY)
            assert [(each.id, its.id) for each, its in found] == [(number, evse.id) for number in expected]


steps = st.lists(st.sampled_from(["plan", "end", "page"]), min_size=3, max_size=9)


@pytest.fixture
async def embedded(embedded_url: str) -> AsyncGenerator[tuple[Database, Writer]]:
    opened = Database(embedded_url)
    started = Writer(opened, FrozenClock())
    await started.start()
    yield opened, started
    await started.stop()
    await opened.close()


@settings(searched, max_examples=6)
@given(steps=steps, before=st.integers(3, 8), limit=st.integers(1, 3), lot=st.randoms())
async def test_what_is_there_all_the_time_is_seen_once_whatever_comes_and_goes(
    embedded: tuple[Database, Writer], steps: list[str], before: int, limit: int, lot: random.Random
) -> None:
    database, writer = embedded
    name = uuid.uuid4().hex.upper()
    by, evse = Principal(name, Role.OPERATIONS), await register(writer, f"DE*ABC*E{name[:20]}")
    there = [(await plan(writer, str(evse.evse_id), by=by)).id for _ in range(before)]
    gone: set[int] = set()
    # Along an index of what is live, along that of times, and along the keys.
    lists = (
        TemporaryQuery(state=State.ACTIVE, evses=(evse.id,), limit=limit),
        TemporaryQuery(active_at=START, created_by=name, limit=limit),
        TemporaryQuery(by=Principal(name, Role.CLIENT), limit=limit),
    )
    seen: dict[TemporaryQuery, list[int]] = {one: [] for one in lists}

    async def read_on(one: TemporaryQuery) -> bool:
        wanted = msgspec.structs.replace(one, after=max(seen[one], default=0))
        async with database.read() as connection:
            page = await reading.temporary_statuses(connection, wanted, START)
        seen[one] += [each.id for each, _ in page]
        return len(page) == limit

    for step in steps:
        if step == "plan":
            await plan(writer, str(evse.evse_id), by=by)
        elif step == "end" and len(gone) < len(there) - 1:
            goes = lot.choice([one for one in there if one not in gone])
            await writer.run(End(ADMIN, goes))
            gone.add(goes)
        else:
            for one in lists:
                await read_on(one)
    for one in lists:
        while await read_on(one):
            pass
        assert seen[one] == sorted(set(seen[one]))
        assert set(seen[one]) >= set(there) - gone


# EVSEs

fleets = st.fixed_dictionaries(
    {"by": st.sampled_from(HOLDERS), "limit": st.integers(1, 5)},
    optional={
        "evses": st.lists(st.integers(1, 13), min_size=1, max_size=3, unique=True).map(tuple),
        "place": places,
        "operator": st.sampled_from(["DEABC", "DEXYZ", "DENOT"]),
        "deployment": st.sampled_from(DeploymentState),
        "actual": st.lists(st.sampled_from(ActualStatus), min_size=1, max_size=3, unique=True).map(tuple),
        "shown": st.lists(st.sampled_from(SHOWN), min_size=1, max_size=3, unique=True).map(tuple),
        "in_effect": st.builds(
            InEffect,
            at=instants,
            kinds=st.lists(st.sampled_from(Kind), max_size=2).map(tuple),
            ends_until=st.none() | instants,
            created_by=st.none() | st.sampled_from(KEYS),
        ),
        "updated_since": instants,
    },
)


def is_wanted(evse: Evse, query: FleetQuery) -> bool:
    seen = [
        one
        for one in HISTORIES
        if one.evse == evse.id and isinstance(may(query.by, Action.SEE, On(evse, one)), Allowed)
    ]
    touched = [evse.updated_at, TIMES[evse.id - 1], *(one.updated_at for one in seen)]
    return (
        query.scope.covers(evse)
        and (not query.evses or evse.id in query.evses)
        and (query.place is None or stands_at(evse, query.place))
        and query.operator in {None, evse.operator}
        and query.deployment in {None, evse.deployment}
        and (not query.actual or evse.actual_status in query.actual)
        and (not query.shown or shown_now(evse).value in query.shown)
        and (query.in_effect is None or any(has(one, query.in_effect) for one in seen))
        and (query.updated_since is None or max(touched) >= query.updated_since)
    )


def has(one: TemporaryStatus, asked: InEffect) -> bool:
    end = one.interval.end
    return (
        one.state(asked.at) is State.ACTIVE
        and (not asked.kinds or one.kind in asked.kinds)
        and (asked.ends_until is None or (end is not None and end <= asked.ends_until))
        and asked.created_by in {None, one.created_by}
    )


@searched
@given(said=fleets)
async def test_sql_and_the_domain_agree_on_the_fleet(filled: Database, said: dict[str, Any]) -> None:
    query = FleetQuery(scope=said["by"].rights.scope, **said)
    async with filled.read() as connection:

        async def read(page: FleetQuery) -> list[Evse]:
            if page.shown:
                return await reading.fleet_showing(connection, page, START, None)
            return await reading.fleet(connection, page)

        assert await pages(query, read) == [one.id for one in EVSES.values() if is_wanted(one, query)]
