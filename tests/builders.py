"""Small builders, so that a test says only what it is about."""

from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import UNSET, UnsetType
from sqlalchemy import select, update

from app.domain.brake import Brake
from app.domain.evse import Evse, PublishedEvse
from app.domain.evse_id import parse_evse_id
from app.domain.planning import Changes
from app.domain.principal import Principal, Role
from app.domain.status import AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store.commands.ending import End
from app.store.commands.evses import Register, Report, Reported
from app.store.commands.temporary_statuses import Change, Plan, PlanByRef, Wish, Written
from app.store.database import Database
from app.store.due import AT_ONCE
from app.store.tables import metadata
from app.store.writer import Writer

ADMIN: Final = Principal("backend", Role.ADMIN)
SENSOR: Final = Principal("parking-sensor", Role.CLIENT)
BOOKING: Final = Principal("booking-system", Role.CLIENT)
OPERATIONS: Final = Principal("operations-centre", Role.OPERATIONS)
#: Locks and counts, and lets everything through, even from a fleet that is being moved out of production meanwhile.
LENIENT: Final = Brake(handful=100_000)

EVSE: Final = "DE*ABC*E1"
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


async def register(
    writer: Writer,
    evse_id: str = EVSE,
    *,
    deployment: DeploymentState | UnsetType = DeploymentState.PRODUCTION,
    location: str | None | UnsetType = UNSET,
    uid: str | UnsetType = UNSET,
) -> Evse:
    command = Register(by=ADMIN, evse_id=parse_evse_id(evse_id), deployment=deployment, location=location, uid=uid)
    return (await writer.run(command)).evse


def wish(
    evse_id: str = EVSE,
    *,
    kind: Kind = Kind.BLOCKED,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
    applies_when: AppliesWhen = AppliesWhen.ALWAYS,
    reason: str | None = None,
) -> Wish:
    return Wish(
        evse_id=parse_evse_id(evse_id),
        kind=kind,
        valid_from=valid_from,
        valid_to=valid_to,
        applies_when=applies_when,
        reason=reason,
    )


async def plan(writer: Writer, evse_id: str = EVSE, *, by: Principal = SENSOR, **asked: Any) -> TemporaryStatus:
    """Create a temporary status; `asked` is what `wish` takes."""
    return (await writer.run(Plan(by, wish(evse_id, **asked)))).one


async def plan_by_ref(
    writer: Writer, ref: str, evse_id: str = EVSE, *, by: Principal = SENSOR, **asked: Any
) -> Written:
    """Create or replace under `ref`; `asked` is what `wish` takes."""
    return await writer.run(PlanByRef(by, ref, wish(evse_id, **asked)))


async def change(writer: Writer, one: TemporaryStatus, *, by: Principal = SENSOR, **what: Any) -> TemporaryStatus:
    return (await writer.run(Change(by, one.id, Changes(**what)))).one


async def end(writer: Writer, one: TemporaryStatus, *, by: Principal = SENSOR) -> TemporaryStatus:
    return (await writer.run(End(by, one.id))).one


async def report(writer: Writer, reported: str, evse_id: str = EVSE, **more: Any) -> Reported:
    return await writer.run(Report(by=ADMIN, evse_id=parse_evse_id(evse_id), reported=reported, **more))


def imported(evse_id: str | None = EVSE, *, uid: str = "3256", **different: Any) -> PublishedEvse:
    """An EVSE as a backend publishes it."""
    usual: dict[str, Any] = {
        "country": "DE",
        "party": "ABC",
        "location": "LOC1",
        "published": True,
        "status": "AVAILABLE",
        "observed_at": None,
        "ocpi_object": {"uid": uid, "evse_id": evse_id},
    }
    return PublishedEvse(evse_id=evse_id, uid=uid, **(usual | different))


async def stored(database: Database, table: str) -> list[dict[str, Any]]:
    """Every row of a table as it is stored, by primary key."""
    columns = metadata.tables[table]
    async with database.read() as connection:
        rows = (await connection.execute(select(columns).order_by(*columns.primary_key))).mappings()
        return [dict(row) for row in rows]


async def settled(database: Database) -> None:
    """Leave it as after a reconcile that found nothing more to do."""
    async with database.write() as connection:
        await connection.execute(update(metadata.tables["presented"]).values(recheck_at=None))


async def marked(database: Database) -> list[int]:
    """The EVSEs whose presented status has to be computed anew at once."""
    return [row["evse"] for row in await stored(database, "presented") if row["recheck_at"] == AT_ONCE]
