"""Registering EVSEs and hearing what they do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.errors import AmbiguousEvse, DomainError, EvseConflict, EvseNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId, parse_evse_id
from app.domain.permission import Action, On
from app.domain.principal import Principal
from app.domain.status import OCPI_REMOVED, ActualStatus, DeploymentState, understood
from app.store.batch import Batch
from app.store.commands.asking import demand, sees
from app.store.finding import everybody
from app.store.needs import Needs

#: How far ahead of us a backend's clock may be before its `observedAt` is taken to mean now.
TOLERATED_AHEAD: Final = timedelta(minutes=5)


class Registered(msgspec.Struct, frozen=True):
    """An EVSE after the change."""

    evse: Evse
    created: bool


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """Register an EVSE, or change what is said of it: what is `UNSET` stays, and has a default only on creation."""

    by: Principal
    evse_id: EvseId
    deployment: DeploymentState | UnsetType = UNSET
    location: str | None | UnsetType = UNSET
    country: str | UnsetType = UNSET
    party: str | UnsetType = UNSET
    uid: str | UnsetType = UNSET

    def needs(self) -> Needs:
        return Needs(by=self.by, evse_ids=(self.evse_id,), uids=(self._ocpi_key(),), changes_evse=True, new_evses=1)

    def decide(self, batch: Batch) -> Registered:
        by = batch.principal(self.by)
        seen = sees(by, Action.REGISTER)
        old = self._old(batch, seen)
        other = batch.evse_by_uid(*self._ocpi_key())
        if old is None:
            new = self._new(batch)
            self._refuse_unseen(by, new)
            if other is not None:
                whose = (other.evse_id or "an EVSE without EVSE ID") if seen(other) else "in use"
                raise EvseConflict(f"uid {other.uid} is {whose}", field="uid")
        else:
            for field, name, mine in (
                ("countryCode", "country", self.country),
                ("partyId", "party", self.party),
                ("uid", "uid", self.uid),
            ):
                if mine is not UNSET and mine != getattr(old, name):
                    raise EvseConflict(f"an EVSE's {field} never changes; it is {getattr(old, name)}", field=field)
            new = msgspec.structs.replace(
                old,
                deployment=old.deployment if self.deployment is UNSET else self.deployment,
                location=old.location if self.location is UNSET else self.location,
            )
            if new == old:
                return Registered(old, created=False)
            self._refuse_unseen(by, new)
            new = msgspec.structs.replace(new, updated_at=batch.at)
            if new.location != old.location:
                # Listed elsewhere from now on, and gone from where it was: that is later than what was said before.
                new = msgspec.structs.replace(new, object_changed_at=batch.at)
        refuse_twin(batch, new, seen)
        batch.put_evse(new, readdressed=readdressed(old, new))
        batch.audit(self.by.id, "register", f"EVSE {new.evse_id} {new.deployment}", new.operator)
        return Registered(new, created=old is None)

    def _refuse_unseen(self, by: Principal, new: Evse) -> None:
        """Refuse to put an EVSE where the caller is not good for."""
        demand(by, Action.REGISTER, On(new), EvseNotFound(f"no EVSE {new.evse_id} is registered", field="evseId"))

    def _old(self, batch: Batch, seen: Callable[[Evse], bool]) -> Evse | None:
        """Find the EVSE that is to be changed. Written with separators it is that very one, or a new one."""
        try:
            found = batch.evse_or_none(self.evse_id, seen)
        except AmbiguousEvse:
            if "*" not in self.evse_id.written:
                raise
            return None
        if found is None or found.evse_id is None or "*" not in self.evse_id.written:
            return found
        return found if same(found.evse_id, self.evse_id) else None

    def _ocpi_key(self) -> tuple[str, str, str]:
        return (
            self.evse_id.country if self.country is UNSET else self.country,
            self.evse_id.party if self.party is UNSET else self.party,
            self.evse_id.uid if self.uid is UNSET else self.uid,
        )

    def _new(self, batch: Batch) -> Evse:
        country, party, uid = self._ocpi_key()
        return Evse(
            id=batch.new_key("evse"),
            evse_id=self.evse_id.written,
            key=self.evse_id.key,
            operator=self.evse_id.operator,
            country=country,
            party=party,
            uid=uid,
            location=None if self.location is UNSET else self.location,
            deployment=DeploymentState.STOCK if self.deployment is UNSET else self.deployment,
            created_by=self.by.id,
            created_at=batch.at,
            updated_at=batch.at,
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Hear an actual status. `max_age` is how long a report is believed (`actualStatusMaxAge`)."""

    by: Principal
    evse_id: EvseId
    reported: str
    observed_at: datetime | None = None
    occupied_means: ActualStatus = ActualStatus.BLOCKED
    max_age: timedelta | None = None

    def needs(self) -> Needs:
        return Needs(by=self.by, evse_ids=(self.evse_id,), changes_evse=True, bare=not self.removes)

    @property
    def removes(self) -> bool:
        """Whether it says that the EVSE is gone, which is more than a report."""
        return self.reported == OCPI_REMOVED

    def decide(self, batch: Batch) -> "Reported":
        return self.judge(batch, sees(batch.principal(self.by), Action.REPORT))

    def judge(self, batch: Batch, seen: Callable[[Evse], bool]) -> "Reported":
        """Decide it for a caller for whom there is what is `seen`."""
        evse = batch.evse(self.evse_id, seen)
        status = evse.actual_status if self.removes else understood(self.reported, occupied_means=self.occupied_means)
        ahead = batch.at + TOLERATED_AHEAD
        # A stored time that lies impossibly far ahead is a clock that was stepped back: it must not block what is new.
        known = evse.observed_at if evse.observed_at is not None and evse.observed_at <= ahead else None
        observed_at = self.observed_at
        if observed_at is None or observed_at > ahead:
            # It comes now, so it is the newest, also after one from a clock that is a little fast.
            observed_at = batch.at if known is None else max(batch.at, known)
        elif known is not None and observed_at < known:
            return Reported(evse, applied=False)
        if self.removes:
            if evse.deployment is not DeploymentState.DEPRECATED:
                evse = msgspec.structs.replace(
                    evse, deployment=DeploymentState.DEPRECATED, observed_at=observed_at, updated_at=batch.at
                )
                batch.put_evse(evse)
                batch.audit(self.by.id, "deprecate", f"EVSE {evse.evse_id}", evse.operator)
            return Reported(evse, applied=True)
        believed = evse.actual(self.max_age).at(batch.at)
        evse = msgspec.structs.replace(
            evse,
            actual_status=status,
            reported=self.reported,
            observed_at=observed_at,
            # What only repeats what was known changed nothing.
            updated_at=evse.updated_at if (status, self.reported) == (evse.actual_status, evse.reported) else batch.at,
        )
        # Most reports repeat what is known: only a different one is a reason to look at what is shown.
        batch.put_report(evse, recheck=believed is not evse.actual(self.max_age).at(batch.at))
        return Reported(evse, applied=True)


class Reported(msgspec.Struct, frozen=True):
    """An EVSE after a report, and whether the report counted or was older than what is known."""

    evse: Evse
    applied: bool


class ReportMany(msgspec.Struct, frozen=True):
    """Hear many actual statuses, each of which is judged by itself."""

    by: Principal
    reports: tuple[Report, ...]

    def needs(self) -> Needs:
        return Needs(
            by=self.by,
            evse_ids=tuple(one.evse_id for one in self.reports),
            changes_evse=True,
            bare=not any(one.removes for one in self.reports),
        )

    def decide(self, batch: Batch) -> list[Reported | DomainError]:
        try:
            seen = sees(batch.principal(self.by), Action.REPORT)
        except DomainError as refusal:
            return [refusal] * len(self.reports)
        return [_judged(one, batch, seen) for one in self.reports]


def _judged(report: Report, batch: Batch, seen: Callable[[Evse], bool]) -> Reported | DomainError:
    try:
        return report.judge(batch, seen)
    except DomainError as refusal:
        return refusal


def same(registered: str, evse_id: EvseId) -> bool:
    """Tell whether a written EVSE ID is that very one, and not one that may only mean it."""
    return parse_evse_id(registered).is_spelled_like(evse_id)


def readdressed(old: Evse | None, new: Evse) -> bool:
    """Tell whether partners know the EVSE under another address than before, so that they must be told anew."""
    if old is None:
        return False
    return (old.location, old.uid, old.evse_id) != (new.location, new.uid, new.evse_id)


def refuse_twin(batch: Batch, new: Evse, seen: Callable[[Evse], bool] = everybody) -> None:
    """Let no two EVSEs that are in use have one EVSE ID.

    Raises:
        EvseConflict: another one has it.
    """
    if new.evse_id is None or new.deployment is DeploymentState.DEPRECATED:
        return
    twin = batch.evse_in_use(new.evse_id)
    if twin is not None and twin.id != new.id:
        which = f"as uid {twin.uid}" if seen(twin) else "under another uid"
        raise EvseConflict(f"{new.evse_id} is registered already, {which}", field="evseId")
