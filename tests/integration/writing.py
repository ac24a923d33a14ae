"""What tests of the writer share: many commands at once, and commits that are counted or broken."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from sqlalchemy import event

from app.store.database import Database


class Commits:
    """Counts the commits of a database's writing connections, and breaks as many as it is told to."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        self.to_break = 0
        event.listen(database._writer.sync_engine, "commit", self._commit)

    def _commit(self, _connection: Any) -> None:
        if self.to_break:
            self.to_break -= 1
            raise OSError("the disk is full")
        self.count += 1


async def together(*work: Awaitable[Any]) -> list[Any]:
    """Have all of it waiting at once, so that the writer takes it as one group; refusals are answers too."""
    return await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 20)
