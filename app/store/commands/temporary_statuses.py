"""Planning and changing temporary statuses."""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET

from app.domain import planning, reference
from app.domain.errors import EvseNotFound, TemporaryStatusNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId
from app.domain.interval import Interval
from app.domain.permission import Action, On, Wanted
from app.domain.precondition import UNCONDITIONAL, Precondition
from app.domain.principal import Principal
from app.domain.reference import SourceVersion
from app.domain.status import AppliesWhen, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store.batch import Batch
from app.store.commands.asking import demand, sees
from app.store.needs import Needs

_NEW: Final = "temporary_status"


class Written(msgspec.Struct, frozen=True):
    """A temporary status after the change, its EVSE, and all that live on that EVSE, at the instant of the change.

    Not all of these is for `by` to see, who asked.
    """

    one: TemporaryStatus
    evse: Evse
    live: list[TemporaryStatus]
    at: datetime
    by: Principal
    created: bool = False


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to say for a while. Times are UTC; `valid_from` left out means now."""

    kind: Kind
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    applies_when: AppliesWhen = AppliesWhen.ALWAYS
    reason: str | None = None


class Wish(Said, frozen=True, kw_only=True):
    """The temporary status somebody wants on an EVSE."""

    evse_id: EvseId


class Plan(msgspec.Struct, frozen=True):
    """Create a temporary status."""

    by: Principal
    wish: Wish

    def needs(self) -> Needs:
        wish = self.wish
        return Needs(by=self.by, evse_ids=(wish.evse_id,), wanted=((wish.valid_from, wish.valid_to),), new_temporary=1)

    def decide(self, batch: Batch) -> Written:
        by, wish = batch.principal(self.by), self.wish
        return planned(batch, by, batch.evse(wish.evse_id, sees(by, Action.PLAN)), wish)


class PlanByRef(msgspec.Struct, frozen=True):
    """Create or replace the temporary status that the caller knows under its own reference."""

    by: Principal
    ref: str
    wish: Wish
    version: SourceVersion | None = None
    condition: Precondition = UNCONDITIONAL

    def needs(self) -> Needs:
        wish = self.wish
        return Needs(
            by=self.by,
            evse_ids=(wish.evse_id,),
            refs=((self.by.id, self.ref),),
            wanted=((wish.valid_from, wish.valid_to),),
            new_temporary=1,
        )

    def decide(self, batch: Batch) -> Written:
        by, wish = batch.principal(self.by), self.wish
        evse = batch.evse(wish.evse_id, sees(by, Action.PLAN))
        # Checked whole before the old one is touched: a failed replacement must leave it as it was.
        known = batch.references.find(by.id, self.ref)
        known = reference.planned(known, self.version, batch.at, final_cancel=by.rights.final_cancel)
        old = batch.by_ref(by.id, self.ref)
        self.condition.demand(unless_over(old, batch.at), batch.at)
        done = self._planned(batch, by, evse, old)
        batch.references.put(by.id, self.ref, known)
        return done

    def _planned(self, batch: Batch, by: Principal, evse: Evse, old: TemporaryStatus | None) -> Written:
        wish = self.wish
        interval = planning.asked_interval(wish.valid_from, wish.valid_to, batch.at)
        if old is not None and old.evse == evse.id and planning.may_become(old, wish.kind, interval.begin, batch.at):
            begun = batch.at >= old.interval.begin
            changes = planning.Changes(
                kind=wish.kind,
                valid_from=old.interval.begin if begun else interval.begin,
                valid_to=wish.valid_to,
                applies_when=wish.applies_when,
                reason=wish.reason,
            )
            return _change(batch, by, old, changes)
        _permit(batch, by, Action.PLAN, evse, wish.kind, interval, instead_of=old)
        batch.brakes.admit(by, evse, interval.begin, batch.at, instead_of=old)
        if old is not None:
            batch.put_temporary(_closed(old, batch.at, by.id))
        return _create(batch, by, wish, evse, interval, ref=self.ref)


class Change(msgspec.Struct, frozen=True):
    """Change a temporary status that is not over."""

    by: Principal
    temporary_id: int
    changes: planning.Changes
    condition: Precondition = UNCONDITIONAL

    def needs(self) -> Needs:
        begin = None if self.changes.valid_from is UNSET else self.changes.valid_from
        end = None if self.changes.valid_to is UNSET else self.changes.valid_to
        return Needs(by=self.by, temporary_ids=(self.temporary_id,), wanted=((begin, end),))

    def decide(self, batch: Batch) -> Written:
        by = batch.principal(self.by)
        one = reached(batch, by, Action.CHANGE, self.temporary_id)
        self.condition.demand(one, batch.at)
        return _change(batch, by, one, self.changes)


def planned(batch: Batch, by: Principal, evse: Evse, said: Said, *, together: str | None = None) -> Written:
    """Create a temporary status on an EVSE that `by` may see; `together` is the batch that it belongs to."""
    interval = planning.asked_interval(said.valid_from, said.valid_to, batch.at)
    _permit(batch, by, Action.PLAN, evse, said.kind, interval)
    batch.brakes.admit(by, evse, interval.begin, batch.at)
    return _create(batch, by, said, evse, interval, ref=None, together=together)


def _permit(
    batch: Batch,
    by: Principal,
    action: Action,
    evse: Evse,
    kind: Kind,
    interval: Interval,
    *,
    instead_of: TemporaryStatus | None = None,
) -> None:
    """Refuse what would be outside the caller's rights; what it stands `instead_of` is not counted beside it."""
    beside = batch.keys.beside(by.id, interval, but=None if instead_of is None else instead_of.id)
    on_evse = batch.count_live(evse, but=instead_of)
    wanted = Wanted(evse=evse, kind=kind, interval=interval, at=batch.at, beside=beside, on_evse=on_evse)
    demand(by, action, wanted, EvseNotFound(f"no EVSE {evse.evse_id or evse.uid} is registered", field="evseId"))


def _create(
    batch: Batch,
    by: Principal,
    wish: Said,
    evse: Evse,
    interval: Interval,
    *,
    ref: str | None,
    together: str | None = None,
) -> Written:
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
        braked=by.is_braked,
        batch=together,
    )
    batch.put_temporary(one)
    batch.audit(by.id, "create", f"temporary status {one.id}", evse.operator)
    return written(batch, by, one, created=True)


def _change(batch: Batch, by: Principal, old: TemporaryStatus, changes: planning.Changes) -> Written:
    new = planning.changed(old, changes, batch.at)
    if new is not old:
        evse = batch.evse_of(new)
        _permit(batch, by, Action.CHANGE, evse, new.kind, new.interval, instead_of=old)
        if new.interval.begin != old.interval.begin:
            batch.brakes.admit(by, evse, new.interval.begin, batch.at, instead_of=old)
            # Whoever moves another's is counted for it, as if it were newly made.
            new = msgspec.structs.replace(new, braked=new.braked or by.is_braked)
        batch.put_temporary(new)
        batch.audit(by.id, "change", f"temporary status {new.id}", evse.operator)
    return written(batch, by, new)


def _closed(old: TemporaryStatus, at: datetime, by: str) -> TemporaryStatus:
    if old.is_over(at):
        # It ran out by itself. Closing it frees the reference and changes nothing that was shown.
        return msgspec.structs.replace(old, ended_at=old.interval.end, ended_by=by, end_reason="expired")
    return planning.ended(old, at, by, "replaced")


def unless_over(one: TemporaryStatus | None, at: datetime) -> TemporaryStatus | None:
    """What a call under a reference finds there: what is over has made room."""
    return None if one is None or one.is_over(at) else one


def reached(batch: Batch, by: Principal, action: Action, temporary_id: int) -> TemporaryStatus:
    """What belongs to somebody else looks just like what does not exist."""
    one = batch.temporary_status(temporary_id)
    not_found = TemporaryStatusNotFound(f"no temporary status {temporary_id}")
    demand(by, action, On(batch.evse_of(one), one), not_found)
    return one


def written(batch: Batch, by: Principal, one: TemporaryStatus, *, created: bool = False) -> Written:
    evse = batch.evse_of(one)
    return Written(one, evse, batch.live(evse), batch.at, by, created)
