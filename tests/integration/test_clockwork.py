"""The clockwork: however late, interrupted or misled by a clock, every EVSE comes to show what is true."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from datetime import datetime, timedelta
from typing import Any

import apscheduler.schedulers.base
import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from app.clock import Clock, SystemClock
from app.domain.announcing import announced
from app.domain.evse import Evse
from app.domain.planning import Changes
from app.domain.presentation import present
from app.domain.status import AppliesWhen, DeploymentState, Kind, OcppStatus
from app.domain.temporary_status import TemporaryStatus
from app.schedule.alarm import Alarm
from app.schedule.promising import promise
from app.schedule.reconcile import CHUNK, Reconciler
from app.schedule.resolving import LONGEST_WAIT, resolve
from app.store import cores, owing, partners, presented
from app.store.commands.ending import End
from app.store.commands.temporary_statuses import Change
from app.store.database import Database
from app.store.due import AT_ONCE, mark_due
from app.store.rows import announced_from, evse_from, temporary_status_from, what_from
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, HOUR, MINUTE, plan, register, report, stored
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import add_partner

YEARS = timedelta(days=3650)


def reconciler(database: Database, clock: Clock, **more: Any) -> Reconciler:
    return Reconciler(database, clock, **more)


async def shown(database: Database) -> dict[int, str]:
    return {row["evse"]: row["what"] for row in await stored(database, "presented")}


async def changes(database: Database) -> Counter[int]:
    """How often each EVSE's presented status was recorded as changed."""
    return Counter(row["evse"] for row in await stored(database, "presented_change"))


async def assert_true(database: Database, at: datetime, max_age: timedelta | None = None) -> None:
    """Every presented status is what the domain says of everything that was ever asked for, and is looked at again."""
    async with database.read() as connection:
        evses = [evse_from(row) for row in (await connection.execute(select(metadata.tables["evse"]))).mappings()]
        query = select(metadata.tables["temporary_status"])
        temporary = [temporary_status_from(row) for row in (await connection.execute(query)).mappings()]
    rows = {row["evse"]: row for row in await stored(database, "presented")}
    assert rows.keys() == {one.id for one in evses}
    for evse in evses:
        row = rows[evse.id]
        true = present(evse.deployment, evse.actual(max_age), _of(temporary, evse), at)
        said = what_from(row["what"])
        assert (said, type(said), row["because"], row["until"]) == (
            true.what,
            type(true.what),
            true.because,
            true.until,
        ), evse.evse_id
        said_ahead = announced_from(row["announced"])
        assert said_ahead == announced(evse.deployment, evse.actual(max_age), _of(temporary, evse), at), evse.evse_id
        if evse.deployment is DeploymentState.PRODUCTION:
            assert row["recheck_at"] is not None
            assert at < row["recheck_at"] <= at + LONGEST_WAIT


def _of(temporary: Collection[TemporaryStatus], evse: Evse) -> list[TemporaryStatus]:
    return [one for one in temporary if one.evse == evse.id]


async def make_fleet(database: Database, count: int, at: datetime, begin: datetime | None = None) -> list[int]:
    """Insert EVSEs that show AVAILABLE since `at`, each with a BLOCKED from `begin` on that is due then."""
    tables = metadata.tables
    common = {"operator": "DEABC", "created_by": "test", "created_at": at, "updated_at": at}
    evses = [
        {
            **common,
            "id": number,
            "country": "DE",
            "party": "ABC",
            "uid": f"E{number}",
            "evse_id": f"DE*ABC*E{number}",
            "evse_id_key": f"DEABCE{number}",
            "deployment_state": "PRODUCTION",
            "actual_status": "AVAILABLE",
        }
        for number in range(1, count + 1)
    ]
    known = [
        {"evse": one["id"], "what": "actual:AVAILABLE", "until": begin, "version": 1, "last_updated": at}
        | {"recheck_at": begin or at + HOUR}
        for one in evses
    ]
    temporary = [
        {**common, "evse": one["id"], "kind": "BLOCKED", "applies_when": "always", "revision": 1, "valid_from": begin}
        for one in evses
    ]
    async with database.write() as connection:
        await connection.execute(tables["evse"].insert(), evses)
        await connection.execute(tables["presented"].insert(), known)
        if begin is not None:
            await connection.execute(tables["temporary_status"].insert(), temporary)
        if not database.embedded:  # the keys were given by hand
            await connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('evse', 'id'), {count})")
    return list(range(1, count + 1))


# Passes


async def test_a_second_pass_changes_nothing(database: Database, writer: Writer, clock: FrozenClock) -> None:
    await add_partner(database, clock, "app")
    for number in range(5):
        await register(writer, f"DE*ABC*E{number}")
        await plan(writer, f"DE*ABC*E{number}", valid_from=clock.now() + number * MINUTE)
    clock.advance(2 * MINUTE)
    one = reconciler(database, clock)
    assert await one.pass_once() == 5
    tables = ["presented", "presented_change", "delivery", "temporary_status", "evse"]
    before = [await stored(database, table) for table in tables]
    assert await one.pass_once() == 0
    assert [await stored(database, table) for table in tables] == before


async def test_computing_everything_anew_changes_nothing_that_was_right(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await add_partner(database, clock, "app")
    for number in range(5):
        await register(writer, f"DE*ABC*E{number}")
        await plan(writer, f"DE*ABC*E{number}", valid_from=clock.now() + number * HOUR)
    one = reconciler(database, clock)
    await one.pass_once()
    before = [await stored(database, table) for table in ("presented", "presented_change", "delivery")]
    async with database.write() as connection:
        await presented.mark_all_due(connection)
    assert await one.pass_once() == 5
    assert [await stored(database, table) for table in ("presented", "presented_change", "delivery")] == before


async def test_a_service_that_was_down_across_a_start_and_an_end_catches_up_with_both(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    over, running, ahead = [(await register(writer, f"DE*ABC*E{number}")).id for number in range(3)]
    await plan(writer, "DE*ABC*E0", valid_from=START + HOUR, valid_to=START + 2 * HOUR)
    current = await plan(writer, "DE*ABC*E1", valid_from=START + HOUR, valid_to=START + 5 * HOUR)
    await plan(writer, "DE*ABC*E2", valid_from=START + 4 * HOUR, valid_to=START + 5 * HOUR)
    await reconciler(database, clock).pass_once()
    clock.advance(3 * HOUR)
    await reconciler(database, clock).pass_once()
    assert await shown(database) == {over: "actual:UNKNOWN", running: "kind:BLOCKED", ahead: "actual:UNKNOWN"}
    await assert_true(database, clock.now())
    (row,) = [row for row in await stored(database, "presented_change") if row["to_what"] == "kind:BLOCKED"]
    assert (row["because"], row["at"]) == (current.id, clock.now())
    assert await changes(database) == {over: 2, running: 2, ahead: 1}


async def test_ten_thousand_that_begin_in_one_second_are_each_shown_and_owed_once_and_creates_get_in_between(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    begin = START + HOUR
    fleet = await make_fleet(database, 10_000, START, begin)
    await add_partner(database, clock, "app")
    one = reconciler(database, clock)
    clock.set(begin)
    passing = asyncio.create_task(one.pass_once())
    meanwhile = 0
    while not passing.done():
        await plan(writer, f"DE*ABC*E{meanwhile + 1}", kind=Kind.RESERVED)
        meanwhile += 1
    assert meanwhile >= 10_000 / CHUNK / 2
    await passing
    await one.pass_once()
    assert await shown(database) == dict.fromkeys(fleet, "kind:BLOCKED")
    assert await changes(database) == dict.fromkeys(fleet, 1)
    owed = await stored(database, "delivery")
    assert [(row["evse"], row["want"]) for row in owed] == [(evse, 2) for evse in fleet]
    assert all(row["next_at"] == begin for row in owed)


async def test_who_is_promised_something_hears_of_it_after_the_commit(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    seen = []

    def promised() -> None:
        seen.append(asyncio.ensure_future(stored(database, "delivery")))

    one = reconciler(database, clock, promised=promised)
    await add_partner(database, clock, "app")
    await one.pass_once()
    assert seen == []
    await register(writer)
    await one.pass_once()
    assert [len(rows) for rows in await asyncio.gather(*seen)] == [1]


async def test_stopping_in_the_middle_of_a_pass_leaves_a_database_that_others_can_write(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await make_fleet(database, 200, START)
    for delay in range(12):
        async with database.write() as connection:
            await presented.mark_all_due(connection)
        one = reconciler(database, clock)
        await one.start()
        await asyncio.sleep(delay / 400)
        await asyncio.wait_for(one.stop(), 5)
        await asyncio.wait_for(plan(writer), 5)


# Writes beside a pass


async def test_a_write_that_a_pass_has_just_missed_is_seen_by_the_next(
    database: Database, writer: Writer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    evse = (await register(writer)).id
    late: list[asyncio.Task[Any]] = []
    reading = cores.windows_by_evse

    async def read_then_somebody_writes(*what: Any) -> Any:
        live = await reading(*what)
        if not late:
            late.append(asyncio.create_task(plan(writer)))
            await asyncio.sleep(0.2)
        return live

    monkeypatch.setattr(cores, "windows_by_evse", read_then_somebody_writes)
    one = reconciler(database, clock)
    await one.pass_once()
    await late[0]
    assert len(late) == 1
    await one.pass_once()
    assert await shown(database) == {evse: "kind:BLOCKED"}


async def test_passes_and_changes_on_the_same_evses_never_stop_each_other(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    """In particular they do not deadlock: a pass refers to EVSEs whose rows a report may be changing."""
    sites = [f"DE*ABC*E{number}" for number in range(40)]
    await asyncio.gather(*(register(writer, one) for one in sites))
    await add_partner(database, clock, "app")
    one = reconciler(database, clock)
    busy = True

    async def passes() -> int:
        done = 0
        while busy:
            done += await one.pass_once()
            await asyncio.sleep(0)
        return done

    async def reports() -> None:
        nonlocal busy
        for round_ in range(25):
            word = "Charging" if round_ % 2 else "Available"
            await asyncio.gather(*(report(writer, word, site) for site in sites))
        busy = False

    with capture_logs() as logs:
        done, _ = await asyncio.wait_for(asyncio.gather(passes(), reports()), 60)
    assert logs == []
    assert done >= len(sites)
    await one.pass_once()
    await assert_true(database, clock.now())


async def test_a_mark_of_everything_waits_for_rows_in_the_order_in_which_changes_lock_them(
    postgresql_url: str, clock: FrozenClock
) -> None:
    """Whoever waits for the first holds no later one: so it and a batch of changes cannot wait for each other."""
    database = Database(postgresql_url)
    first, *_, last = await make_fleet(database, 40, START)
    async with database.write() as connection:
        await mark_due(connection, [first])  # moves its row on the disk behind all others
    async with database.write() as connection:
        await mark_due(connection, [first])
        marking = asyncio.create_task(_mark_all(database))
        await asyncio.sleep(0.2)
        query = select(metadata.tables["presented"]).where(metadata.tables["presented"].c.evse == last)
        await connection.execute(query.with_for_update(nowait=True))
        assert not marking.done()
    await asyncio.wait_for(marking, 5)
    await database.close()


async def _mark_all(database: Database) -> None:
    async with database.write() as connection:
        await presented.mark_all_due(connection)


# Several reconcilers on one PostgreSQL


@pytest.fixture
async def replicas(postgresql_url: str) -> AsyncGenerator[list[Database]]:
    opened = [Database(postgresql_url) for _ in range(2)]
    yield opened
    for one in opened:
        await one.close()


async def test_two_reconcilers_compute_each_evse_once_a_change(replicas: list[Database], clock: FrozenClock) -> None:
    begin = START + HOUR
    fleet = await make_fleet(replicas[0], 3000, START, begin)
    await add_partner(replicas[0], clock, "app")
    passes = [reconciler(one, clock) for one in replicas]
    await asyncio.gather(*(one.pass_once() for one in passes))  # for the new partner
    clock.set(begin)
    counts = await asyncio.gather(*(one.pass_once() for one in passes))
    assert sum(counts) == len(fleet)
    assert all(count > 0 for count in counts)
    rows = await stored(replicas[0], "presented")
    assert {row["version"] for row in rows} == {3}, "once when it was announced, and once when it began"
    assert {row["what"] for row in rows} == {"kind:BLOCKED"}
    assert await changes(replicas[0]) == dict.fromkeys(fleet, 1)
    assert {row["want"] for row in await stored(replicas[0], "delivery")} == {3}


# Clocks that step


async def _with_windows(writer: Writer) -> None:
    """One of each: running, soon, far away, over soon, and nothing at all."""
    for number, (begin, end) in enumerate([(0, 30), (30, 90), (60 * 24 * 365, None), (-1, 5)]):
        await register(writer, f"DE*ABC*E{number}")
        ends = None if end is None else START + end * MINUTE
        await plan(writer, f"DE*ABC*E{number}", valid_from=START + begin * MINUTE, valid_to=ends)
    await register(writer, "DE*ABC*E9")


@pytest.mark.parametrize("step", [HOUR, -HOUR, YEARS, -YEARS], ids=["+1h", "-1h", "+10y", "-10y"])
async def test_nothing_stays_wrong_after_a_clock_has_been_wrong(
    database: Database, writer: Writer, clock: FrozenClock, step: timedelta
) -> None:
    await _with_windows(writer)
    one = reconciler(database, clock)
    await one.pass_once()
    with capture_logs():
        clock.set(clock.now() + step)
        for _ in range(3):
            clock.advance(timedelta(seconds=1))
            assert await one.pass_once() <= 5
        if abs(step) < YEARS:
            await assert_true(database, clock.now())
        clock.set(clock.now() - step)
        clock.advance(timedelta(seconds=1))
        assert await one.pass_once() <= 5
        await assert_true(database, clock.now())
    assert await one.pass_once() == 0  # no storm: it is over as soon as it is right
    clock.advance(40 * MINUTE)
    await one.pass_once()
    await assert_true(database, clock.now())


async def test_a_clock_that_was_set_right_while_the_service_was_down_is_noticed(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await _with_windows(writer)
    clock.set(START + HOUR)
    await reconciler(database, clock).pass_once()
    clock.set(START + MINUTE)
    with capture_logs() as logs:
        await reconciler(database, clock).pass_once()
    assert [one["log_level"] for one in logs] == ["warning"]
    await assert_true(database, clock.now())


async def test_what_was_put_off_under_a_clock_that_ran_ahead_is_not_put_off_any_longer(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await add_partner(database, clock, "app")
    one = reconciler(database, clock)
    await one.pass_once()
    clock.set(START + HOUR)
    await register(writer)
    await one.pass_once()
    clock.set(START + MINUTE)
    with capture_logs():
        await one.pass_once()
    (row,) = await stored(database, "delivery")
    assert row["next_at"] <= clock.now()


async def test_time_that_merely_passes_is_no_step(database: Database, writer: Writer, clock: FrozenClock) -> None:
    await _with_windows(writer)
    one = reconciler(database, clock)
    with capture_logs() as logs:
        for _ in range(20):
            clock.advance(7 * HOUR)
            await one.pass_once()
            clock.set(clock.now() - timedelta(milliseconds=300))  # as a machine is nudged by its time server
            await one.pass_once()
    assert logs == []


# Agreement with the domain


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_shown_is_what_the_domain_says_after_anything_in_any_order(
    database: Database, writer: Writer, clock: FrozenClock, seed: int
) -> None:
    dice = random.Random(seed)
    max_age = HOUR if seed else None
    sites = [f"DE*ABC*E{number}" for number in range(5)]
    for site in sites:
        await register(writer, site)
    made: list[int] = []
    one = reconciler(database, clock, max_age=max_age)
    for _ in range(50):
        # A batch of a few things at once, at one instant.
        for _ in range(dice.randint(1, 3)):
            await _something(dice, writer, clock, sites, made, max_age)
        if dice.random() < 0.8:
            clock.advance(dice.choice([timedelta(), timedelta(milliseconds=1), MINUTE, 20 * MINUTE, 8 * HOUR]))
        if dice.random() < 0.2:
            one = reconciler(database, clock, max_age=max_age)  # a restart
        await one.pass_once()
        await assert_true(database, clock.now(), max_age)
    assert made
    await _assert_gapless(database)


async def _something(
    dice: random.Random,
    writer: Writer,
    clock: FrozenClock,
    sites: list[str],
    made: list[int],
    max_age: timedelta | None,
) -> None:
    site = dice.choice(sites)
    begin = clock.now() + dice.randint(-30, 90) * MINUTE
    end = dice.choice([None, max(begin, clock.now()) + dice.randint(1, 90) * MINUTE])
    match dice.randint(1, 6):
        case 1 | 2:
            when = dice.choice([*AppliesWhen])
            kind = dice.choice([*Kind])
            made.append((await plan(writer, site, kind=kind, valid_from=begin, valid_to=end, applies_when=when)).id)
        case 3 if made:
            new_end = clock.now() + dice.randint(1, 60) * MINUTE
            await _or_refused(writer, Change(ADMIN, dice.choice(made), Changes(valid_to=dice.choice([None, new_end]))))
        case 4 if made:
            await _or_refused(writer, End(ADMIN, dice.choice(made)))
        case 5:
            await register(writer, site, deployment=dice.choice([*DeploymentState, DeploymentState.PRODUCTION]))
        case _:
            await report(writer, dice.choice([*OcppStatus]).value, site, max_age=max_age)


async def _or_refused(writer: Writer, command: Change | End) -> None:
    await asyncio.gather(writer.run(command), return_exceptions=True)  # it may be over, which is fine


async def _assert_gapless(database: Database) -> None:
    """The record leads from each version to the next, and from what was shown to what is shown."""
    last: dict[int, Any] = {}
    for row in await stored(database, "presented_change"):
        before = last.get(row["evse"])
        if before is not None:
            assert row["from_what"] == before["to_what"]
            assert row["version"] > before["version"]  # by more than one where only what is announced changed
            assert row["at"] > before["at"]
        last[row["evse"]] = row
    for row in await stored(database, "presented"):
        if row["version"]:
            end = last[row["evse"]]
            assert (row["status_version"], row["what"]) == (end["version"], end["to_what"])
            assert row["version"] == max(row["status_version"], row["schedule_version"])
            assert row["last_updated"] == end["at"] or row["schedule_version"] > row["status_version"]


# With the real alarm and the real time


@pytest.fixture
async def running(database: Database) -> AsyncGenerator[tuple[Reconciler, Writer]]:
    clock = SystemClock()
    one = reconciler(database, clock)
    writer = Writer(database, clock, committed=one.look)
    await one.start()
    await writer.start()
    yield one, writer
    await writer.stop()
    await one.stop()


async def _until_shown(database: Database, what: str, *, is_it: bool = True) -> None:
    async with asyncio.timeout(10):
        while (what in (await shown(database)).values()) is not is_it:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)


async def test_boundaries_come_when_they_are_due(database: Database, running: tuple[Reconciler, Writer]) -> None:
    _, writer = running
    await register(writer)
    begin = SystemClock().now() + timedelta(seconds=0.4)
    end = begin + timedelta(seconds=0.4)
    await plan(writer, valid_from=begin, valid_to=end)
    await _until_shown(database, "kind:BLOCKED")
    await _until_shown(database, "kind:BLOCKED", is_it=False)
    *_, began, ended = await stored(database, "presented_change")
    for row, boundary in ((began, begin), (ended, end)):
        # By the alarm; the sweep alone would be up to a second late.
        assert timedelta() <= row["at"] - boundary < timedelta(seconds=0.5)


async def test_what_another_process_writes_is_noticed_by_the_sweep(
    database: Database, running: tuple[Reconciler, Writer]
) -> None:
    beside = Writer(database, SystemClock())
    await beside.start()
    await register(beside)
    await plan(beside)
    await beside.stop()
    await _until_shown(database, "kind:BLOCKED")


async def test_a_pass_that_fails_is_tried_again(
    database: Database, running: tuple[Reconciler, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, writer = running
    taking = presented.take
    failures: list[bool] = []

    async def fails_once(*what: Any) -> Any:
        if not failures:
            failures.append(True)
            raise OSError("the database is away")
        return await taking(*what)

    monkeypatch.setattr(presented, "take", fails_once)
    with capture_logs() as logs:
        await register(writer, EVSE)
        await plan(writer)
        await _until_shown(database, "kind:BLOCKED")
    assert [entry["log_level"] for entry in logs] == ["error"]


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_pass_that_fails_in_a_later_slice_leaves_nothing_behind(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    monkeypatch.setattr("app.schedule.reconcile.SLICE", 2)
    begin = START + HOUR
    fleet = await make_fleet(database, 7, START, begin)
    await add_partner(database, clock, "app")
    one = reconciler(database, clock)
    clock.set(begin)
    tables = ("presented", "presented_change", "delivery")
    before = [await stored(database, table) for table in tables]
    promising: list[int] = []

    async def watched(connection: Any, receivers: Any, resolved: Any, at: datetime) -> None:
        promising.append(len(resolved))
        await promise(connection, receivers, resolved, at)
        promising.pop()

    def fails(due: Any, *what: Any) -> Any:
        if promising == [2]:  # what the first slice came to is being promised
            if not cancelled:
                raise ValueError("no such status")
            passing.cancel()
        return resolve(due, *what)

    with monkeypatch.context() as patched:
        patched.setattr("app.schedule.reconcile.promise", watched)
        patched.setattr("app.schedule.reconcile.resolve", fails)
        tasks = asyncio.all_tasks()
        passing = asyncio.create_task(one.pass_once())
        with pytest.raises(asyncio.CancelledError if cancelled else ValueError):
            await passing
        assert asyncio.all_tasks() <= tasks | {passing}
    before[0] = [row | {"recheck_at": AT_ONCE} for row in before[0]]  # for the new partner
    assert [await stored(database, table) for table in tables] == before
    assert await one.pass_once() == len(fleet)
    assert await shown(database) == dict.fromkeys(fleet, "kind:BLOCKED")
    assert await changes(database) == dict.fromkeys(fleet, 1)
    assert [(row["evse"], row["want"]) for row in await stored(database, "delivery")] == [(evse, 2) for evse in fleet]


async def test_readiness_learns_of_passes_even_while_changes_never_stop_coming_in(
    database: Database, running: tuple[Reconciler, Writer]
) -> None:
    one, writer = running
    await register(writer)
    async with asyncio.timeout(10):
        while one.last_pass_at is None:
            await plan(writer)


class _Stepped(datetime):
    """The scheduler's own idea of the time."""

    by = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> "_Stepped":
        return super().now(tz) + cls.by


@pytest.mark.parametrize("step", [-HOUR, timedelta(days=30)], ids=["back", "ahead"])
async def test_the_sweep_goes_on_when_the_clock_of_the_machine_steps(
    step: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung = []
    alarm = Alarm(lambda: rung.append(True))
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", _Stepped)
    alarm.start()
    monkeypatch.setattr(_Stepped, "by", step)
    await asyncio.sleep(2.5)
    await alarm.stop()
    assert len(rung) >= 2


async def test_an_alarm_rings_for_the_earliest_boundary_it_was_told_of() -> None:
    rung: list[float] = []
    loop = asyncio.get_running_loop()
    alarm = Alarm(lambda: rung.append(loop.time()))
    alarm.start()
    began = loop.time()
    for seconds in (300, 0.2, 300, -5):
        alarm.arm(timedelta(seconds=seconds))
    alarm.arm(timedelta(seconds=0.4))
    await asyncio.sleep(0.3)
    await alarm.stop()
    assert rung
    assert rung[0] - began < 0.15  # what is overdue already rings at once


async def test_at_once_lies_before_anything_a_clock_may_show(database: Database, writer: Writer) -> None:
    await register(writer)
    async with database.read() as connection:
        assert await presented.next_recheck(connection) == AT_ONCE < START - YEARS


async def test_a_pass_and_the_removal_of_a_partner_never_wait_for_each_other(
    postgresql_url: str, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass locks what the partner is owed, and then refers to the partner; a removal has it the other way round."""
    database = Database(postgresql_url)
    at = clock.now()
    await make_fleet(database, 2, at, at)
    await add_partner(database, clock, "app")
    one = reconciler(database, clock)
    await one.pass_once()
    async with database.write() as connection:
        await connection.execute(text("DELETE FROM delivery WHERE evse = 2"))  # as if it were new
        await mark_due(connection, [1, 2])
    locked = asyncio.Event()
    lock = owing.lock

    async def lock_and_wait(*args: Any) -> None:
        await lock(*args)
        locked.set()
        await asyncio.sleep(0.3)

    async def remove() -> None:
        await locked.wait()
        async with database.write() as connection:
            await partners.remove(connection, "app", at, "test")

    monkeypatch.setattr(owing, "lock", lock_and_wait)
    async with asyncio.timeout(10):
        await asyncio.gather(one.pass_once(), remove())
    async with database.read() as connection:
        assert await partners.all_partners(connection) == []
    await database.close()
