"""A fleet to measure with: EVSEs in production, keys to call with, and windows."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam

from app.clock import SystemClock
from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.evse import Evse
from app.domain.evse_id import parse_evse_id
from app.domain.interval import Interval
from app.domain.principal import Role
from app.domain.status import ActualStatus, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store import keys
from app.store.database import Database
from app.store.rows import evse_values, temporary_status_values, what_text
from app.store.tables import metadata
from benchmarks.databases import fill

OPERATORS: Final = 20
SITE: Final = 4  #: EVSEs at one location
KINDS: Final = tuple(Kind)


def evse_id(number: int) -> str:
    """The EVSE ID of the EVSE with this key, as registered."""
    return f"DE*B{number % OPERATORS:02}*E{number:07}"


def now() -> datetime:
    return SystemClock().now()


def evses(count: int, at: datetime) -> Iterator[Evse]:
    """EVSEs in production, each reported available a minute ago."""
    for number in range(1, count + 1):
        written = evse_id(number)
        parsed = parse_evse_id(written)
        yield Evse(
            id=number,
            evse_id=written,
            key=parsed.key,
            operator=f"DEB{number % OPERATORS:02}",
            country="DE",
            party=f"B{number % OPERATORS:02}",
            uid=written.replace("*", ""),
            location=f"L{number // SITE}",
            deployment=DeploymentState.PRODUCTION,
            actual_status=ActualStatus.AVAILABLE,
            reported="Available",
            observed_at=at - timedelta(minutes=1),
            created_by="benchmark",
            created_at=at,
            updated_at=at,
        )


async def stock(url: str, count: int, at: datetime) -> None:
    """Register `count` EVSEs, shown as available, with nothing left to compute."""
    fleet = list(evses(count, at))
    await fill(url, metadata.tables["evse"], [evse_values(one) for one in fleet])
    await fill(url, metadata.tables["presented"], [_presented(one.id, at) for one in fleet])


def _presented(evse: int, at: datetime) -> dict[str, Any]:
    return {
        "evse": evse,
        "what": what_text(ActualStatus.AVAILABLE),
        "because": None,
        "until": None,
        "version": 1,
        "last_updated": at,
        "recheck_at": None,
        "announced": None,
        "status_version": 1,
        "schedule_version": 0,
    }


def window(number: int, evse: int, begin: datetime, end: datetime | None, **other: Any) -> TemporaryStatus:
    """The window with the key `number`, made as it began or a day before now, whichever is earlier."""
    made = min(begin, other.pop("made", begin))
    fields: dict[str, Any] = {"kind": KINDS[number % len(KINDS)], "created_by": "benchmark", "revision": 1} | other
    return TemporaryStatus(
        id=number, evse=evse, interval=Interval(begin, end), created_at=made, updated_at=made, **fields
    )


async def plan(url: str, windows: Iterable[TemporaryStatus]) -> None:
    """Store windows as if they had been planned. Nobody is told: `look_again` or a start of the service does that."""
    rows = [temporary_status_values(one, f"DEB{one.evse % OPERATORS:02}") for one in windows]
    await fill(url, metadata.tables["temporary_status"], rows)


async def look_again(url: str, at: dict[int, datetime]) -> None:
    """Have EVSEs looked at again at these times, as the planning of a window would."""
    presented = metadata.tables["presented"]
    database = Database(url)
    try:
        async with database.write() as connection:
            marking = presented.update().where(presented.c.evse == bindparam("key")).values(recheck_at=bindparam("at"))
            await connection.execute(marking, [{"key": evse, "at": when} for evse, when in at.items()])
    finally:
        await database.close()


async def key(url: str, role: Role = Role.OPERATIONS) -> str:
    """A key of this role, good for the whole fleet."""
    key_id, written = new_key()
    made = ApiKey(
        id=key_id,
        name=f"benchmark {key_id}",
        role=role,
        digest=digest_of(written),
        created_by="benchmark",
        created_at=now(),
    )
    database = Database(url)
    try:
        async with database.write() as connection:
            await keys.add(connection, made)
    finally:
        await database.close()
    return written


def body(number: int, evse: int, begin: datetime, end: datetime) -> dict[str, Any]:
    """What somebody posts to plan a window."""
    return {
        "evseId": evse_id(evse),
        "temporaryStatus": KINDS[number % len(KINDS)].value,
        "validFrom": begin.isoformat(),
        "validTo": end.isoformat(),
        "reason": f"work order {number}",
    }
