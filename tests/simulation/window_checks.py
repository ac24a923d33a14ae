"""What must hold after each step, between what is stored, what is read and what the model says."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.explaining import presentation_of
from app.domain.status import AppliesWhen
from app.domain.temporary_status import State, TemporaryStatus
from app.schedule.resolving import LONGEST_WAIT
from app.store import reading
from app.store.commands.temporary_statuses import Written
from app.store.database import Database
from app.store.presented import live_by_evse
from app.store.rows import temporary_status_from, what_text
from app.store.tables import metadata
from tests.simulation.window_commands import applies_when, instant
from tests.simulation.window_model import STRONGEST_FIRST, Model, Window

Tables: TypeAlias = dict[str, list[dict[str, Any]]]
#: What is stored of an EVSE before anybody has looked at it.
_NEVER_SHOWN: Final[dict[str, Any]] = {
    "what": "gate:WITHHELD",
    "until": None,
    "announced": None,
    "version": 0,
    "status_version": 0,
    "schedule_version": 0,
    "last_updated": None,
}
_STATE: Final = ("evse", "temporary_status", "presented", "delivery")
_RECORD: Final = ("presented_change", "audit")


async def tables(database: Database) -> Tables:
    """Every row of the state, by primary key, and how long the records of what was done are."""
    async with database.read() as connection:
        found = {name: await _rows(connection, name) for name in _STATE}
        counts = select(
            *(select(func.count()).select_from(metadata.tables[name]).scalar_subquery() for name in _RECORD)
        )
        lengths = (await connection.execute(counts)).one()
        return found | {"records": [dict(zip(_RECORD, lengths, strict=True))]}


async def _rows(connection: AsyncConnection, name: str) -> list[dict[str, Any]]:
    columns = metadata.tables[name]
    rows = await connection.execute(select(columns).order_by(*columns.primary_key))
    return [dict(row) for row in rows.mappings()]


def expected(window: Window) -> tuple[Any, ...]:
    return (
        window.number,
        window.kind,
        instant(window.begin),
        None if window.end is None else instant(window.end),
        applies_when(window.only_idle),
        window.owner,
        window.ref,
        None if window.ended is None else instant(window.ended),
        window.revision,
    )


def answered(one: TemporaryStatus) -> tuple[Any, ...]:
    return (
        one.id,
        one.kind.value,
        one.interval.begin,
        one.interval.end,
        one.applies_when,
        one.created_by,
        one.ref,
        one.ended_at,
        one.revision,
    )


def stored(rows: Tables, model: Model, keys: Mapping[str, int]) -> None:
    """What was asked for is stored as it was asked for, all of it and nothing else."""
    chargers = [(keys[name], one.deployment, one.status, one.heard) for name, one in model.chargers.items()]
    assert [(row["id"], row["deployment_state"], row["actual_status"], row["observed_at"]) for row in rows["evse"]] == [
        (key, deployment, status, at(heard)) for key, deployment, status, heard in sorted(chargers)
    ]
    windows = [answered(temporary_status_from(row)) for row in rows["temporary_status"]]  # type: ignore[arg-type]
    assert windows == [expected(window) for window in sorted(model.windows, key=lambda one: one.number)]


def presented(rows: Tables, model: Model, keys: Mapping[str, int]) -> None:
    """After a pass the computed rows say what is true now, and nothing is due, nor will be too late."""
    now = instant(model.now)
    by_key = {row["evse"]: row for row in rows["presented"]}
    assert by_key.keys() == set(keys.values())
    for name, key in keys.items():
        row, until = by_key[key], at(model.until(name))
        assert (row["what"], row["because"]) == model.shown(name, model.now)
        if row["until"] != until:
            # A report that says the same again moves the end of its belief: no reason to compute, as later is safe.
            assert model.max_age is not None
            assert row["until"] is not None
            assert now < row["until"]
            assert until is None or row["until"] < until
        if model.chargers[name].deployment == "PRODUCTION":
            assert now < row["recheck_at"] <= min(until or now + LONGEST_WAIT, now + LONGEST_WAIT)
        else:
            assert row["recheck_at"] is None


def rising(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Version and `last_updated` rise, strictly, when what, until or what is announced differs, and never otherwise."""
    old = {row["evse"]: row for row in before}
    for new in after:
        was = old.get(new["evse"], _NEVER_SHOWN)
        shows_another = (was["what"], was["until"]) != (new["what"], new["until"])
        announces_another = was["announced"] != new["announced"]
        if shows_another or announces_another:
            assert new["version"] == was["version"] + 1
            assert was["last_updated"] is None or new["last_updated"] > was["last_updated"]
        else:
            assert new["version"] == was["version"]
            assert was["last_updated"] in (None, new["last_updated"])
        assert new["status_version"] == (new["version"] if shows_another else was["status_version"])
        assert new["schedule_version"] == (new["version"] if announces_another else was["schedule_version"])


async def recorded(database: Database) -> None:
    """The record has every version of the status once, each beginning with what the one before it ended with."""
    async with database.read() as connection:
        rows, every = await _rows(connection, "presented"), await _rows(connection, "presented_change")
    for row in rows:
        changes = [one for one in every if one["evse"] == row["evse"]]
        versions = [one["version"] for one in changes]
        assert versions == sorted(set(versions))
        assert versions[-1:] == ([row["status_version"]] if row["status_version"] else [])
        assert [one["from_what"] for one in changes] == ["gate:WITHHELD", *(one["to_what"] for one in changes)][:-1]
        if changes:
            last = changes[-1]
            assert (last["to_what"], last["until"]) == (row["what"], row["until"])
            assert last["at"] == row["last_updated"] or row["schedule_version"] > row["status_version"]


def owed(rows: Tables, shared: set[int]) -> None:
    """The partner is owed the latest version of all that was ever shared with it, and one row for each."""
    versions = {row["evse"]: row["status_version"] for row in rows["presented"]}
    assert {row["evse"]: row["want"] for row in rows["delivery"]} == {key: versions[key] for key in shared}
    assert len(rows["delivery"]) == len(shared)
    assert all(row["next_at"] is not None for row in rows["delivery"])


def promises_kept(promised: Mapping[int, Written], model: Model) -> None:
    """By the answers alone: what was accepted is in force all the while, and gives way to nothing weaker."""
    now = instant(model.now)
    for written in promised.values():
        one, name = written.one, written.evse.evse_id or ""
        if now not in one.interval or (one.ended_at is not None and now >= one.ended_at):
            continue
        hidden = one.applies_when is AppliesWhen.IDLE and model.actual(name, model.now) not in ("AVAILABLE", "UNKNOWN")
        what, because = model.shown(name, model.now)
        if hidden or what.startswith("gate:"):
            continue
        assert because in promised
        assert STRONGEST_FIRST.index(what.removeprefix("kind:")) <= STRONGEST_FIRST.index(one.kind.value)


async def read(database: Database, model: Model, turn: int) -> None:
    """Whoever reads now is told what is true now, computed or not; of the lists, one of each a `turn`, for speed."""
    now = instant(model.now)
    max_age = None if model.max_age is None else timedelta(milliseconds=model.max_age)
    state = list(State)[turn % len(State)]
    refs = sorted({(one.owner, one.ref) for one in model.windows if one.ref is not None})
    async with database.read() as connection:
        wanted = reading.TemporaryQuery(state=state, limit=1000)
        found = await reading.temporary_statuses(connection, wanted, now)
        assert [one.id for one, _ in found] == sorted(
            window.number for window in model.windows if state_of(window, model.now) == state
        )
        if refs:
            owner, ref = refs[turn % len(refs)]
            last = max(one.number for one in model.windows if (one.owner, one.ref) == (owner, ref))
            assert (await reading.by_ref(connection, owner, ref))[0].id == last
        evses = await reading.fleet(connection, reading.FleetQuery())
        live = await live_by_evse(connection, [evse.id for evse in evses], now)
    assert {evse.evse_id for evse in evses} == model.chargers.keys()
    for evse in evses:
        name = evse.evse_id or ""
        told = presentation_of(evse, live.get(evse.id, []), now, max_age)
        assert (what_text(told.what), told.because) == model.shown(name, model.now)
        assert told.until == at(model.until(name))


def state_of(window: Window, now: int) -> str:
    if window.in_force(now):
        return "active"
    return "ended" if window.is_over(now) else "planned"


def at(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else instant(milliseconds)
