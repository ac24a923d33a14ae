"""How a temporary status comes to be, changes and ends: what has been shown is never rewritten."""

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.errors import AlreadyOver, EmptyInterval, HasBegun, HasEnded
from app.domain.interval import Interval
from app.domain.status import AppliesWhen, Kind
from app.domain.temporary_status import TemporaryStatus


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different; `UNSET` leaves a thing as it is, a `valid_to` of `None` opens the end."""

    kind: Kind | UnsetType = UNSET
    valid_from: datetime | UnsetType = UNSET
    valid_to: datetime | None | UnsetType = UNSET
    applies_when: AppliesWhen | UnsetType = UNSET
    reason: str | None | UnsetType = UNSET


def asked_interval(valid_from: datetime | None, valid_to: datetime | None, at: datetime) -> Interval:
    """Return the window that is asked for at `at`: it begins now where the start is left out or lies in the past.

    Raises:
        EmptyInterval: it ends before or as it begins.
        AlreadyOver: it ends in the past.
    """
    if valid_to is not None:
        if valid_from is not None and valid_to <= valid_from:
            raise EmptyInterval("validTo must be after validFrom", field="validTo")
        if valid_to <= at:
            raise AlreadyOver("validTo is already past", field="validTo")
    return Interval(at if valid_from is None else max(valid_from, at), valid_to)


def changed(one: TemporaryStatus, changes: Changes, at: datetime) -> TemporaryStatus:
    """Return `one` with `changes`, a revision higher unless nothing differs.

    Raises:
        HasEnded: it is over.
        HasBegun: its start or kind is to change, but it has been shown already.
        EmptyInterval: it would end before or as it begins.
        AlreadyOver: it would end in the past; to end it now, delete it.
    """
    if _is_done_with(one, at):
        raise HasEnded(f"temporary status {one.id} is over")
    kind = one.kind if changes.kind is UNSET else changes.kind
    begin = one.interval.begin
    end = one.interval.end if changes.valid_to is UNSET else changes.valid_to
    asked = changes.valid_from
    if at >= begin:
        if asked is not UNSET and asked != begin:
            raise HasBegun("it has begun, so its start stays", field="validFrom")
        if kind is not one.kind:
            raise HasBegun("it has begun: end it and create another one", field="temporaryStatus")
    elif asked is not UNSET:
        if end is not None and end <= asked:
            raise EmptyInterval("validTo must be after validFrom", field="validTo")
        begin = max(asked, at)
    if changes.valid_to is not UNSET and end is not None and end <= at:
        raise AlreadyOver("validTo is already past; to end it now, delete it", field="validTo")
    different = msgspec.structs.replace(
        one,
        kind=kind,
        interval=Interval(begin, end),
        applies_when=one.applies_when if changes.applies_when is UNSET else changes.applies_when,
        reason=one.reason if changes.reason is UNSET else changes.reason,
    )
    if different == one:
        return one
    return msgspec.structs.replace(different, revision=one.revision + 1, updated_at=at)


def ended(one: TemporaryStatus, at: datetime, by: str, reason: str) -> TemporaryStatus:
    """Return `one` ended at `at`; a planned one never begins, one that is over stays as it was."""
    if _is_done_with(one, at):
        return one
    return msgspec.structs.replace(
        one, ended_at=at, ended_by=by, end_reason=reason, revision=one.revision + 1, updated_at=at
    )


def may_become(old: TemporaryStatus, kind: Kind, begin: datetime, at: datetime) -> bool:
    """Tell whether `old` can be changed into this in place, or must be ended and followed by a new one.

    What is planned may become anything. What has begun may only go on: same kind, and no new start ahead.
    """
    if _is_done_with(old, at):
        return False
    return at < old.interval.begin or (kind is old.kind and begin <= at)


def _is_done_with(one: TemporaryStatus, at: datetime) -> bool:
    """Tell whether it is over, or was ended: by a clock that was ahead its end may seem to lie in the future."""
    return one.ended_at is not None or one.is_over(at)
