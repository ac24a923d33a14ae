"""A page in the order of the keys, found through the index that leaves the fewest rows to look at."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Select, Table, bindparam, func, literal_column, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

#: Rows looked at in the order of the page, for each that the page holds, before an index is asked.
_AHEAD: Final = 10
_AS_IT_IS: Final[ColumnElement[int]] = literal_column("0")

#: For `Way.index`: along the key itself, whatever index there is.
ALONG_THE_KEY: Final = ""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to the rows: the condition that `index` is good for, and whether that gives them in the order of `key`.

    The index is named for SQLite, which keeps no statistics here and may take any other. PostgreSQL decides itself.
    `None` leaves it to both.

    `stretch`: of an index by that column and then by the key, only what has this value. It is no condition of its own:
    on PostgreSQL an `=` would leave nothing to order by but the key, and tempt it to walk along that.
    """

    where: tuple[ColumnElement[bool], ...] = ()
    index: str | None = None
    of: Table
    key: ColumnElement[int]
    ordered: bool = True
    stretch: tuple[ColumnElement[int], int] | None = None


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """All that is wanted (`query`, of keys) and ways that together lead to it.

    `wide`: they may lead to so many rows that whoever wants a page of them may find it sooner by just going on.
    """

    query: Select[Any]
    ways: Sequence[Way]
    wide: bool = False


async def page(
    connection: AsyncConnection, table: Table, accesses: Sequence[Access], after: int, limit: int
) -> list[RowMapping]:
    """The first `limit` rows of `table` with keys above `after` that any of `accesses` leads to, in order.

    What matches is found in one statement, so no row is told of that did not match as it is told. Where much matches,
    a page is full after a few rows more than it holds; where little does, an index leads to all of it, and only that is
    sorted. So a page costs what matches at most, whatever else is stored.
    """
    found: list[RowMapping] = []
    if any(access.wide for access in accesses):
        last = await _last_ahead(connection, table, after, limit)
        for access in accesses if last is not None else ():
            key = table.c.id
            query = access.query.with_hint(table, "NOT INDEXED", "sqlite").where(key > after, key <= last)
            found += await _rows(connection, table, query.order_by(key).limit(limit))
        found = _merged(found, limit)
        if last is None or len(found) == limit:
            return found
        after = last
    left, dialect = limit - len(found), connection.dialect.name
    keys = [_keys(access.query, way, after, left, dialect) for access in accesses for way in access.ways]
    if len(keys) > 1:
        one = union(*(select(each.subquery().c[0].label("id")) for each in keys)).subquery()
        wanted = select(one.c.id).order_by(one.c.id).limit(left)
    else:
        wanted = keys[0]
    return found + await _rows(connection, table, wanted)


def _keys(query: Select[Any], way: Way, after: int, limit: int, dialect: str) -> Select[Any]:
    # In the order of an index that is not the key's nobody must be tempted to walk along the key instead.
    key: ColumnElement[int] = way.key if way.ordered else way.key + _AS_IT_IS
    query = query.with_only_columns(way.key).where(*way.where).limit(limit)
    if way.stretch is None:
        query = query.where(key > after).order_by(key)
    else:
        column, number = way.stretch
        # Written out: PostgreSQL must know how many they are to see that a page is found sooner by walking.
        value: ColumnElement[int] = bindparam(None, number, literal_execute=True)
        if dialect == "sqlite":  # seeks both for `=` only, and takes the index that it is told
            query = query.where(column == value, key > after).order_by(key)
        else:
            query = query.where(tuple_(column, key) > tuple_(value, after), column <= value).order_by(column, key)
    if way.index is None:
        return query
    return query.with_hint(way.of, f"INDEXED BY {way.index}" if way.index else "NOT INDEXED", "sqlite")


async def _last_ahead(connection: AsyncConnection, table: Table, after: int, limit: int) -> int | None:
    key = table.c.id
    ahead = select(key).where(key > after).order_by(key).limit(_AHEAD * limit).subquery()
    last: int | None = (await connection.execute(select(func.max(ahead.c.id)))).scalar_one()
    return last


async def _rows(connection: AsyncConnection, table: Table, keys: Select[Any]) -> list[RowMapping]:
    query = select(table).where(table.c.id.in_(keys)).order_by(table.c.id)
    return list((await connection.execute(query)).mappings())


def _merged(found: list[RowMapping], limit: int) -> list[RowMapping]:
    by_key = {row["id"]: row for row in found}
    return [by_key[key] for key in sorted(by_key)][:limit]
