"""Writing down what many chargers do, in one statement: row by row it would cost several times as much."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.evse import Evse
from app.store.bulk import change
from app.store.instants import Texts
from app.store.tables import metadata

_evse = metadata.tables["evse"]

_SQLITE: Final = text(
    "UPDATE evse SET actual_status = json_extract(one.value, '$[1]'),"
    " reported_status = json_extract(one.value, '$[2]'), observed_at = json_extract(one.value, '$[3]'),"
    " updated_at = json_extract(one.value, '$[4]')"
    " FROM json_each(:heard) AS one WHERE evse.id = json_extract(one.value, '$[0]')"
)
_HEARD: Final = ("actual_status", "reported_status", "observed_at", "updated_at")


async def write_heard(connection: AsyncConnection, evses: Sequence[Evse]) -> None:
    """Write the actual statuses of EVSEs, and nothing else of them. Their rows are locked already."""
    if connection.dialect.name == "sqlite":
        times = Texts()
        heard = [
            (one.id, one.actual_status, one.reported, times[one.observed_at], times[one.updated_at]) for one in evses
        ]
        await connection.execute(_SQLITE, {"heard": msgspec.json.encode(heard).decode()})
        return
    rows = [(one.actual_status.value, one.reported, one.observed_at, one.updated_at, one.id) for one in evses]
    await change(connection, _evse, "id", _HEARD, rows)
