"""The schema: up, down and up again on both databases, all or nothing, and exactly what the tables say."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, DateTime, Table, TypeDecorator, inspect, text
from sqlalchemy.types import TypeEngine
from sqlmodel.sql.sqltypes import UTCDateTime

from app.domain.interval import Interval
from app.domain.status import Kind
from app.domain.temporary_status import TemporaryStatus
from app.store import migrating
from app.store.database import Database
from app.store.rows import temporary_status_values
from app.store.spans import span_of, step_of
from app.store.tables import metadata
from tests.builders import stored
from tests.clock import START

# What the CHECKs ask for; everything else is filled by its type.
FITTING: dict[str, Any] = {
    "deployment_state": "PRODUCTION",
    "actual_status": "AVAILABLE",
    "kind": "BLOCKED",
    "applies_when": "always",
    "aspect": "status",
    "valid_to": START + timedelta(hours=1),
}
BY_TYPE: dict[type, Any] = {str: "x", int: 1, bool: True, datetime: START, object: {"x": [1, None]}}

BROKEN = '''
"""Breaks half way."""
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "9999", "{newest}", None, None

def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO half (id) VALUES (1)")
    with op.batch_alter_table("chore") as batch:
        batch.add_column(sa.Column("half", sa.Integer(), nullable=True))
    {then}

def downgrade():
    pass
'''


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncGenerator[Database]:
    opened = Database(empty_database_url)
    yield opened
    await opened.close()


@pytest.fixture
def later_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations in a copy, with room for one that comes after them."""
    copy = tmp_path / "migrations"
    shutil.copytree(Path(migrating._DIRECTORY), copy, ignore=shutil.ignore_patterns("__pycache__"))
    added = copy / "versions" / "later.py"
    added.write_text(BROKEN.format(newest=migrating.newest(), then="raise RuntimeError('no more disk')"))
    monkeypatch.setattr(migrating, "_DIRECTORY", copy)
    return added


def mend(migration: Path) -> None:
    migration.write_text(migration.read_text().replace("raise RuntimeError('no more disk')", "pass"))


def plain(column_type: TypeEngine[Any]) -> TypeEngine[Any]:
    return column_type.impl_instance if isinstance(column_type, TypeDecorator) else column_type


def a_row(table: Table) -> dict[str, Any]:
    return {
        column.name: FITTING[column.name] if column.name in FITTING else BY_TYPE[plain(column.type).python_type]
        for column in table.columns
    }


async def fill(database: Database) -> dict[str, list[dict[str, Any]]]:
    async with database.write() as connection:
        for table in metadata.sorted_tables:
            await connection.execute(table.insert(), a_row(table))
    return await everything(database)


async def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {name: await stored(database, name) for name in metadata.tables}


async def tables_in(database: Database) -> set[str]:
    async with database.read() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def columns_of(database: Database, table: str) -> set[str]:
    async with database.read() as connection:
        return {one["name"] for one in await connection.run_sync(lambda sync: inspect(sync).get_columns(table))}


def comparable(index: Any) -> dict[str, Any]:
    """An index with its WHERE as text, since two equal clauses are not the same object."""
    return {**index, "dialect_options": {key: str(value) for key, value in index.get("dialect_options", {}).items()}}


def schema(connection: Connection) -> dict[str, Any]:
    """All that the database itself says of its tables."""
    inspector = inspect(connection)
    return {
        name: {
            "columns": [{**column, "type": repr(column["type"])} for column in inspector.get_columns(name)],
            "key": inspector.get_pk_constraint(name),
            "foreign keys": sorted(inspector.get_foreign_keys(name), key=lambda one: str(one["name"])),
            "indexes": sorted(
                (comparable(one) for one in inspector.get_indexes(name)), key=lambda one: str(one["name"])
            ),
            "checks": sorted(inspector.get_check_constraints(name), key=lambda one: str(one["name"])),
            "unique": inspector.get_unique_constraints(name),
        }
        for name in inspector.get_table_names()
        if name != "alembic_version"
    }


def autogenerated(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True, "render_as_batch": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_what_a_version_without_schedules_would_tell_as_a_status_does_not_go_down_with_it(
    database: Database,
) -> None:
    await fill(database)
    async with database.write() as connection:
        schedule = {**a_row(metadata.tables["delivery"]), "aspect": "schedule"}
        await connection.execute(metadata.tables["delivery"].insert(), schedule)
    await migrating.downgrade(database, "0001")
    async with database.read() as connection:
        left = (await connection.execute(text("SELECT aspect FROM delivery"))).scalars().all()
    assert left == ["status"]


async def test_the_span_of_what_is_stored_is_computed_as_that_of_what_is_written(database: Database) -> None:
    row = a_row(metadata.tables["temporary_status"])
    interval = Interval(START + timedelta(minutes=17, milliseconds=999), None)
    lengths = [timedelta(hours=hours) for hours in (1, 2, 8, 9, 48, 300, 2400, 2401)]
    ends = [None, *(interval.begin + length for length in lengths)]
    every = [
        TemporaryStatus(
            id=number,
            evse=1,
            kind=Kind.BLOCKED,
            interval=Interval(interval.begin, end),
            created_by="x",
            created_at=START,
            updated_at=START,
        )
        for number, end in enumerate(ends, 2)
    ]
    await fill(database)
    async with database.write() as connection:
        rows = [{**row, **temporary_status_values(one, "DEABC")} for one in every]
        await connection.execute(metadata.tables["temporary_status"].insert(), rows)
    await migrating.downgrade(database, "0006")
    async with database.read() as connection:
        steps = (await connection.execute(text("SELECT id, span FROM temporary_status WHERE id > 1"))).all()
    assert dict(map(tuple, steps)) == {one.id: step_of(one) for one in every}
    await migrating.upgrade(database)
    async with database.read() as connection:
        spans = (await connection.execute(text("SELECT id, span FROM temporary_status WHERE id > 1"))).all()
    assert dict(map(tuple, spans)) == {one.id: span_of(one) for one in every}


async def test_a_filled_database_goes_down_to_nothing_and_up_again(database: Database) -> None:
    before = await fill(database)
    await migrating.downgrade(database, "base")
    assert await tables_in(database) == {"alembic_version"}
    assert await migrating.current(database) is None

    await migrating.upgrade(database)
    assert await migrating.current(database) == migrating.newest()
    assert await everything(database) == {name: [] for name in metadata.tables}
    assert await fill(database) == before


async def test_every_value_comes_back_as_it_was_stored(database: Database) -> None:
    filled = await fill(database)
    assert filled == {table.name: [a_row(table)] for table in metadata.sorted_tables}


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(database: Database) -> None:
    before = await fill(database)
    await migrating.upgrade(database)
    assert await everything(database) == before
    assert await migrating.current(database) == migrating.newest()


async def test_the_migrations_make_exactly_what_the_tables_say(empty: Database) -> None:
    async with empty.write() as connection:
        await connection.run_sync(metadata.create_all)
        wanted = await connection.run_sync(schema)
        await connection.run_sync(metadata.drop_all)
    await migrating.upgrade(empty)
    async with empty.read() as connection:
        assert await connection.run_sync(schema) == wanted


async def test_autogenerate_finds_nothing_to_do(database: Database) -> None:
    async with database.read() as connection:
        assert await connection.run_sync(autogenerated) == []


def test_every_time_is_kept_in_utc_and_comes_back_with_its_zone() -> None:
    times = {
        f"{table.name}.{column.name}": column.type
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(plain(column.type), DateTime)
    }
    assert len(times) > 20
    assert {name for name, kind in times.items() if not isinstance(kind, UTCDateTime)} == set()


async def test_a_migration_that_fails_leaves_nothing_behind(database: Database, later_migration: Path) -> None:
    before = await fill(database)
    was_at = await migrating.current(database)
    columns = await columns_of(database, "chore")

    with pytest.raises(RuntimeError, match="no more disk"):
        await migrating.upgrade(database)

    assert await migrating.current(database) == was_at
    assert "half" not in await tables_in(database)
    assert await columns_of(database, "chore") == columns
    assert await everything(database) == before


async def test_what_failed_can_be_tried_again(database: Database, later_migration: Path) -> None:
    await fill(database)
    with pytest.raises(RuntimeError, match="no more disk"):
        await migrating.upgrade(database)
    mend(later_migration)
    await migrating.upgrade(database)
    assert await migrating.current(database) == "9999"
    assert "half" in await tables_in(database)
    assert "half" in await columns_of(database, "chore")
    assert len(await stored(database, "chore")) == 1


async def test_an_empty_database_gets_all_of_an_upgrade_or_nothing(empty: Database, later_migration: Path) -> None:
    with pytest.raises(RuntimeError, match="no more disk"):
        await migrating.upgrade(empty)
    assert await tables_in(empty) == set()


async def test_upgrades_at_once_all_succeed(empty_database_url: str) -> None:
    replicas = [Database(empty_database_url) for _ in range(3)]
    try:
        await asyncio.gather(*(migrating.upgrade(one) for one in replicas))
        assert [await migrating.current(one) for one in replicas] == [migrating.newest()] * 3
        await fill(replicas[0])
    finally:
        for one in replicas:
            await one.close()
