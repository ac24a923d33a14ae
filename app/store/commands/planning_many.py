"""Planning many temporary statuses in one transaction."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from app.domain import planning
from app.domain.errors import (
    AmbiguousLocation,
    BatchRefused,
    DomainError,
    NoEvsesThere,
    TooManyEvses,
)
from app.domain.evse import Evse
from app.domain.evse_id import EvseId
from app.domain.permission import Action
from app.domain.principal import Principal
from app.domain.whole import MOST_IN_BATCH, Whole
from app.store.batch import Batch
from app.store.commands.asking import sees
from app.store.commands.temporary_statuses import Said, Wish, Written, planned
from app.store.needs import Needs


class Refused(msgspec.Struct, frozen=True):
    """One of many that was not planned, on which EVSE if that was found, and why."""

    why: DomainError
    evse: Evse | None = None


#: What became of one of many.
Judged: TypeAlias = Written | Refused


class PlanMany(msgspec.Struct, frozen=True, kw_only=True):
    """Create temporary statuses. Each is judged by itself, beside those before it, and answered in its place.

    A wish that could not be read is refused in its place as well. What is planned carries the id `batch`; with
    `atomic` that is all of it or nothing. What lives on the EVSEs is in the answer where it `looks` at that.
    """

    by: Principal
    wishes: tuple[Wish | DomainError, ...]
    batch: str
    atomic: bool = False
    looks: bool = False

    def needs(self) -> Needs:
        read = [one for one in self.wishes if isinstance(one, Wish)]
        return Needs(
            by=self.by,
            evse_ids=tuple(one.evse_id for one in read),
            wanted=tuple((one.valid_from, one.valid_to) for one in read),
            new_temporary=len(read),
            bare=not self.looks,
        )

    def decide(self, batch: Batch) -> list[Judged]:
        by = batch.principal(self.by)  # a key that is no longer good is no good for the whole call
        seen = sees(by, Action.PLAN)

        def judged() -> list[Judged]:
            return [
                _named(batch, by, one.evse_id, seen, one, self.batch) if isinstance(one, Wish) else Refused(one)
                for one in self.wishes
            ]

        return _all_or_nothing(batch, judged) if self.atomic else judged()


class PlanForAll(msgspec.Struct, frozen=True, kw_only=True):
    """Say the same of many EVSEs: of those that are named, or of all that the caller sees of a part of the fleet.

    Which those are is found in the transaction that writes. Otherwise like `PlanMany`.
    """

    by: Principal
    which: tuple[EvseId | DomainError, ...] | Whole
    said: Said
    batch: str
    atomic: bool = False
    looks: bool = False

    def needs(self) -> Needs:
        wanted = (self.said.valid_from, self.said.valid_to)
        if isinstance(self.which, Whole):
            return Needs(by=self.by, whole=(self.which, MOST_IN_BATCH), wanted=(wanted,), bare=not self.looks)
        read = tuple(one for one in self.which if isinstance(one, EvseId))
        return Needs(
            by=self.by,
            evse_ids=read,
            wanted=(wanted,) * len(read),
            new_temporary=len(read),
            bare=not self.looks,
        )

    def decide(self, batch: Batch) -> list[Judged]:
        by = batch.principal(self.by)
        seen = sees(by, Action.PLAN)
        planning.asked_interval(self.said.valid_from, self.said.valid_to, batch.at)  # one window for all, or for none
        which = self.which
        there = _members(batch, by, which, seen) if isinstance(which, Whole) else []

        def judged() -> list[Judged]:
            if isinstance(which, Whole):
                return [_planned(batch, by, one, self.said, self.batch) for one in there]
            return [
                _named(batch, by, one, seen, self.said, self.batch) if isinstance(one, EvseId) else Refused(one)
                for one in which
            ]

        return _all_or_nothing(batch, judged) if self.atomic else judged()


def _members(batch: Batch, by: Principal, whole: Whole, seen: Callable[[Evse], bool]) -> list[Evse]:
    """The EVSEs of a part of the fleet, as far as they are there for `by`.

    Raises:
        NoEvsesThere: none.
        AmbiguousLocation: they stand at several locations with that id.
        TooManyEvses: more than one call is for.
    """
    found = [one for one in batch.evses_of(by, whole) if seen(one)]
    field = "operator" if whole.operator is not None else "locationId"
    if not found:
        raise NoEvsesThere(f"no EVSE of {whole.name} is registered", field=field)
    sites = sorted({(one.country, one.party) for one in found})
    if whole.operator is None and len(sites) > 1:
        named = " or ".join("/".join((*site, whole.location or "")) for site in sites[:3])
        raise AmbiguousLocation(f"{whole.name} may be {named}: send countryCode and partyId", field=field)
    if len(found) > MOST_IN_BATCH:
        raise TooManyEvses(f"{whole.name} has more than {MOST_IN_BATCH} EVSEs: name them, in several calls", field)
    return found


def _named(
    batch: Batch, by: Principal, evse_id: EvseId, seen: Callable[[Evse], bool], said: Said, together: str
) -> Judged:
    try:
        evse = batch.evse(evse_id, seen)
    except DomainError as refusal:
        return Refused(refusal)
    return _planned(batch, by, evse, said, together)


def _planned(batch: Batch, by: Principal, evse: Evse, said: Said, together: str) -> Judged:
    try:
        return planned(batch, by, evse, said, together=together)
    except DomainError as refusal:
        return Refused(refusal, evse)


def _all_or_nothing(batch: Batch, judge: Callable[[], list[Judged]]) -> list[Judged]:
    """Raise a `BatchRefused` if anything is refused. What the brakes have to say of that they remember all the same."""
    mark = batch.mark()
    judged = judge()
    refused = sum(isinstance(one, Refused) for one in judged)
    if refused:
        batch.back_to(mark)
        raise BatchRefused(f"{refused} of {len(judged)} were refused, so none was planned", judged)
    return judged
