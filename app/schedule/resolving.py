"""What one look at one EVSE comes to: its presented status now, and what each partner is owed. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.announcing import announced, next_announcement
from app.domain.delivery import Aspect, Delivery
from app.domain.instant import MILLISECOND
from app.domain.partner import Partner
from app.domain.presentation import GATE, Actual, Gate, next_boundary, present
from app.store.deliveries import Owed
from app.store.presented import Due, Resolved

#: Nothing waits longer for another look, so a row that waits longer was written under a clock since stepped back.
LONGEST_WAIT: Final = timedelta(hours=6)


def resolve(due: Due, at: datetime, max_age: timedelta | None) -> Resolved:
    """Compute what is shown at `at`, and when to look again.

    The version and `last_updated` rise, strictly, only when what is shown or until when differs, what is announced, or
    what was imported of the EVSE.
    """
    evse, live, old = due.evse, due.temporary_statuses, due.shown
    actual = evse.actual(max_age)
    presentation = present(evse.deployment, actual, live, at)
    schedule = announced(evse.deployment, actual, live, at)
    # By identity: a temporary BLOCKED and a charger's own BLOCKED are equal as text, and not the same.
    moved = presentation.what is not old.presentation.what or presentation.until != old.presentation.until
    renewed = evse.object_changed_at is not None and evse.object_changed_at > old.last_updated
    new = old.version + 1 if moved or renewed or schedule != old.announced else old.version
    return Resolved(
        due=due,
        now=msgspec.structs.replace(
            old,
            presentation=presentation,
            announced=schedule,
            version=new,
            status_version=new if moved or renewed else old.status_version,
            schedule_version=new if schedule != old.announced else old.schedule_version,
            last_updated=old.last_updated if new == old.version else max(at, *_already_said(due)),
            recheck_at=_next_look(due, actual, at),
        ),
        moved=moved,
        renewed=renewed,
    )


def _already_said(due: Due) -> tuple[datetime, datetime]:
    """Times that it must lie after, or not before: a clock may have been stepped back since."""
    said = due.shown.last_updated + MILLISECOND
    return said, due.evse.object_changed_at or said


def _next_look(due: Due, actual: Actual, at: datetime) -> datetime | None:
    if GATE[due.evse.deployment] is not None:
        return None  # behind a gate no boundary shows; whoever opens it marks the EVSE due
    boundaries = (
        next_boundary(actual, due.temporary_statuses, at),
        next_announcement(due.temporary_statuses, at),
        at + LONGEST_WAIT,
    )
    return min(boundary for boundary in boundaries if boundary is not None)


def owed_by(
    resolved: Resolved,
    partners: Sequence[Partner],
    deliveries: Mapping[tuple[int, int, Aspect], Delivery],
    at: datetime,
) -> list[Owed]:
    """List what partners are owed now that this EVSE is `resolved`.

    An EVSE is shared with a partner from the moment it is in production and among those the partner gets, sent or
    not; one never shared is never mentioned. A partner that is new is told of what was there before it only if it
    asked for that; of changes in any case. A schedule is owed only once there is one.
    """
    owed = []
    for partner in partners:
        for aspect in Aspect:
            old = deliveries.get((partner.id, resolved.due.evse.id, aspect))
            one = _owed_first(resolved, partner, aspect, at) if old is None else _owed_again(resolved, partner, old, at)
            if one is not None:
                owed.append(one)
    return owed


def _owed_again(resolved: Resolved, partner: Partner, old: Delivery, at: datetime) -> Owed | None:
    # An EVSE may be moved out of a partner's audience and back, which moves no version: under a negative generation the
    # partner is owed that it is gone, and by the change of sign all of it again.
    included = partner.audience.includes(resolved.due.evse)
    generation = partner.generation if included else -partner.generation
    want = resolved.now.version_of(old.aspect)
    if old.want == want and old.generation == generation:
        return None
    before, now = resolved.due.shown.presentation, resolved.now.presentation
    same = old.aspect is Aspect.STATUS and now.what is before.what and not resolved.renewed
    unheard = same and _never_told(old, generation)
    new = msgspec.structs.replace(old, want=want, generation=generation)
    return Owed(new, created=False, at=None if unheard else at)


def _owed_first(resolved: Resolved, partner: Partner, aspect: Aspect, at: datetime) -> Owed | None:
    now = resolved.now
    if isinstance(now.presentation.what, Gate) or not partner.audience.includes(resolved.due.evse):
        return None
    if aspect is Aspect.SCHEDULE and not (partner.gets_schedule and now.announced):
        return None
    want = now.version_of(aspect)
    moved = resolved.moved if aspect is Aspect.STATUS else want != resolved.due.shown.version_of(aspect)
    # A later generation: everything was asked for before anybody had come to look at the new partner.
    tell = moved or partner.tells_fleet or partner.generation > 1
    new = Delivery(
        partner=partner.id,
        evse=resolved.due.evse.id,
        aspect=aspect,
        want=want,
        acked=None if tell else want,
        shared_at=at,
        generation=partner.generation,
        next_at=at if tell else None,
    )
    return Owed(new, created=True, at=new.next_at)


def _never_told(delivery: Delivery, generation: int) -> bool:
    """Tell whether the partner did not ask for what was there before it: a new `until` is no reason to begin."""
    untouched = delivery.next_at is None and delivery.rejected_version is None and delivery.generation == generation
    return untouched and delivery.acked is not None and delivery.acked_at is None
