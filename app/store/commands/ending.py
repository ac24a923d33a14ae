"""Ending temporary statuses."""

import msgspec

from app.domain import planning, reference
from app.domain.evse_id import EvseId
from app.domain.permission import Action, Allowed, On, may
from app.domain.precondition import UNCONDITIONAL, Precondition
from app.domain.principal import Principal
from app.domain.reference import SourceVersion
from app.domain.status import Kind
from app.domain.temporary_status import State, TemporaryStatus
from app.store.batch import Batch
from app.store.commands.asking import sees
from app.store.commands.temporary_statuses import Written, reached, unless_over, written
from app.store.needs import Needs


class End(msgspec.Struct, frozen=True):
    """End a temporary status now; one that is over stays as it was."""

    by: Principal
    temporary_id: int
    condition: Precondition = UNCONDITIONAL

    def needs(self) -> Needs:
        return Needs(by=self.by, temporary_ids=(self.temporary_id,))

    def decide(self, batch: Batch) -> Written:
        by = batch.principal(self.by)
        one = reached(batch, by, Action.END, self.temporary_id)
        self.condition.demand(one, batch.at)
        return _end(batch, by, one)


class EndByRef(msgspec.Struct, frozen=True):
    """End what the caller made under its reference; `None` where there is nothing to end. A cancel is remembered."""

    by: Principal
    ref: str
    version: SourceVersion | None = None
    condition: Precondition = UNCONDITIONAL

    def needs(self) -> Needs:
        return Needs(by=self.by, refs=((self.by.id, self.ref),))

    def decide(self, batch: Batch) -> Written | None:
        by = batch.principal(self.by)
        known = reference.cancelled(batch.references.find(by.id, self.ref), self.version, batch.at)
        one = batch.by_ref(by.id, self.ref)
        self.condition.demand(unless_over(one, batch.at), batch.at)
        batch.references.put(by.id, self.ref, known)
        return None if one is None else _end(batch, by, one)


class EndOnEvse(msgspec.Struct, frozen=True):
    """End what is in effect on an EVSE now, as far as it is the caller's to end."""

    by: Principal
    evse_id: EvseId
    kind: Kind | None = None
    include_planned: bool = False

    def needs(self) -> Needs:
        return Needs(by=self.by, evse_ids=(self.evse_id,), changes_live=True)

    def decide(self, batch: Batch) -> list[Written]:
        by = batch.principal(self.by)
        evse = batch.evse(self.evse_id, sees(by, Action.END))
        states = {State.ACTIVE, State.PLANNED} if self.include_planned else {State.ACTIVE}
        which = [
            one
            for one in batch.live(evse)
            if one.state(batch.at) in states
            and (self.kind is None or one.kind is self.kind)
            and isinstance(may(by, Action.END, On(evse, one)), Allowed)
        ]
        return [_end(batch, by, one) for one in which]


class EndAllOf(msgspec.Struct, frozen=True):
    """End up to `most` of what a key planned and is not over; return how many it were. The caller may: it was asked."""

    by: Principal
    owner: str
    most: int

    def needs(self) -> Needs:
        return Needs(by=self.by, ends_of=(self.owner, self.most))

    def decide(self, batch: Batch) -> int:
        by = batch.principal(self.by)
        found = batch.made_by(self.owner)[: self.most]
        for one in found:
            _end(batch, by, one, "panic")
        return len(found)


def _end(batch: Batch, by: Principal, old: TemporaryStatus, reason: str = "deleted") -> Written:
    return written(batch, by, ended(batch, by, old, reason))


def ended(batch: Batch, by: Principal, old: TemporaryStatus, reason: str = "deleted") -> TemporaryStatus:
    """Put `old` as it stands once it is ended; one that is over stays as it was."""
    new = planning.ended(old, batch.at, by.id, reason)
    if new is not old:
        batch.put_temporary(new)
        batch.audit(by.id, "end", f"temporary status {new.id}", batch.evse_of(new).operator)
    return new
