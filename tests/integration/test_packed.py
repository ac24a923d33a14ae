"""Rows read in one piece are the rows that are there, of the same types, on either database."""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import bindparam, select

from app.store.database import Database
from app.store.instants import Instant
from app.store.packed import Reading
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import register
from tests.clock import START, FrozenClock

_evse = metadata.tables["evse"]
_LOCATIONS = Reading(
    lambda among: (
        select(_evse.c.id, _evse.c.location, _evse.c.created_at, _evse.c.observed_at)
        .where(among(_evse.c.id), _evse.c.created_at <= bindparam("now", type_=Instant))
        .order_by(_evse.c.id.desc())
        .limit(3)
    ),
    msgspec.json.Decoder(list[tuple[int, str | None, datetime, datetime | None]]),
)
AWKWARD = ['"quoted" \\ and, listed]', "Großräschen ✓ 🔌", "tab\tand\x7f"]


async def test_texts_times_and_what_is_missing_come_as_they_are_in_order_and_up_to_the_limit(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    clock.set(datetime(2026, 3, 1, 8, 0, 0, 1000, tzinfo=UTC))
    added = [(await register(writer, f"DE*ABC*E{number}", location=one)).id for number, one in enumerate(AWKWARD)]
    bare = (await register(writer, "DE*ABC*E9")).id
    async with database.read() as connection:
        all_of_them = await _LOCATIONS.rows(connection, added, now=clock.now())
        last = await _LOCATIONS.rows(connection, [*added, bare], now=clock.now())
        none = await _LOCATIONS.rows(connection, [bare + 1], now=clock.now())
        nobody = await _LOCATIONS.rows(connection, [], now=clock.now())
        too_soon = await _LOCATIONS.rows(connection, added, now=START)
    expected = [(key, one, clock.now(), None) for key, one in zip(added, AWKWARD, strict=True)]
    assert [tuple(one) for one in all_of_them] == expected[::-1]
    assert all(one[2].tzinfo is not None for one in all_of_them)
    assert [tuple(one)[:2] for one in last] == [(bare, None), *((key, one) for key, one, *_ in expected[:0:-1])]
    assert (list(none), list(nobody), list(too_soon)) == ([], [], [])
