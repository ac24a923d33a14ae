"""What one partner is owed about one EVSE: the state, never the history."""

from datetime import datetime
from enum import StrEnum

import msgspec

from app.domain.evse import Evse
from app.domain.presentation import Presentation


class Aspect(StrEnum):
    """What is told: the presented status, or the schedule of planned ones, each in requests of its own."""

    STATUS = "status"
    SCHEDULE = "schedule"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One (partner, EVSE, aspect): what it should know, what it acknowledged, and what is under way.

    `want` and `acked` are versions of the EVSE. `suspect` says that some request of ours may still be applied late;
    `confirm_at` is from when a send settles that. `next_at` is when to try next, `None` that nothing is owed.
    All times UTC.
    """

    partner: int
    evse: int
    aspect: Aspect = Aspect.STATUS
    want: int
    acked: int | None = None
    acked_digest: str | None = None
    acked_at: datetime | None = None
    shared_at: datetime
    generation: int
    in_flight: bool = False
    suspect: bool = False
    confirm_at: datetime | None = None
    rejected_version: int | None = None
    lease_until: datetime | None = None
    token: str | None = None
    attempts: int = 0
    next_at: datetime | None = None
    last_error: str | None = None


class Notice(msgspec.Struct, frozen=True):
    """The truth about one EVSE at the moment of sending. `last_updated` (UTC) and `version` rise strictly."""

    evse: Evse
    presentation: Presentation
    version: int
    last_updated: datetime
