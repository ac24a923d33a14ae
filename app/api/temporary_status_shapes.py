"""Temporary statuses as they are asked for and as they are answered."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from app.api.context import Context
from app.api.explaining import ChannelShown, presentation_of, shown
from app.api.shapes import Asked, AskedTime, EvseIdText, Reason, Told, ToldTime, instant_in, text_in, told
from app.domain.errors import MalformedValue
from app.domain.evse import Evse
from app.domain.evse_id import parse_evse_id
from app.domain.instant import rfc3339
from app.domain.permission import Action, Allowed, Call, may
from app.domain.planning import Changes
from app.domain.reference import SourceVersion
from app.domain.status import AppliesWhen, Kind
from app.domain.temporary_status import State, TemporaryStatus
from app.store.commands import temporary_statuses as commands
from app.store.commands.asking import sees_on

LARGEST_VERSION: Final = 2**53 - 1  #: a whole number that every JSON reader understands
SourceVersionNumber = Annotated[
    int,
    Meta(
        ge=0,
        le=LARGEST_VERSION,
        description="0 or more, grows with each change there: such as iCalendar's SEQUENCE; not with `sourceUpdatedAt`",
    ),
]


class NewTemporaryStatus(Asked):
    """What is wanted. `validFrom` left out, or in the past, means now; `validTo` left out means until deleted."""

    evse_id: EvseIdText
    temporary_status: Kind
    valid_from: AskedTime | None = None
    valid_to: AskedTime | None = None
    applies_when: AppliesWhen = AppliesWhen.ALWAYS
    reason: Reason | None = None

    def wish(self) -> commands.Wish:
        return commands.Wish(
            evse_id=parse_evse_id(self.evse_id),
            kind=self.temporary_status,
            valid_from=None if self.valid_from is None else instant_in(self.valid_from, "validFrom"),
            valid_to=None if self.valid_to is None else instant_in(self.valid_to, "validTo"),
            applies_when=self.applies_when,
            reason=text_in(self.reason, "reason"),
        )


class TemporaryStatusByRef(NewTemporaryStatus):
    """What is wanted under your own reference, and which version of it this is where it comes from, if it has one."""

    source_version: SourceVersionNumber | None = None
    source_updated_at: AskedTime | None = None


class TemporaryStatusChanges(Asked):
    """What is to be different: left out means unchanged, `validTo: null` opens the end."""

    temporary_status: Kind | UnsetType = UNSET
    valid_from: AskedTime | UnsetType = UNSET
    valid_to: AskedTime | None | UnsetType = UNSET
    applies_when: AppliesWhen | UnsetType = UNSET
    reason: Reason | None | UnsetType = UNSET

    def changes(self) -> Changes:
        return Changes(
            kind=self.temporary_status,
            valid_from=UNSET if self.valid_from is UNSET else instant_in(self.valid_from, "validFrom"),
            valid_to=instant_in(self.valid_to, "validTo") if isinstance(self.valid_to, str) else self.valid_to,
            applies_when=self.applies_when,
            reason=text_in(self.reason, "reason") if isinstance(self.reason, str) else self.reason,
        )


class TemporaryStatusView(Told):
    """A temporary status as it stands."""

    id: int
    evse_id: str | None
    temporary_status: Kind
    valid_from: ToldTime
    valid_to: ToldTime | None
    applies_when: AppliesWhen
    reason: str | None
    ref: str | None
    state: State
    created_by: str
    created_at: ToldTime
    updated_at: ToldTime
    revision: int
    ended_at: ToldTime | None
    ended_by: str | None
    end_reason: str | None
    batch_id: Annotated[
        str | None, Meta(description="of the call that planned it together with others, null of any other")
    ]


class Overlap(Told):
    """Another temporary status on the same EVSE that shares some time with this one; `id` only of those you may see."""

    id: int | None
    temporary_status: Kind
    valid_from: ToldTime
    valid_to: ToldTime | None


class WrittenTemporaryStatus(TemporaryStatusView):
    """A temporary status after a change, what it overlaps, and what each channel shows now."""

    overlaps: list[Overlap]
    shown: dict[str, ChannelShown]


def source_version(number: int | None, updated_at: str | None) -> SourceVersion | None:
    """Which version of its source a call stands for, if it says so.

    Raises:
        MalformedInstant: `updated_at` is no time.
        MalformedValue: it says so twice.
    """
    if updated_at is None:
        return number
    if number is not None:
        raise MalformedValue("send sourceVersion or sourceUpdatedAt, not both", field="sourceUpdatedAt")
    return instant_in(updated_at, "sourceUpdatedAt")


def view(one: TemporaryStatus, evse: Evse, at: datetime) -> TemporaryStatusView:
    """A temporary status as it stands at the instant `at`."""
    return TemporaryStatusView(**_fields(one, evse, at))


def written(done: commands.Written, context: Context) -> WrittenTemporaryStatus:
    """The answer to a change: the thing itself, what it overlaps, and what each channel shows at that instant.

    Of others' temporary statuses a key that does not see them learns what is said and when, as any driver would; one
    that looks at nothing, such as a sensor network's, not even that.
    """
    seen = seen_by(done)
    presentation = presentation_of(done.evse, done.live, done.at, context.settings.actual_status_max_age)
    return WrittenTemporaryStatus(
        **_fields(done.one, done.evse, done.at),
        overlaps=overlaps_of(done, seen),
        shown=shown(done.evse, presentation, done.live, context.channels, seen),
    )


def seen_by(done: commands.Written) -> Callable[[TemporaryStatus], bool]:
    """Which temporary statuses on its EVSE there are for whoever changed one: that one, and what the key sees."""
    may_see = sees_on(done.by, done.evse)
    return lambda other: other.id == done.one.id or may_see(other)


def overlaps_of(done: commands.Written, seen: Callable[[TemporaryStatus], bool]) -> list[Overlap]:
    """What shares some time with it on its EVSE; nothing for a key that looks at nothing."""
    return [overlap(other, seen=seen(other)) for other in overlapping(done)]


def overlapping(done: commands.Written) -> list[TemporaryStatus]:
    """The same, as it is stored."""
    if not isinstance(may(done.by, Action.SEE, Call()), Allowed):
        return []
    its = done.one.interval
    return [other for other in done.live if other.id != done.one.id and other.interval.overlaps(its)]


def _fields(one: TemporaryStatus, evse: Evse, at: datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "evse_id": evse.evse_id,
        "temporary_status": one.kind,
        "valid_from": told(one.interval.begin),
        "valid_to": told(one.interval.end),
        "applies_when": one.applies_when,
        "reason": one.reason,
        "ref": one.ref,
        "state": one.state(at),
        "created_by": one.created_by,
        "created_at": told(one.created_at),
        "updated_at": told(one.updated_at),
        "revision": one.revision,
        "ended_at": told(one.ended_at),
        "ended_by": one.ended_by,
        "end_reason": one.end_reason,
        "batch_id": one.batch,
    }


def overlap(other: TemporaryStatus, *, seen: bool) -> Overlap:
    """How it is told of beside another; which it is only where it is `seen`."""
    return Overlap(
        id=other.id if seen else None,
        temporary_status=other.kind,
        valid_from=rfc3339(other.interval.begin),
        valid_to=told(other.interval.end),
    )
