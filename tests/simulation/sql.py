"""The same store on a real database, through the statements that the service uses."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, insert

from app.domain.evse import Evse
from app.store import deliveries, partners
from app.store.database import Database
from app.store.rows import evse_values
from app.store.tables import metadata
from tests.simulation.memory import PARTNER, SECRETS
from tests.simulation.plan import MOST_EVSES
from tests.simulation.stores import Store
from tests.simulation.virtual_time import START


def without_a_disk(database: Database) -> None:
    """No machine loses its power here: nothing has to reach a disk."""
    if database.embedded:

        @event.listens_for(database._writer.sync_engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA synchronous=OFF")
            cursor.close()


async def register_evses(database: Database) -> None:
    """The EVSEs 1, 2, 3, … that every history in this database is about."""
    async with database.write() as connection:
        await connection.execute(
            insert(metadata.tables["evse"]), [evse_values(_evse(key)) for key in range(1, MOST_EVSES + 1)]
        )


@asynccontextmanager
async def in_sql(database: Database) -> AsyncGenerator[Store]:
    """A store for one history: a partner of its own, which is removed afterwards with all that it was owed."""
    async with database.write() as connection:
        await partners.add(connection, SECRETS, PARTNER, "test")
    yield Store(database, deliveries, partners, SECRETS)
    async with database.write() as connection:
        await partners.remove(connection, PARTNER.name, START, "test")


def _evse(key: int) -> Evse:
    return Evse(
        id=key,
        evse_id=f"DE*SIM*E{key}",
        key=f"DESIME{key}",
        operator="DESIM",
        country="DE",
        party="SIM",
        uid=str(key),
        created_by="test",
        created_at=START,
        updated_at=START,
    )
