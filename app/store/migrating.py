"""Brings a database to the schema that this version of the code expects."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import migrations
from app.store.database import Database

_DIRECTORY: Final = Path(migrations.__file__).parent
#: Any number will do, as long as every replica of this service uses the same and nobody else does.
_ADVISORY_LOCK: Final = 0x45565345


async def upgrade(database: Database, to: str = "head") -> None:
    """Apply what is missing, all of it or nothing. Several replicas may try at once: one does it, the others wait."""
    await _migrate(database, lambda config: command.upgrade(config, to))


async def downgrade(database: Database, to: str) -> None:
    """Take back everything after the revision `to`; `base` takes back all."""
    await _migrate(database, lambda config: command.downgrade(config, to))


async def current(database: Database) -> str | None:
    """The revision that the database is at, `None` for an empty one."""
    async with database.read() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


def newest() -> str:
    """The revision that this version of the code expects."""
    head = ScriptDirectory(str(_DIRECTORY)).get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations in {_DIRECTORY}")
    return head


async def _migrate(database: Database, run: Callable[[Config], None]) -> None:
    def migrate(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
        config.attributes["connection"] = connection
        run(config)

    async with database.migrate() as connection:
        if not database.embedded:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        await connection.run_sync(migrate)
