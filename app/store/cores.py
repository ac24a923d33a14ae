"""EVSEs and temporary statuses, as much of them as decides what is shown: few columns, and tuples.

In a storm of edges reading them is much of what is done, and all else about them is not asked for.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.evse import EvseCore
from app.domain.interval import Interval
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import Window
from app.store.finding import live_of
from app.store.instants import Instant
from app.store.packed import Reading
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]
_core: Final = [
    _evse.c[name]
    for name in ("id", "operator", "location", "deployment_state", "actual_status", "observed_at", "object_changed_at")
]
_window: Final = [
    _temporary.c[name] for name in ("id", "evse", "kind", "valid_from", "valid_to", "applies_when", "ended_at")
]
_KIND: Final = {one.value: one for one in Kind}
_APPLIES: Final = {one.value: one for one in AppliesWhen}
_DEPLOYMENT: Final = {one.value: one for one in DeploymentState}
_ACTUAL: Final = {one.value: one for one in ActualStatus}


_EVSES: Final = Reading(
    lambda among: select(*_core).where(among(_evse.c.id)),
    msgspec.json.Decoder(list[tuple[int, str, str | None, str, str, datetime | None, datetime | None]]),
)
_LIVE: Final = Reading(
    lambda among: select(*_window).where(live_of(among(_temporary.c.evse), bindparam("now", type_=Instant))),
    msgspec.json.Decoder(list[tuple[int, int, str, datetime, datetime | None, str, datetime | None]]),
)


async def evses_by_id(connection: AsyncConnection, keys: Collection[int]) -> dict[int, EvseCore]:
    return {row[0]: _core_from(*row) for row in await _EVSES.rows(connection, keys)}


async def windows_by_evse(connection: AsyncConnection, keys: Collection[int], at: datetime) -> dict[int, list[Window]]:
    """What decides what is shown of the temporary statuses that are not over at `at`, by EVSE."""
    windows: dict[int, list[Window]] = {}
    for row in await _LIVE.rows(connection, keys, now=at):
        windows.setdefault(row[1], []).append(_window_from(*row))
    return windows


def _core_from(
    key: int,
    operator: str,
    location: str | None,
    deployment: str,
    actual: str,
    observed_at: datetime | None,
    object_changed_at: datetime | None,
) -> EvseCore:
    return EvseCore(
        id=key,
        operator=operator,
        location=location,
        deployment=_DEPLOYMENT[deployment],
        actual_status=_ACTUAL[actual],
        observed_at=observed_at,
        object_changed_at=object_changed_at,
    )


def _window_from(
    key: int,
    evse: int,
    kind: str,
    begin: datetime,
    end: datetime | None,
    applies_when: str,
    ended_at: datetime | None,
) -> Window:
    return Window(
        id=key,
        evse=evse,
        kind=_KIND[kind],
        interval=Interval(begin, end),
        applies_when=_APPLIES[applies_when],
        ended_at=ended_at,
    )
