"""What there is to say of one EVSE at one instant: put together from what is known of it, for any tense. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from app.domain.evse import Evse
from app.domain.explanation import (
    Judged,
    Record,
    Tense,
    completed,
    judged,
    judged_by_record,
    may_differ,
    shown_since,
)
from app.domain.instant import rfc3339
from app.domain.presentation import Actual, Presentation, present
from app.domain.status import ActualStatus
from app.domain.temporary_status import TemporaryStatus


class Charger(msgspec.Struct, frozen=True):
    """What the charger did, `None` where that is not known; `last_report`: as it said last, perhaps too long ago."""

    status: ActualStatus | None
    last_report: bool
    stale: bool = False


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Presentation, verdicts and what follows. `presentation` is `None` where it is not known any more.

    `then` is what is shown from `until` on. `notes` are sentences on how far this can be relied on. All times UTC.
    """

    tense: Tense
    presentation: Presentation | None
    since: datetime | None
    until: datetime | None
    then: Presentation | None
    charger: Charger
    verdicts: list[Judged]
    notes: list[str]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known around the instant `at`, as seen at `now`. `max_age` and `kept` are those of the settings.

    `seen` are the ids of the temporary statuses that may be spoken of to who asks: notes are about those only.
    """

    evse: Evse
    temporary_statuses: Collection[TemporaryStatus]
    seen: Collection[int]
    record: Record
    at: datetime
    now: datetime
    max_age: timedelta | None
    kept: timedelta

    def explained(self) -> Explained:
        """Say what was shown by the record, and what is or would be shown as `present` says."""
        return self._past() if self.at < self.now else self._derived()

    def _past(self) -> Explained:
        at, record = self.at, self.record
        recalled = record.recalls(at, max(self.now - self.kept, self.evse.created_at))
        if recalled is None or at < self.evse.created_at:
            late = at < self.evse.created_at
            note = (
                "The EVSE was not registered yet."
                if late
                else f"Changes before {rfc3339(self._begins())} are not kept."
            )
            return Explained(
                tense=Tense.PAST,
                presentation=None,
                since=None,
                until=None,
                then=None,
                charger=Charger(None, last_report=False),
                verdicts=[],
                notes=[note],
            )
        named = completed(recalled, self.temporary_statuses, at)
        charger = self._charger_then(recalled)
        turns = record.turns
        return Explained(
            tense=Tense.PAST,
            presentation=named,
            since=record.since(at),
            until=None if turns is None else turns.at,
            then=None if turns is None else Presentation(turns.after, turns.because, turns.until),
            charger=charger,
            verdicts=judged_by_record(self.temporary_statuses, charger.status, named, at),
            notes=self._notes_on_past(recalled, named),
        )

    def _begins(self) -> datetime:
        following = self.record.following
        return self.now - self.kept if following is None else min(following.at, self.now - self.kept)

    def _charger_then(self, recalled: Presentation) -> Charger:
        """What it reported last counts if it had done so by then; else only what was shown of it is known."""
        actual = self.evse.actual(self.max_age)
        observed = self.evse.observed_at is not None and self.evse.observed_at <= self.at
        stale = actual.stale_from is not None and self.at >= actual.stale_from
        if not isinstance(recalled.what, ActualStatus):
            return Charger(actual.at(self.at), True, stale) if observed else Charger(None, last_report=False)
        same = observed and actual.at(self.at) is recalled.what
        return Charger(recalled.what, same, same and stale)

    def _notes_on_past(self, recalled: Presentation, named: Presentation) -> list[str]:
        notes = []
        if not self.record.computed:
            notes.append("Nobody has computed yet what is shown, so partners were told nothing: is a service running?")
        elif recalled.until is not None and recalled.until <= self.at:
            notes.append(
                f"The record says until {rfc3339(recalled.until)}, and by then nobody had computed what came after: "
                "partners had this for so long."
            )
        if recalled.because != named.because and named.because in self.seen:
            named_there = "another one" if recalled.because else "none"
            if recalled.because in self.seen:
                named_there = f"temporary status {recalled.because}"
            notes.append(f"The record names {named_there}; {named.because} is of the same kind and was in effect then.")
        if any(may_differ(one, self.at) for one in self.temporary_statuses if one.id in self.seen):
            notes.append("Temporary statuses that were changed since are told as they are today.")
        return notes

    def _derived(self) -> Explained:
        at, now, evse = self.at, self.now, self.evse
        actual = evse.actual(self.max_age)
        # One that was ended is over, though by a clock that was ahead its end may seem to lie in the future.
        live = [one for one in self.temporary_statuses if one.ended_at is None]
        presentation, today = (present(evse.deployment, actual, live, when) for when in (at, now))
        recorded = self.record.computed and self.record.stored.what is today.what
        since = shown_since(self.temporary_statuses, actual, today, now)
        if recorded:
            since = self.record.since(now)
        if at > now and not _goes_on(today, presentation, at):
            since = shown_since(self.temporary_statuses, actual, presentation, at)
        notes = (
            []
            if recorded or at > now
            else ["Not recorded yet: a running service computes and tells it within a second."]
        )
        stale = actual.stale_from is not None and at >= actual.stale_from
        if at > now:
            notes.append(_assumption(actual, at))
        return Explained(
            tense=Tense.FUTURE if at > now else Tense.NOW,
            presentation=presentation,
            since=since,
            until=presentation.until,
            then=None if presentation.until is None else present(evse.deployment, actual, live, presentation.until),
            charger=Charger(actual.at(at), True, stale),
            verdicts=judged(self.temporary_statuses, actual, presentation, at),
            notes=notes,
        )


def _assumption(actual: Actual, at: datetime) -> str:
    if actual.stale_from is not None and at >= actual.stale_from:
        stale = rfc3339(actual.stale_from)
        return (
            f"As things are planned now, and if the charger reports nothing more: its last word counts until {stale}."
        )
    return f"As things are planned now, and if the charger goes on to be {actual.status}."


def _goes_on(today: Presentation, later: Presentation, at: datetime) -> bool:
    same = (today.what, today.because) == (later.what, later.because)
    return same and (today.until is None or today.until > at)
