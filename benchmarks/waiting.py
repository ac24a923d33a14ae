"""Waiting for the clockwork, from outside: asked of the database often, and cheap to answer."""

import asyncio
from datetime import datetime
from time import perf_counter
from typing import Final

from sqlalchemy import select

from app.store.database import Database
from app.store.due import AT_ONCE
from app.store.tables import metadata

_EVERY: Final = 0.01  #: seconds
_PATIENCE: Final = 300.0  #: seconds
_presented = metadata.tables["presented"]


async def converged(database: Database, at: datetime) -> None:
    """Wait until no boundary is left that was due at `at`; what somebody has only just touched is not meant.

    Raises:
        TimeoutError: it does not come to an end.
    """
    due = (_presented.c.recheck_at > AT_ONCE, _presented.c.recheck_at <= at)
    waiting = select(_presented.c.evse).where(*due).limit(1)
    give_up = perf_counter() + _PATIENCE
    while perf_counter() < give_up:
        async with database.read() as connection:
            if (await connection.execute(waiting)).first() is None:
                return
        await asyncio.sleep(_EVERY)
    raise TimeoutError("what is due does not come to an end")
