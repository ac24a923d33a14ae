"""Many rows at once, in the form that each database takes with the least ado.

SQLite runs one prepared statement over plain tuples; PostgreSQL is given a column at a time, as arrays.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import JSON, Column, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.instants import Instant, Texts

_POSTGRESQL: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


async def add(connection: AsyncConnection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of these columns; documents come as JSON."""
    if not rows:
        return
    into = f"INSERT INTO {table.name} ({', '.join(names)})"
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(f"{into} VALUES ({', '.join('?' * len(names))})", _written(table, names, rows))
    else:
        values = ", ".join(f"new.{_cast(table.c[name])}" for name in names)
        await connection.exec_driver_sql(f"{into} SELECT {values} FROM {_unnested(table, names)}", _columns(rows))  # noqa: S608 - names of ours


async def add_dicts(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same of rows that all name the same columns, in the same order, and have no documents."""
    if rows:
        await add(connection, table, list(rows[0]), [tuple(row.values()) for row in rows])


async def change(
    connection: AsyncConnection, table: Table, key: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Set these columns of the rows with these keys; of each tuple the key comes last."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        values = ", ".join(f"{name} = ?" for name in names)
        statement = f"UPDATE {table.name} SET {values} WHERE {key} = ?"  # noqa: S608 - names of ours
        await connection.exec_driver_sql(statement, _written(table, [*names, key], rows))
    else:
        values = ", ".join(f"{name} = new.{_cast(table.c[name])}" for name in names)
        new = _unnested(table, [*names, key])
        # The keys once more by themselves, or all of the table may be read to join it with them.
        its = f"{table.name}.{key} = new.{key} AND {table.name}.{key} = ANY(${len(names) + 1})"
        statement = f"UPDATE {table.name} SET {values} FROM {new} WHERE {its}"  # noqa: S608
        await connection.exec_driver_sql(statement, _columns(rows))


async def change_each(
    connection: AsyncConnection,
    table: Table,
    keys: Sequence[str],
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """The same of a few rows whose key is several columns, which come last: row by row, each through the index."""
    if not rows:
        return
    written = [*names, *keys]
    if connection.dialect.name == "sqlite":
        marks = ["?"] * len(written)
        rows = _written(table, written, rows)
    else:
        marks = [f"${number}" for number in range(1, len(written) + 1)]
    set_to = [f"{name} = {mark}" for name, mark in zip(written, marks, strict=True)]
    values, which = ", ".join(set_to[: len(names)]), " AND ".join(set_to[len(names) :])
    await connection.exec_driver_sql(f"UPDATE {table.name} SET {values} WHERE {which}", list(rows))  # noqa: S608


def _written(table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same with times as the database has them."""
    text = Texts().__getitem__
    times = [isinstance(table.c[name].type, Instant) for name in names]
    columns = zip(*rows, strict=True)
    return list(
        zip(*(map(text, each) if time else each for time, each in zip(times, columns, strict=True)), strict=True)
    )


def _columns(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))


def _unnested(table: Table, names: Sequence[str]) -> str:
    arrays = ", ".join(f"${number}::{_array(table.c[name])}" for number, name in enumerate(names, 1))
    return f"unnest({arrays}) AS new({', '.join(names)})"


def _array(column: Column[Any]) -> str:
    return "text[]" if isinstance(column.type, JSON) else f"{column.type.compile(_POSTGRESQL)}[]"


def _cast(column: Column[Any]) -> str:
    return f"{column.name}::json" if isinstance(column.type, JSON) else column.name
