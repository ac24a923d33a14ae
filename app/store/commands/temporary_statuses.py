"""Planning, changing and ending temporary statuses."""

from datetime import datetime
from typing import Final

import msgspec

from app.domain import planning
from app.domain.errors import TemporaryStatusNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId
from app.domain.principal import Principal, Right
from app.domain.status import AppliesWhen, Kind
from app.domain.temporary_status import State, TemporaryStatus
from app.store.batch import Batch, Needs

_NEW: Final = "temporary_status"


class Written(msgspec.Struct, frozen=True):
    """A temporary status after the change, its EVSE, and all that live on that EVSE, at the instant of the change."""

    one: TemporaryStatus
    evse: Evse
    live: list[TemporaryStatus]
    at: datetime
    created: bool = False


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The temporary status somebody wants on an EVSE. Times are UTC; `valid_from` left out means now."""

    evse_id: EvseId
    kind: Kind
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    applies_when: AppliesWhen = AppliesWhen.ALWAYS
    reason: str | None = None


class Plan(msgspec.Struct, frozen=True):
    """Create a temporary status."""

    by: Principal
    wish: Wish

    def needs(self) -> Needs:
        return Needs(evse_ids=(self.wish.evse_id,), new_temporary=1)

    def decide(self, batch: Batch) -> Written:
        evse = batch.evse(self.wish.evse_id)
        return _create(batch, self.by, self.wish, evse, ref=None)


class PlanByRef(msgspec.Struct, frozen=True):
    """Create or replace the temporary status that the caller knows under its own reference."""

    by: Principal
    ref: str
    wish: Wish

    def needs(self) -> Needs:
        return Needs(evse_ids=(self.wish.evse_id,), refs=((self.by.id, self.ref),), new_temporary=1)

    def decide(self, batch: Batch) -> Written:
        wish = self.wish
        evse = batch.evse(wish.evse_id)
        # Checked whole before the old one is touched: a failed replacement must leave it as it was.
        interval = planning.asked_interval(wish.valid_from, wish.valid_to, batch.at)
        old = batch.by_ref(self.by.id, self.ref)
        if old is None:
            return _create(batch, self.by, wish, evse, ref=self.ref)
        if old.evse == evse.id and planning.may_become(old, wish.kind, interval.begin, batch.at):
            begun = batch.at >= old.interval.begin
            changes = planning.Changes(
                kind=wish.kind,
                valid_from=old.interval.begin if begun else interval.begin,
                valid_to=wish.valid_to,
                applies_when=wish.applies_when,
                reason=wish.reason,
            )
            new = planning.changed(old, changes, batch.at)
            if new is not old:
                batch.put_temporary(new)
                batch.audit(self.by.id, "change", f"temporary status {new.id}", evse.operator)
            return _written(batch, new)
        if old.is_over(batch.at):
            # It ran out by itself. Closing it frees the reference and changes nothing that was shown.
            closed = msgspec.structs.replace(old, ended_at=old.interval.end, ended_by=self.by.id, end_reason="expired")
        else:
            closed = planning.ended(old, batch.at, self.by.id, "replaced")
        batch.put_temporary(closed)
        return _create(batch, self.by, wish, evse, ref=self.ref)


class Change(msgspec.Struct, frozen=True):
    """Change a temporary status that is not over."""

    by: Principal
    temporary_id: int
    changes: planning.Changes

    def needs(self) -> Needs:
        return Needs(temporary_ids=(self.temporary_id,))

    def decide(self, batch: Batch) -> Written:
        old = _changeable(batch, self.by, self.temporary_id)
        new = planning.changed(old, self.changes, batch.at)
        if new is not old:
            batch.put_temporary(new)
            batch.audit(self.by.id, "change", f"temporary status {new.id}", batch.evse_of(new).operator)
        return _written(batch, new)


class End(msgspec.Struct, frozen=True):
    """End a temporary status now; one that is over stays as it was."""

    by: Principal
    temporary_id: int

    def needs(self) -> Needs:
        return Needs(temporary_ids=(self.temporary_id,))

    def decide(self, batch: Batch) -> Written:
        return _end(batch, self.by, _changeable(batch, self.by, self.temporary_id))


class EndByRef(msgspec.Struct, frozen=True):
    """End what the caller made under its reference; `None` where there is nothing to end."""

    by: Principal
    ref: str

    def needs(self) -> Needs:
        return Needs(refs=((self.by.id, self.ref),))

    def decide(self, batch: Batch) -> Written | None:
        one = batch.by_ref(self.by.id, self.ref)
        return None if one is None else _end(batch, self.by, one)


class EndOnEvse(msgspec.Struct, frozen=True):
    """End what is in effect on an EVSE now and was made with this key; admins end everybody's."""

    by: Principal
    evse_id: EvseId
    kind: Kind | None = None
    include_planned: bool = False

    def needs(self) -> Needs:
        return Needs(evse_ids=(self.evse_id,), changes_live=True)

    def decide(self, batch: Batch) -> list[Written]:
        states = {State.ACTIVE, State.PLANNED} if self.include_planned else {State.ACTIVE}
        which = [
            one
            for one in batch.live(batch.evse(self.evse_id))
            if one.state(batch.at) in states
            and (self.kind is None or one.kind is self.kind)
            and (one.created_by == self.by.id or self.by.may(Right.CHANGE_OTHERS))
        ]
        return [_end(batch, self.by, one) for one in which]


def _create(batch: Batch, by: Principal, wish: Wish, evse: Evse, ref: str | None) -> Written:
    interval = planning.asked_interval(wish.valid_from, wish.valid_to, batch.at)
    one = TemporaryStatus(
        id=batch.new_key(_NEW),
        evse=evse.id,
        kind=wish.kind,
        interval=interval,
        applies_when=wish.applies_when,
        reason=wish.reason,
        ref=ref,
        created_by=by.id,
        created_at=batch.at,
        updated_at=batch.at,
    )
    batch.put_temporary(one)
    batch.audit(by.id, "create", f"temporary status {one.id}", evse.operator)
    return _written(batch, one, created=True)


def _end(batch: Batch, by: Principal, old: TemporaryStatus) -> Written:
    new = planning.ended(old, batch.at, by.id, "deleted")
    if new is not old:
        batch.put_temporary(new)
        batch.audit(by.id, "end", f"temporary status {new.id}", batch.evse_of(new).operator)
    return _written(batch, new)


def _changeable(batch: Batch, by: Principal, temporary_id: int) -> TemporaryStatus:
    one = batch.temporary_status(temporary_id)
    if one.created_by != by.id and not by.may(Right.CHANGE_OTHERS):
        # What belongs to somebody else looks just like what does not exist.
        raise TemporaryStatusNotFound(f"no temporary status {temporary_id}")
    return one


def _written(batch: Batch, one: TemporaryStatus, *, created: bool = False) -> Written:
    evse = batch.evse_of(one)
    return Written(one, evse, batch.live(evse), batch.at, created)
