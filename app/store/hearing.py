"""Writing down what many chargers do, in one statement: row by row it would cost several times as much."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.evse import Evse

_SQLITE = text(
    "UPDATE evse SET actual_status = json_extract(one.value, '$[1]'),"
    " reported_status = json_extract(one.value, '$[2]'), observed_at = json_extract(one.value, '$[3]'),"
    " updated_at = json_extract(one.value, '$[4]')"
    " FROM json_each(:heard) AS one WHERE evse.id = json_extract(one.value, '$[0]')"
)
_POSTGRESQL = text(
    "UPDATE evse SET actual_status = one.status, reported_status = one.word, observed_at = one.seen,"
    " updated_at = one.updated"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:statuses AS text[]), CAST(:words AS text[]),"
    " CAST(:seen AS timestamptz[]), CAST(:updated AS timestamptz[])) AS one (id, status, word, seen, updated)"
    " WHERE evse.id = one.id"
)


async def write_heard(connection: AsyncConnection, evses: Sequence[Evse]) -> None:
    """Write the actual statuses of EVSEs, and nothing else of them. Their rows are locked already."""
    if connection.dialect.name == "sqlite":
        heard = [
            (one.id, one.actual_status, one.reported, _stored(one.observed_at), _stored(one.updated_at))
            for one in evses
        ]
        await connection.execute(_SQLITE, {"heard": msgspec.json.encode(heard).decode()})
        return
    columns: dict[str, list[Any]] = {
        "ids": [one.id for one in evses],
        "statuses": [one.actual_status.value for one in evses],
        "words": [one.reported for one in evses],
        "seen": [one.observed_at for one in evses],
        "updated": [one.updated_at for one in evses],
    }
    await connection.execute(_POSTGRESQL, columns)


def _stored(value: datetime | None) -> str | None:
    """An instant in the form that SQLite holds it in, in which texts are in order as times are."""
    return None if value is None else value.replace(tzinfo=None).isoformat(" ", "microseconds")
