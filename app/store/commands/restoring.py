"""Putting back what an export holds: what is there already is left as it is, so that it may be done again."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.domain.errors import DomainError, EvseConflict, EvseNotFound, TemporaryStatusNotFound
from app.domain.evse import Evse
from app.domain.evse_id import parse_evse_id
from app.domain.instant import rfc3339
from app.domain.interval import Interval
from app.domain.location import PublishedLocation
from app.domain.permission import Action, On
from app.domain.principal import COMMAND_LINE, Principal
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store.batch import Batch
from app.store.commands.asking import demand
from app.store.commands.evses import refuse_twin, same
from app.store.commands.importing import new_location
from app.store.database import Database
from app.store.needs import Needs
from app.store.writer import Command

_IMPORTED: Final = "import:"


class Restored(StrEnum):
    """What became of a line."""

    CREATED = "created"
    KNOWN = "known"  #: as the file says
    DIFFERS = "differs"  #: known, and left as it is, which is not as the file says
    OVER = "over"  #: it would never be shown again
    LEFT_OUT = "leftOut"  #: it cannot be said by the way that was taken


class RestoreLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Keep a location, unless there is one."""

    by: Principal
    location: PublishedLocation

    def needs(self) -> Needs:
        return Needs(by=self.by, locations=(self.location.key,), new_locations=1)

    def decide(self, batch: Batch) -> Restored:
        one = self.location
        if (old := batch.locations.find(one.key)) is not None:
            alike = (old.ocpi_object, old.ocpi_version) == (one.ocpi_object, one.ocpi_version)
            return Restored.KNOWN if alike else Restored.DIFFERS
        batch.locations.put(new_location(one, self.by, batch))
        return Restored.CREATED


class RestoreEvse(msgspec.Struct, frozen=True, kw_only=True):
    """Register an EVSE as it was: its deployment state, and its actual status with the time it was seen."""

    by: Principal
    evse_id: str | None
    country: str
    party: str
    uid: str
    location: str | None
    deployment: DeploymentState
    actual_status: ActualStatus
    reported: str | None
    observed_at: datetime | None
    ocpi_object: dict[str, Any] | None
    ocpi_version: str | None

    def needs(self) -> Needs:
        evse_ids = () if self.evse_id is None else (parse_evse_id(self.evse_id),)
        uids = ((self.country, self.party, self.uid),)
        return Needs(by=self.by, evse_ids=evse_ids, uids=uids, changes_evse=True, new_evses=1)

    def decide(self, batch: Batch) -> Restored:
        evse_id = None if self.evse_id is None else parse_evse_id(self.evse_id)
        old = batch.evse_by_uid(self.country, self.party, self.uid)
        if old is not None:
            if not _is_called(old, self.evse_id):
                raise EvseConflict(f"uid {old.uid} is registered as {old.evse_id or 'one without EVSE ID'}", "evseId")
            return Restored.KNOWN if self._is_like(old) else Restored.DIFFERS
        new = Evse(
            id=batch.new_key("evse"),
            evse_id=self.evse_id,
            key=None if evse_id is None else evse_id.key,
            operator=f"{self.country}{self.party}".upper() if evse_id is None else evse_id.operator,
            country=self.country,
            party=self.party,
            uid=self.uid,
            location=self.location,
            deployment=self.deployment,
            actual_status=self.actual_status,
            reported=self.reported,
            observed_at=self.observed_at,
            ocpi_object=self.ocpi_object,
            ocpi_version=self.ocpi_version,
            created_by=self.by.id,
            created_at=batch.at,
            updated_at=batch.at,
        )
        unseen = EvseConflict(f"uid {self.uid} is not for this key to register", field="uid")
        demand(batch.principal(self.by), Action.REGISTER, On(new), unseen)
        refuse_twin(batch, new)
        batch.put_evse(new)
        return Restored.CREATED

    def _is_like(self, old: Evse) -> bool:
        return all(
            getattr(old, field) == getattr(self, field)
            for field in ("location", "deployment", "actual_status", "reported", "observed_at")
        ) and (old.ocpi_object, old.ocpi_version) == (self.ocpi_object, self.ocpi_version)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which temporary status it was where it was exported."""

    id: int
    ref: str | None
    created_by: str
    created_at: datetime

    def reference(self, evse: tuple[str, str, str]) -> str:
        """The reference under which it is imported, the same every time and through any number of databases."""
        if self.created_by == COMMAND_LINE.id and self.ref is not None and self.ref.startswith(_IMPORTED):
            return self.ref
        said = "\n".join([*evse, str(self.id), self.created_by, rfc3339(self.created_at)])
        return _IMPORTED + hashlib.sha256(said.encode()).hexdigest()[:32]


class RestoreTemporaryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Plan a temporary status as it was, from when it began there: what it was shown for is not rewritten by a move.

    It is the importer's own from then on, as the key that made it is unknown here, under a reference that says where it
    comes from. One that was imported before is not brought back, also if it was changed or ended since.
    """

    by: Principal
    evse: tuple[str, str, str]
    evse_id: str | None
    kind: Kind
    interval: Interval
    applies_when: AppliesWhen
    reason: str | None
    origin: Origin

    def needs(self) -> Needs:
        return Needs(
            by=self.by,
            uids=(self.evse,),
            temporary_ids=(self.origin.id,),
            past_refs=((self.by.id, self.origin.reference(self.evse)),),
            new_temporary=1,
        )

    def decide(self, batch: Batch) -> Restored:
        evse = batch.evse_by_uid(*self.evse)
        if evse is None or not _is_called(evse, self.evse_id):
            raise EvseNotFound("its EVSE could not be registered", field="uid")
        demand(batch.principal(self.by), Action.REGISTER, On(evse), EvseNotFound("no such EVSE", field="uid"))
        ref = self.origin.reference(self.evse)
        if batch.was_made(self.by.id, ref) or self._is_itself(batch, evse) or self._is_there(batch, evse):
            return Restored.KNOWN
        if self.interval.end is not None and self.interval.end <= batch.at:
            return Restored.OVER
        one = TemporaryStatus(
            id=batch.new_key("temporary_status"),
            evse=evse.id,
            kind=self.kind,
            interval=self.interval,
            applies_when=self.applies_when,
            reason=self.reason,
            ref=ref,
            created_by=self.by.id,
            created_at=batch.at,
            updated_at=batch.at,
            braked=self.by.is_braked,
        )
        batch.put_temporary(one)
        batch.audit(self.by.id, "import", f"temporary status {one.id}, made by {self.origin.created_by}", evse.operator)
        return Restored.CREATED

    def _is_itself(self, batch: Batch, evse: Evse) -> bool:
        """Tell whether the export is from this very database: then it may have been changed, or ended, since."""
        try:
            one = batch.temporary_status(self.origin.id)
        except TemporaryStatusNotFound:
            return False
        made = (one.evse, one.created_by, one.created_at)
        return made == (evse.id, self.origin.created_by, self.origin.created_at)

    def _is_there(self, batch: Batch, evse: Evse) -> bool:
        """Tell whether somebody said the same here. Not what was imported: two that are alike are two."""
        said = (self.kind, self.interval, self.applies_when, self.reason)
        return any(
            (one.kind, one.interval, one.applies_when, one.reason) == said
            for one in batch.live(evse)
            if not (one.ref or "").startswith(_IMPORTED)
        )


def _is_called(evse: Evse, evse_id: str | None) -> bool:
    if evse.evse_id is None or evse_id is None:
        return evse.evse_id is evse_id
    return same(evse.evse_id, parse_evse_id(evse_id))


async def rehearsed(
    database: Database, at: datetime, commands: Sequence[Command[Restored]]
) -> list[Restored | DomainError]:
    """Say what would become of `commands` at `at`, decided together as they would be, and write nothing."""
    batch = Batch(at)
    async with database.write() as connection:
        await batch.load(connection, [one.needs() for one in commands])
        return [_decided(one, batch) for one in commands]


def _decided(command: Command[Restored], batch: Batch) -> Restored | DomainError:
    try:
        return command.decide(batch)
    except DomainError as refusal:
        return refusal
