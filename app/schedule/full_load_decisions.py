"""What the outcome of a full load makes of the loads to come, and of the EVSEs that it was refused for. Pure."""

from collections.abc import Collection
from datetime import datetime
from typing import assert_never

import msgspec

from app.channels.outcomes import Apart, Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.domain.delivery import Delivery
from app.domain.full_load import FullLoad
from app.schedule.decisions import Limits


def after_load(
    load: FullLoad, outcome: Outcome, count: int, named: Collection[int], at: datetime, limits: Limits
) -> FullLoad:
    """Return how the loads stand after one with `count` EVSEs came to `outcome`, which is about those `named`."""
    match outcome:
        case Delivered():
            return load.accepted(count, at)
        case Rejected(reason=reason) if named:
            return load.failed(f"tried again without {len(named)} EVSEs: {reason}")
        case Rejected(reason=reason):
            return load.put_off(f"whichever EVSEs it was for is found out by telling each: {reason}", at)
        case Unknown(reason=reason):
            # What fails each time must not be made all the time: news would hardly get in between.
            return load.doubted(at, limits.settle).put_off(reason, at)
        case Refused(reason=reason) | NotSent(reason=reason) | Apart(reason=reason):
            return load.failed(reason)
        case _:
            assert_never(outcome)


def parked(row: Delivery, reason: str, at: datetime, limits: Limits) -> Delivery:
    """Park an EVSE that a load was refused for, as if it had been refused alone.

    Whatever stands in the row: were it in the next load too, that would be refused as well, again and again. The lane
    is ours, so whoever was telling it is gone, and what was said may still be applied. Nothing is acknowledged any
    more, as the load that is made without it deletes what the partner has of it.
    """
    return msgspec.structs.replace(
        row,
        in_flight=False,
        token=None,
        lease_until=None,
        suspect=row.suspect or row.in_flight,
        confirm_at=None if row.in_flight else row.confirm_at,
        rejected_version=row.want,
        acked_digest=None,
        attempts=row.attempts + 1,
        last_error=reason,
        next_at=at + limits.retry_slowly,
    )
