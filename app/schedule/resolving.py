"""What one look at one EVSE comes to: its presented status now, and what each partner is owed. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.delivery import Aspect, Delivery
from app.domain.instant import MILLISECOND
from app.domain.partner import Partner
from app.domain.presentation import GATE, Gate, next_boundary, present
from app.store.deliveries import Owed
from app.store.presented import Due, Resolved

#: Nothing waits longer for another look, so a row that waits longer was written under a clock since stepped back.
LONGEST_WAIT: Final = timedelta(hours=6)


def resolve(due: Due, at: datetime, max_age: timedelta | None) -> Resolved:
    """Compute what is shown at `at`, and when to look again.

    The version and `last_updated` rise, strictly, only when what is shown or until when differs.
    """
    actual = due.evse.actual(max_age)
    presentation = present(due.evse.deployment, actual, due.temporary_statuses, at)
    old = due.shown
    # By identity: a temporary BLOCKED and a charger's own BLOCKED are equal as text, and not the same.
    moved = presentation.what is not old.presentation.what or presentation.until != old.presentation.until
    if GATE[due.evse.deployment] is None:
        boundary = next_boundary(actual, due.temporary_statuses, at)
        recheck_at = at + LONGEST_WAIT if boundary is None else min(boundary, at + LONGEST_WAIT)
    else:
        recheck_at = None  # behind a gate no boundary shows; whoever opens it marks the EVSE due
    return Resolved(
        due=due,
        now=msgspec.structs.replace(
            old,
            presentation=presentation,
            version=old.version + 1 if moved else old.version,
            last_updated=max(at, old.last_updated + MILLISECOND) if moved else old.last_updated,
            recheck_at=recheck_at,
        ),
        moved=moved,
    )


def owed_by(
    resolved: Resolved, partners: Sequence[Partner], deliveries: Mapping[tuple[int, int], Delivery], at: datetime
) -> list[Owed]:
    """List what partners are owed now that this EVSE is `resolved`.

    An EVSE is shared with a partner from the moment it is in production and among those the partner gets, sent or
    not; one never shared is never mentioned. A partner that is new is told of what was there before it only if it
    asked for that; of changes in any case.
    """
    evse, version = resolved.due.evse, resolved.now.version
    shared = not isinstance(resolved.now.presentation.what, Gate)
    owed = []
    for partner in partners:
        old = deliveries.get((partner.id, evse.id))
        included = partner.audience.includes(evse)
        if old is not None:
            # An EVSE may be moved out of a partner's audience and back, which moves no version: under a negative
            # generation the partner is owed that it is gone, and by the change of sign all of it again.
            generation = partner.generation if included else -partner.generation
            if old.want != version or old.generation != generation:
                new = msgspec.structs.replace(old, want=version, generation=generation)
                same = resolved.now.presentation.what is resolved.due.shown.presentation.what
                owed.append(Owed(new, created=False, at=None if same and _never_told(old, generation) else at))
        elif shared and included:
            # A later generation: everything was asked for before anybody had come to look at the new partner.
            tell = resolved.moved or partner.tells_fleet or partner.generation > 1
            new = Delivery(
                partner=partner.id,
                evse=evse.id,
                aspect=Aspect.STATUS,
                want=version,
                acked=None if tell else version,
                shared_at=at,
                generation=partner.generation,
                next_at=at if tell else None,
            )
            owed.append(Owed(new, created=True, at=new.next_at))
    return owed


def _never_told(delivery: Delivery, generation: int) -> bool:
    """Tell whether the partner did not ask for what was there before it: a new `until` is no reason to begin."""
    untouched = delivery.next_at is None and delivery.rejected_version is None and delivery.generation == generation
    return untouched and delivery.acked is not None and delivery.acked_at is None
