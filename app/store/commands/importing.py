"""Taking in what a charging backend publishes: EVSEs, and the locations where they stand."""

from typing import Any, Final

import msgspec

from app.domain.errors import EvseConflict
from app.domain.evse import Evse, PublishedEvse
from app.domain.evse_id import EvseId, parse_evse_id
from app.domain.instant import MILLISECOND
from app.domain.location import Location, PublishedLocation
from app.domain.permission import Action, On
from app.domain.principal import Principal
from app.domain.status import OCPI_REMOVED, ActualStatus, DeploymentState, understood
from app.store.batch import Batch
from app.store.commands.asking import demand
from app.store.commands.evses import Registered, readdressed, refuse_twin, same
from app.store.needs import Needs

#: What we say ourselves of an EVSE, whatever was imported. A backend changes these all day.
_REPLACED: Final = ("status", "status_schedule", "last_updated")


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """Register an EVSE that a backend publishes.

    New ones go into production, or into stock where their location is not published; of known ones the deployment
    state changes only when told to, and the actual status only where none is stored.
    """

    by: Principal
    imported: PublishedEvse
    deployment: DeploymentState | None = None

    def needs(self) -> Needs:
        one = self.imported
        evse_ids = () if one.evse_id is None else (parse_evse_id(one.evse_id),)
        return Needs(
            by=self.by, evse_ids=evse_ids, uids=((one.country, one.party, one.uid),), changes_evse=True, new_evses=1
        )

    def decide(self, batch: Batch) -> Registered:
        one = self.imported
        evse_id = None if one.evse_id is None else parse_evse_id(one.evse_id)
        old = batch.evse_by_uid(one.country, one.party, one.uid)
        if old is None and evse_id is not None:
            known = batch.evse_in_use(evse_id.written)
            # Registered by hand before, with no uid of its own: the backend now says which it is.
            if known is not None and known.ocpi_object is None and _has_default_uid(known):
                old = known
        if old is not None and old.evse_id is not None and evse_id is not None and not same(old.evse_id, evse_id):
            raise EvseConflict(
                f"uid {old.uid} is registered as {old.evse_id}, which partners know it by: deprecate that one, and "
                f"publish {evse_id.written} under a uid of its own",
                field="evseId",
            )
        new = self._merged(batch, old, evse_id)
        unseen = EvseConflict(f"uid {new.uid} is not for this key to register", field="uid")
        demand(batch.principal(self.by), Action.REGISTER, On(new), unseen)
        refuse_twin(batch, new)
        if old is None or new != old:
            batch.put_evse(msgspec.structs.replace(new, updated_at=batch.at), readdressed=readdressed(old, new))
        return Registered(new, created=old is None)

    def _merged(self, batch: Batch, old: Evse | None, evse_id: EvseId | None) -> Evse:
        one = self.imported
        removed = one.status == OCPI_REMOVED
        status = ActualStatus.UNKNOWN if removed else understood(one.status)
        known = old is not None
        if old is None:
            fresh = DeploymentState.PRODUCTION if one.published else DeploymentState.STOCK
            old = Evse(
                id=batch.new_key("evse"),
                evse_id=None,
                key=None,
                operator=f"{one.country}{one.party}".upper(),
                country=one.country,
                party=one.party,
                uid=one.uid,
                deployment=DeploymentState.DEPRECATED if removed else fresh,
                created_by=self.by.id,
                created_at=batch.at,
                updated_at=batch.at,
            )
        silent = old.reported is None and not removed
        # A new one needs no mark: it is shown for the first time.
        renewed = known and _says_other(old, one)
        return msgspec.structs.replace(
            old,
            evse_id=old.evse_id if evse_id is None else evse_id.written,
            key=old.key if evse_id is None else evse_id.key,
            operator=old.operator if evse_id is None else evse_id.operator,
            uid=one.uid,
            country=one.country,
            party=one.party,
            location=one.location,
            deployment=self.deployment or old.deployment,
            actual_status=status if silent else old.actual_status,
            reported=one.status if silent else old.reported,
            observed_at=one.observed_at if silent else old.observed_at,
            ocpi_object=one.ocpi_object,
            ocpi_version=one.ocpi_version,
            object_changed_at=batch.at if renewed else old.object_changed_at,
        )


class ImportedLocation(msgspec.Struct, frozen=True):
    """A location after the import."""

    location: Location
    created: bool


class ImportLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Keep a location that a backend publishes. It has changed where more of it differs than its `last_updated`."""

    by: Principal
    imported: PublishedLocation

    def needs(self) -> Needs:
        return Needs(locations=(self.imported.key,), new_locations=1)

    def decide(self, batch: Batch) -> ImportedLocation:
        one = self.imported
        old = batch.locations.find(one.key)
        if old is None:
            new = new_location(one, self.by, batch)
        else:
            changed = one.ocpi_version != old.ocpi_version or _without(one.ocpi_object, "last_updated") != _without(
                old.ocpi_object, "last_updated"
            )
            new = msgspec.structs.replace(
                old,
                ocpi_object=one.ocpi_object,
                ocpi_version=one.ocpi_version,
                # Strictly later, so that nobody who asks for what has changed since is left out.
                changed_at=max(batch.at, old.changed_at + MILLISECOND) if changed else old.changed_at,
            )
        if new != old:
            batch.locations.put(new)
        return ImportedLocation(new, created=old is None)


def new_location(one: PublishedLocation, by: Principal, batch: Batch) -> Location:
    """A location that nobody knew before, with the next key; it is not yet put into `batch`."""
    return Location(
        number=batch.locations.new_key(),
        country=one.country,
        party=one.party,
        id=one.id,
        ocpi_object=one.ocpi_object,
        ocpi_version=one.ocpi_version,
        changed_at=batch.at,
        created_by=by.id,
        created_at=batch.at,
    )


def _says_other(old: Evse, one: PublishedEvse) -> bool:
    """Tell whether partners would read something else than before in what we do not say ourselves."""
    if old.ocpi_version != one.ocpi_version or old.location != one.location:
        return True
    return old.ocpi_object is None or _without(old.ocpi_object, *_REPLACED) != _without(one.ocpi_object, *_REPLACED)


def _without(ocpi_object: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {field: value for field, value in ocpi_object.items() if field not in fields}


def _has_default_uid(evse: Evse) -> bool:
    return evse.evse_id is not None and evse.uid == parse_evse_id(evse.evse_id).uid
