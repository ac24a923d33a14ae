"""What one partner is owed about one EVSE: the state, never the history."""

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.announcing import Announced
from app.domain.evse import Evse
from app.domain.location import Location
from app.domain.presentation import Presentation


class Aspect(StrEnum):
    """What is told: the presented status, or the schedule of planned ones, each in requests of its own."""

    STATUS = "status"
    SCHEDULE = "schedule"


#: Instead of an address: gone from where it was.
LEFT: Final = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One (partner, EVSE, aspect): what it should know, what it acknowledged, and what is under way.

    `want` and `acked` are versions of the EVSE. `suspect` says that some request of ours may still be applied late;
    `confirm_at` is from when a send settles that. `next_at` is when to try next, `None` that nothing is owed.
    `told_at` is the address (`Evse.address`) at which the partner has the EVSE, `LEFT` that it was told that the EVSE
    is gone from there, and nothing since.
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
    told_at: str | None = None

    @property
    def key(self) -> tuple[int, int, Aspect]:
        return (self.partner, self.evse, self.aspect)


class Known(msgspec.Struct, frozen=True):
    """What the partner acknowledged last about the EVSE, as the digest of it, by aspect.

    `None` is nothing, or nothing that can be relied on. `told_at`: at which address, also where what is there cannot be
    relied on; `LEFT` for none any more.
    """

    status: str | None = None
    schedule: str | None = None
    told_at: str | None = None


NOTHING: Final = Known()


class Notice(msgspec.Struct, frozen=True):
    """The truth about one EVSE at the moment of sending. `last_updated` (UTC) and `version` rise strictly.

    `aspect` is what of it is to be said. `location` is where the EVSE stands, if that was imported.
    """

    evse: Evse
    presentation: Presentation
    version: int
    last_updated: datetime
    announced: tuple[Announced, ...] = ()
    location: Location | None = None
    aspect: Aspect = Aspect.STATUS
    known: Known = NOTHING
