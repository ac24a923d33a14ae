"""Keys as one parameter name the same rows as each by itself, on either database."""

from typing import Any

import pytest
from sqlalchemy import select

from app.store.database import Database
from app.store.prepared import Prepared, among
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import register

_evse = metadata.tables["evse"]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("id", []),
        ("id", [1]),
        ("id", [2**31, 2**53 + 1, 2**63 - 1]),
        ("location", []),
        ("location", ["", "NULL", '"', "\\", "{a,b}", "é😀", "\u2028", "1e5"]),
        ("evse_id_key", []),
    ],
)
async def test_keys_name_the_same_rows_as_each_by_itself(
    database: Database, writer: Writer, name: str, keys: list[Any]
) -> None:
    await register(writer)
    column = _evse.c[name]
    prepared = Prepared(lambda among: select(_evse.c.id).where(among(column)))
    async with database.read() as connection:
        these = (await connection.execute(select(_evse.c.id).where(column.in_(keys)))).all()
        others = (await connection.execute(select(_evse.c.id).where(column.not_in(keys)))).all()
        found = among(connection, column, keys)
        assert (await connection.execute(select(_evse.c.id).where(found))).all() == these
        assert (await prepared.run(connection, keys)).all() == these
        assert (await connection.execute(select(_evse.c.id).where(~found))).all() == others
