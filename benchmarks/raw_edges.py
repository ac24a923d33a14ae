"""The floor of an edge: the same rows changed by the bare driver, everything known beforehand and nothing decided."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from time import perf_counter

import asyncpg
from sqlalchemy import make_url

CHUNK = 2000  #: EVSEs in a transaction


async def change_rows(url: str, evses: int, partners: Sequence[int], at: datetime) -> float:
    """Show a temporary status on so many EVSEs, record it and owe it to each partner; return the seconds it took."""
    if make_url(url).get_backend_name() == "sqlite":
        return await asyncio.to_thread(_sqlite, url, evses, partners, at)
    return await _postgresql(url, evses, partners, at)


def _chunks(evses: int) -> list[range]:
    return [range(first, min(first + CHUNK, evses + 1)) for first in range(1, evses + 1, CHUNK)]


def _sqlite(url: str, evses: int, partners: Sequence[int], at: datetime) -> float:
    now = at.strftime("%Y-%m-%d %H:%M:%S.%f")
    what = "kind:MAINTENANCE"
    ready = [
        (
            [(what, one, now, 3, 3, now, now, one) for one in chunk],
            [(now, one, "DEB00", 3, "actual:AVAILABLE", what, one, now) for one in chunk],
            [(3, now, partner, one) for one in chunk for partner in partners],
        )
        for chunk in _chunks(evses)
    ]
    with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        began = perf_counter()
        for shown, changes, owed in ready:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE presented SET what=?, because=?, until=?, version=?, status_version=?, last_updated=?,"
                " recheck_at=? WHERE evse=?",
                shown,
            )
            connection.executemany(
                "INSERT INTO presented_change (at, evse, operator, version, from_what, to_what, because, until)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                changes,
            )
            connection.executemany(
                "UPDATE delivery SET want=?, next_at=? WHERE partner=? AND evse=? AND aspect='status'", owed
            )
            connection.execute("COMMIT")
        return perf_counter() - began


async def _postgresql(url: str, evses: int, partners: Sequence[int], at: datetime) -> float:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    chunks = [list(chunk) for chunk in _chunks(evses)]
    try:
        began = perf_counter()
        for chunk in chunks:
            async with connection.transaction():
                await connection.execute(
                    "UPDATE presented SET what='kind:MAINTENANCE', because=new.evse, until=$2, version=3,"
                    " status_version=3, last_updated=$2, recheck_at=$2"
                    " FROM unnest($1::bigint[]) AS new(evse) WHERE presented.evse=new.evse",
                    chunk,
                    at,
                )
                await connection.execute(
                    "INSERT INTO presented_change (at, evse, operator, version, from_what, to_what, because, until)"
                    " SELECT $2, evse, 'DEB00', 3, 'actual:AVAILABLE', 'kind:MAINTENANCE', evse, $2"
                    " FROM unnest($1::bigint[]) AS new(evse)",
                    chunk,
                    at,
                )
                await connection.execute(
                    "UPDATE delivery SET want=3, next_at=$2 FROM unnest($1::bigint[]) AS new(evse)"
                    " WHERE partner=ANY($3::bigint[]) AND delivery.evse=new.evse AND aspect='status'",
                    chunk,
                    at,
                    list(partners),
                )
        return perf_counter() - began
    finally:
        await connection.close()
