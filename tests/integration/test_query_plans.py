"""The queries that run all day find their rows through an index, however many rows there are beside them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeAlias

import msgspec
import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.brake import Brake, Group
from app.domain.delivery import Aspect, Delivery
from app.domain.evse_id import parse_evse_id
from app.domain.interval import Interval
from app.domain.partner import Partner
from app.domain.principal import Principal, Role
from app.domain.rights import Rights
from app.domain.scope import EVERYTHING, Scope
from app.domain.status import ActualStatus, DeploymentState, Kind
from app.domain.temporary_status import State, TemporaryStatus
from app.domain.whole import Whole
from app.schedule.resolving import resolve
from app.store import (
    batched_brakes,
    cores,
    deliveries,
    explanations,
    keys,
    looking_up,
    owing,
    partners,
    presented,
    reading,
    stock,
    wholes,
)
from app.store.batch import Batch
from app.store.batched_answers import BatchedAnswers
from app.store.batched_references import BatchedReferences
from app.store.database import Database
from app.store.due import mark_due
from app.store.fleet_lists import InEffect
from app.store.hearing import write_heard
from app.store.needs import Needs
from app.store.rows import delivery_values, temporary_status_values
from app.store.tables import metadata
from tests.builders import HOUR
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import LIMITS, add_partner
from tests.integration.test_clockwork import make_fleet

Query: TypeAlias = Callable[[AsyncConnection, Partner], Awaitable[Any]]
COUNT: Final = 5000
SECOND: Final = timedelta(seconds=1)
DAY: Final = timedelta(days=1)


@pytest.fixture
async def filled(database: Database, clock: FrozenClock) -> tuple[Database, Partner]:
    """A fleet of which little is due, and two partners that were told of it and are owed a part of it much later."""
    fleet = await make_fleet(database, COUNT, START, START + HOUR)
    receivers = [await add_partner(database, clock, name) for name in ("app", "other")]
    tables = metadata.tables
    owed = [
        delivery_values(
            Delivery(
                partner=receiver.id,
                evse=evse,
                want=2,
                acked=2,
                shared_at=START,
                generation=1,
                next_at=START + HOUR if evse % 4 == 0 else START if evse % 100 == 1 else None,
            )
        )
        for receiver in receivers
        for evse in fleet
    ]
    async with database.write() as connection:
        update = tables["presented"].update()
        await connection.execute(update.values(recheck_at=START + HOUR))
        await connection.execute(update.where(tables["presented"].c.evse % 100 == 1).values(recheck_at=START))
        await connection.execute(tables["delivery"].insert(), owed)
        of_calls = [{"owner": f"key-{number % 10}", "at": START} for number in range(COUNT)]
        refs = [{**one, "ref": str(number), "blind": False} for number, one in enumerate(of_calls)]
        told = [
            {**one, "key": str(number), "digest": "d", "status": 201, "answer": "{}"}
            for number, one in enumerate(of_calls)
        ]
        await connection.execute(tables["reference"].insert(), refs)
        await connection.execute(tables["idempotency"].insert(), told)
        change = {"at": START - HOUR, "operator": "DEABC", "version": 1, "from_what": "gate:WITHHELD"}
        changes = [{**change, "evse": evse, "to_what": "actual:AVAILABLE"} for evse in fleet]
        await connection.execute(tables["presented_change"].insert(), changes)
        attempt = {"at": START - HOUR, "partner": receivers[0].id, "aspect": "status", "version": 1, "said": "x"}
        attempts = [{**attempt, "evse": evse, "outcome": "Delivered", "took_ms": 1} for evse in fleet]
        await connection.execute(tables["attempt"].insert(), attempts)
        if not database.embedded:
            await connection.exec_driver_sql("ANALYZE")
    return database, receivers[0]


async def plan_of(database: Database, query: Query, partner: Partner) -> str:
    """How the database goes about the statements that `query` really sends: a line a step, a paragraph a statement."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        sent.append((statement, parameters[0] if many else parameters))

    plans: list[str] = []
    async with database.write() as connection:
        raw = connection.sync_connection
        event.listen(raw, "before_cursor_execute", note)
        await query(connection, partner)
        event.remove(raw, "before_cursor_execute", note)
        for statement, parameters in sent:
            explain = "EXPLAIN QUERY PLAN" if database.embedded else "EXPLAIN"
            rows = (await connection.exec_driver_sql(f"{explain} {statement}", tuple(parameters))).all()
            plans.append("\n".join(str(row[-1]).strip() for row in rows))
    assert plans
    return "\n\n".join(plans)


async def take_due(connection: AsyncConnection, _partner: Partner) -> None:
    assert len(await presented.take(connection, START, 500)) == COUNT / 100


async def claim(connection: AsyncConnection, partner: Partner) -> None:
    def take(row: Delivery) -> Delivery:
        return msgspec.structs.replace(row, in_flight=True, token="t", lease_until=START + 35 * SECOND)

    assert len(await deliveries.claim(connection, partner, START, 16, LIMITS.lease, take)) == 16


async def next_due(connection: AsyncConnection, partner: Partner) -> None:
    assert await deliveries.next_due(connection, partner, START - SECOND, LIMITS.lease) == START


async def live(connection: AsyncConnection, _partner: Partner) -> None:
    assert len(await presented.live_by_evse(connection, [7, 8], START)) == 2


async def show(connection: AsyncConnection, _partner: Partner) -> None:
    due = await presented.complete(connection, await presented.take(connection, START, 500), START)
    await presented.write(connection, [resolve(one, START, None) for one in due])


async def windows(connection: AsyncConnection, _partner: Partner) -> None:
    assert len(await cores.windows_by_evse(connection, [7, 8], START)) == 2


async def move_on(connection: AsyncConnection, partner: Partner) -> None:
    assert await owing.move_on(connection, partner.id, 1, Aspect.STATUS, [7, 8], START) == 2


async def count_right(connection: AsyncConnection, partner: Partner) -> None:
    assert await owing.count_right(connection, partner.id, 1, Aspect.STATUS, [7, 8]) == 2


async def is_any_wrong(connection: AsyncConnection, partner: Partner) -> None:
    assert await owing.is_any_wrong(connection, partner.id, -1, [7, 8])


async def lock(connection: AsyncConnection, partner: Partner) -> None:
    await owing.lock(connection, [7, 8])
    await owing.count_right(connection, partner.id, 1, Aspect.STATUS, [7, 8])


async def next_recheck(connection: AsyncConnection, _partner: Partner) -> None:
    assert await presented.next_recheck(connection) == START


async def last_recheck(connection: AsyncConnection, _partner: Partner) -> None:
    assert await presented.last_recheck(connection) == START + HOUR


async def of_evses(connection: AsyncConnection, _partner: Partner) -> None:
    assert len(await deliveries.of_evses(connection, [7, 8])) == 4


async def recorded(connection: AsyncConnection, _partner: Partner) -> None:
    assert (await explanations.record(connection, 7, START)).latest is not None


async def considered(connection: AsyncConnection, _partner: Partner) -> None:
    assert len(await explanations.considered(connection, 7, START, START)) == 1
    await explanations.considered(connection, 7, START - SECOND, START)


async def told(connection: AsyncConnection, partner: Partner) -> None:
    assert list(await explanations.told(connection, 7, START)) == [partner.id]


async def settle(connection: AsyncConnection, partner: Partner) -> None:
    await deliveries.settle(connection, [(partner.id, evse, Aspect.STATUS) for evse in (7, 8)], lambda row: row)


async def mark(connection: AsyncConnection, _partner: Partner) -> None:
    await mark_due(connection, [7, 8])


async def load_reported(connection: AsyncConnection, _partner: Partner) -> None:
    ids = tuple(parse_evse_id(f"DE*ABC*E{number}") for number in range(1, 201))
    await Batch(START).load(connection, [Needs(evse_ids=ids, changes_evse=True, bare=True)])


async def load_planned(connection: AsyncConnection, _partner: Partner) -> None:
    ids = tuple(parse_evse_id(f"DE*ABC*E{number}") for number in range(1, 46))
    await Batch(START).load(connection, [Needs(evse_ids=ids)])


async def load_changed(connection: AsyncConnection, _partner: Partner) -> None:
    await Batch(START).load(connection, [Needs(temporary_ids=(7, 8))])


async def hear(connection: AsyncConnection, _partner: Partner) -> None:
    # So many that to read all of the table and join it looks cheap, as of a bulk of reports it does.
    await write_heard(connection, list((await presented.evses_by_id(connection, range(1, 201))).values()))


async def resend(connection: AsyncConnection, partner: Partner) -> None:
    assert await partners.resend(connection, partner, 7, START)


async def owe_active_anew(connection: AsyncConnection, partner: Partner) -> None:
    share = {"over": HOUR, "unless_since": START, "active_only": True}
    await deliveries.owe_anew(connection, partner.id, 700, 720, START, **share)  # type: ignore[arg-type]


async def list_own(connection: AsyncConnection, _partner: Partner) -> None:
    wanted = reading.TemporaryQuery(by=Principal("nobody", Role.CLIENT), after=7)
    assert await reading.temporary_statuses(connection, wanted, START) == []


async def list_at_sites(connection: AsyncConnection, _partner: Partner) -> None:
    scope = Scope(sites=(("DE", "ABC", "LOC1"), ("DE", "ABC", "LOC2"), ("DE", "XYZ", "LOC1")), evses=(COUNT + 1,))
    wanted = reading.TemporaryQuery(by=Principal("nobody", Role.READER, Rights(scope=scope)), after=7)
    assert await reading.temporary_statuses(connection, wanted, START) == []


async def list_of_operator(connection: AsyncConnection, _partner: Partner) -> None:
    scope = Scope(operators=("DEABC",))
    wanted = reading.TemporaryQuery(by=Principal("nobody", Role.READER, Rights(scope=scope)), after=7, limit=3)
    assert len(await reading.temporary_statuses(connection, wanted, START)) == 3


def listed(index: str, on_sqlite: str, on_postgresql: str, **wanted: Any) -> tuple[Query, str, str, str]:
    """A list of temporary statuses of which little is there beside much that is not wanted."""

    async def query(connection: AsyncConnection, _partner: Partner) -> None:
        assert await reading.temporary_statuses(connection, reading.TemporaryQuery(after=7, **wanted), START) == []

    query.__name__ = str(wanted)
    return query, index, on_sqlite, on_postgresql


def fleet_listed(index: str, on_sqlite: str, on_postgresql: str, **wanted: Any) -> tuple[Query, str, str, str]:
    """The same of EVSEs."""

    async def query(connection: AsyncConnection, _partner: Partner) -> None:
        asked = reading.FleetQuery(after=7, **wanted)
        if asked.shown:
            assert await reading.fleet_showing(connection, asked, START - HOUR, None) == []
        else:
            assert await reading.fleet(connection, asked) == []

    query.__name__ = str(wanted)
    return query, index, on_sqlite, on_postgresql


async def fleet_at_sites(connection: AsyncConnection, _partner: Partner) -> None:
    scope = Scope(sites=(("DE", "ABC", "LOC1"), ("DE", "ABC", "LOC2"), ("DE", "XYZ", "LOC1")), evses=(COUNT + 1,))
    assert await reading.fleet(connection, reading.FleetQuery(scope=scope)) == []


async def whole_location(connection: AsyncConnection, _partner: Partner) -> None:
    assert await wholes.evses_of(connection, Whole(location="LOC1"), EVERYTHING, 5001) == []


async def whole_operator(connection: AsyncConnection, _partner: Partner) -> None:
    assert await wholes.evses_of(connection, Whole(operator="DENOT"), EVERYTHING, 5001) == []


async def of_a_batch(connection: AsyncConnection, _partner: Partner) -> None:
    await Batch(START).load(connection, [Needs(batch="b-1")])


async def overridden_at_operator(connection: AsyncConnection, _partner: Partner) -> None:
    near = batched_brakes._near([START], Brake())
    query = batched_brakes._overridden(near)
    operator = metadata.tables["temporary_status"].c.operator
    assert await batched_brakes._by_group(connection, [Group(operator="DENOT")], query, operator) == {}


async def references(connection: AsyncConnection, _partner: Partner) -> None:
    await BatchedReferences().load(connection, [("key-7", "7"), ("key-8", "8")])


async def answers(connection: AsyncConnection, _partner: Partner) -> None:
    await BatchedAnswers().load(connection, [("key-7", "7"), ("key-8", "8")])


async def by_ref(connection: AsyncConnection, _partner: Partner) -> None:
    await Batch(START).load(connection, [Needs(refs=(("key-7", "7"), ("key-8", "8")))])


async def take_stock(connection: AsyncConnection, partner: Partner) -> None:
    taken = await stock.take(connection, START)
    assert (taken.overdue, taken.oldest, taken.touched) == (COUNT // 100, START, 0)
    one, owed = taken.partners[0]
    assert (one.id, owed) == (partner.id, stock.Owed(COUNT * 26 // 100, 0, 0))


CASES: Final[list[tuple[Query, str, str, str]]] = [
    (take_stock, "ix_delivery_owed", "(partner=?", "Index Cond: (partner = "),
    (take_stock, "ix_delivery_suspect", "(partner=?", "Index Cond: (partner = "),
    (take_stock, "ix_delivery_rejected", "(partner=?", "Index Cond: (partner = "),
    (take_due, "ix_presented_recheck_at", "(recheck_at<?)", "Index Cond: (recheck_at <= "),
    (claim, "ix_delivery_owed", "(partner=? AND next_at<?)", "Index Cond: ((partner = "),
    (next_due, "ix_delivery_owed", "(partner=?", "Index Cond: (partner = "),
    (live, "ix_temporary_status_live", "(evse=?", ""),
    (windows, "ix_temporary_status_live", "(evse=?", ""),
    (move_on, "delivery", "(partner=? AND evse=? AND aspect=?)", "Index Cond: ((partner = "),
    (count_right, "delivery", "(partner=? AND evse=? AND aspect=?)", "Index Cond: ((partner = "),
    (is_any_wrong, "delivery", "(partner=? AND evse=?)", "Index Cond: ((partner = "),
    (lock, "", "", "Index Cond: (evse = ANY"),
    (next_recheck, "ix_presented_recheck_at", "", ""),
    (last_recheck, "ix_presented_recheck_at", "", ""),
    (of_evses, "ix_delivery_evse", "(evse=?)", "Index Cond: "),
    (recorded, "ix_presented_change_evse_version", "(evse=?", "Index Cond: "),
    (considered, "ix_temporary_status_", "(evse=?", "Index Cond: "),
    (told, "ix_attempt_evse_partner", "(evse=?", "Index Cond: "),
    (settle, "delivery", "(partner=? AND evse=?)", "Index Cond: ((partner = "),
    (mark, "presented", "(rowid=?)", "Index Cond: (evse = "),
    (load_reported, "ix_evse_evse_id_key", "(evse_id_key=?)", "Index Cond: "),
    (load_planned, "ix_temporary_status_live", "(evse=?", "Index Cond: "),
    (load_changed, "temporary_status", "temporary_status USING INTEGER PRIMARY KEY (rowid=?)", "Index Cond: (id = ANY"),
    (hear, "evse", "(rowid=?)", "Index Cond: (id = ANY"),
    (resend, "delivery", "(partner=? AND evse=?", "Index Cond: ((partner = "),
    (overridden_at_operator, "ix_temporary_status_braked", "(operator=? AND valid_from>", "Index Cond: "),
    (whole_location, "ix_evse_location_country_party", "(location=?)", "Index Cond: "),
    (whole_operator, "ix_evse_operator_id", "(operator=?)", "Index Cond: "),
    (of_a_batch, "ix_temporary_status_batch", "(batch=?)", "Index Cond: "),
    (by_ref, "temporary_status", "(created_by=? AND ref=?)", "Index Cond: "),
    (references, "uq_reference_owner_ref", "(owner=? AND ref=?)", "Index Cond: "),
    (answers, "uq_idempotency_owner_key", "(owner=? AND key=?)", "Index Cond: "),
    (owe_active_anew, "presented", "(partner=? AND evse", "Index Cond: "),
    (list_own, "ix_temporary_status_created_by_id", "(created_by=? AND id>?)", "Index Cond: ((created_by = "),
    (list_at_sites, "ix_evse_location_country_party", "(evse=? AND id>?)", "Index Cond: ((evse = evse.id) AND (id > "),
    (
        list_of_operator,
        "temporary_status",
        "temporary_status USING INTEGER PRIMARY KEY (rowid>?)",
        "Index Cond: (id > ",
    ),
    (
        fleet_at_sites,
        "ix_evse_location_country_party",
        "(location=? AND country=? AND party=?",
        "Index Cond: (((location)::text = ANY",
    ),
    *(
        listed("ix_temporary_status_span_id", on_sqlite, on_postgresql, **wanted)
        for on_sqlite, on_postgresql, wanted in (
            ("(span=? AND id>?)", "Index Cond: ((ROW(span, id) > ", {"state": State.ACTIVE}),
            ("(span=? AND id>?)", "Index Cond: ((ROW(span, id) > ", {"active_at": START - DAY}),
            ("(span>? AND span<?)", "Index Cond: ((span = ", {"shares_from": START - DAY, "shares_until": START}),
        )
    ),
    listed(
        "temporary_status",
        "ix_temporary_status_live (evse=? AND valid_to>?)",
        "(evse = ANY",
        evses=(7, 8),
        state=State.ACTIVE,
    ),
    listed(
        "ix_temporary_status_created_by_live",
        "(created_by=? AND valid_to>?)",
        "Index Cond: (((created_by)::text = ",
        created_by="nobody",
        state=State.ACTIVE,
    ),
    listed(
        "ix_temporary_status_updated_at", "(updated_at>?)", "Index Cond: (updated_at >= ", updated_since=START + DAY
    ),
    listed("ix_temporary_status_ref_id", "(ref=? AND id>?)", "Index Cond: ((ref = ", ref="r"),
    listed("ix_temporary_status_batch", "(batch=? AND id>?)", "Index Cond: ((batch = ", batch="b"),
    listed("ix_temporary_status_operator_id", "(operator=? AND id>?)", "Index Cond: ((operator = ", operator="DENOT"),
    listed("ix_temporary_status_kind_id", "(kind=? AND id>?)", "Index Cond: ((kind = ", kinds=(Kind.COMMISSIONING,)),
    fleet_listed("ix_presented_what_evse", "(what=? AND evse>?)", "Index Cond: ((what = ", shown=("PLANNED",)),
    fleet_listed("ix_evse_updated_at", "(updated_at>?)", "Index Cond: (updated_at >= ", updated_since=START + DAY),
    fleet_listed("ix_evse_operator_id", "(operator=? AND id>?)", "Index Cond: ((operator = ", operator="DENOT"),
    fleet_listed(
        "ix_evse_actual_status_id",
        "(actual_status=? AND id>?)",
        "Index Cond: ((actual_status = ",
        actual=(ActualStatus.PLANNED,),
    ),
    fleet_listed(
        "ix_evse_deployment_state_id",
        "(deployment_state=? AND id>?)",
        "Index Cond: ((deployment_state = ",
        deployment=DeploymentState.STOCK,
    ),
    fleet_listed(
        "ix_temporary_status_span_id",
        "(span>? AND span<?)",
        "Index Cond: ((span >= ",
        in_effect=InEffect(at=START - DAY),
    ),
    (show, "presented", "(rowid=?)", "Index Cond: (evse = ANY"),  # last, as nothing is due after it
]


async def test_everything_is_found_through_its_index(filled: tuple[Database, Partner]) -> None:
    database, partner = filled
    for query, index, on_sqlite, on_postgresql in CASES:
        plan = await plan_of(database, query, partner)
        assert index in plan, query.__name__
        assert (on_sqlite if database.embedded else on_postgresql) in plan, query.__name__
        # No table is read from end to end, whatever else the plan does beside it.
        for table in ("presented", "delivery", "temporary_status", "evse", "reference", "idempotency"):
            assert f"Seq Scan on {table}" not in plan, query.__name__
            assert not any(line.startswith(f"SCAN {table}") and "USING" not in line for line in plan.splitlines()), plan


async def test_what_a_request_asks_for_is_looked_up_by_its_key(filled: tuple[Database, Partner]) -> None:
    database, partner = filled

    async def of_evses(connection: AsyncConnection, _partner: Partner) -> None:
        written = metadata.tables["evse"].c.evse_id_key
        asked = (await connection.execute(select(written).where(metadata.tables["evse"].c.id.in_([7, 8])))).scalars()
        found = await looking_up.look(connection, [*asked.all(), "nothing"], START)
        assert [len(one.live) for each in found.values() for one in each] == [1, 1]

    async def of_keys(connection: AsyncConnection, _partner: Partner) -> None:
        await keys.find_many(connection, ["one", "another"])

    for query, indexes in ((of_evses, ("ix_evse_evse_id_key", "ix_temporary_status_live")), (of_keys, ())):
        plan = await plan_of(database, query, partner)
        assert all(index in plan for index in indexes), plan
        # The few keys there are may be read whole by PostgreSQL.
        assert "Seq Scan on evse" not in plan
        assert "Seq Scan on temporary_status" not in plan
        assert not any(
            line.startswith(("SCAN evse", "SCAN temporary_status", "SCAN api_key")) for line in plan.splitlines()
        )


async def test_what_is_next_is_found_without_counting_out_or_sorting_what_is_not(
    filled: tuple[Database, Partner],
) -> None:
    database, partner = filled
    # Both ends of the index, a row each; a partner that was away may be owed half a million.
    due = await plan_of(database, next_due, partner)
    assert "TEMP B-TREE" not in due
    assert "Sort" not in due
    if database.embedded:
        assert due.count("SCALAR SUBQUERY") == 2
    else:
        assert due.count("Limit") == 2
        assert "Index Scan Backward" in due
    for query in (take_due, claim):
        first, *_ = (await plan_of(database, query, partner)).split("\n\n")
        assert "TEMP B-TREE FOR ORDER BY" not in first  # FOR LAST TERM is fine: it sorts what is due at one instant


@pytest.mark.parametrize("wanted", [{"state": State.ACTIVE}, {"active_at": START}], ids=str)
async def test_what_is_in_effect_is_not_sought_along_the_keys_of_all_that_was(
    database: Database, wanted: dict[str, Any]
) -> None:
    """What is in effect is the newest, so that a walk along the keys passes by all the rest first."""
    await make_fleet(database, 1, START)
    one = TemporaryStatus(
        id=1, evse=1, kind=Kind.BLOCKED, interval=Interval(START), created_by="x", created_at=START, updated_at=START
    )
    # One after the other, of all lengths; nine of ten are over.
    lengths = [timedelta(hours=hours) for hours in (1, 6, 40, 300, 2000, 4000)]
    rows = []
    for number in range(60_000):
        length = lengths[number * 7919 % 11 % len(lengths)] if number < 54_000 else lengths[1 + number % 2]
        begin = START - length / 2 if number >= 54_000 else START - (4000 + (54_000 - number) / 2) * HOUR
        its = msgspec.structs.replace(one, id=number + 1, interval=Interval(begin, begin + length))
        rows.append(temporary_status_values(its, "DEABC"))
    async with database.write() as connection:
        await connection.execute(metadata.tables["temporary_status"].insert(), rows)
        if not database.embedded:
            await connection.exec_driver_sql("ANALYZE")

    async def query(connection: AsyncConnection, _partner: Partner | None) -> None:
        found = await reading.temporary_statuses(connection, reading.TemporaryQuery(**wanted), START)
        assert [its.id for its, _ in found] == list(range(54_001, 54_101))

    plan = await plan_of(database, query, None)  # type: ignore[arg-type]
    found, *_ = plan.split("\n\n")
    assert "ix_temporary_status_span_id" in found
    # Of the page alone, whose keys are known by then.
    assert found.count("pk_temporary_status") <= 1
    assert "(rowid>?)" not in found
