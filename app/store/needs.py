"""What a command wants loaded before it decides."""

from datetime import datetime

import msgspec

from app.domain.evse_id import EvseId
from app.domain.principal import Principal
from app.domain.whole import MOST_IN_BATCH, Whole


class Needs(msgspec.Struct, frozen=True):
    """What a command wants loaded before it decides, and how many keys it may use up.

    `by` is who asks, where what the key is good for counts; `wanted` from when until when it wants something to be in
    effect, a beginning of `None` being now. `ends_of` is a key of which up to so many live windows will be ended.
    `answers` are an owner and an Idempotency-Key each. `whole` is a part of the fleet, of which one EVSE more than the
    most that are wanted is loaded, and as many new temporary statuses prepared. `batch` is one to be ended. Of EVSEs
    that are wanted `bare` neither what was imported is loaded nor what lives on them, which for keys below operations
    is counted; of those of a `batch` it is never loaded. With `changes_evse` such EVSEs are only reported on.
    """

    by: Principal | None = None
    wanted: tuple[tuple[datetime | None, datetime | None], ...] = ()
    ends_of: tuple[str, int] | None = None
    evse_ids: tuple[EvseId, ...] = ()
    uids: tuple[tuple[str, str, str], ...] = ()
    temporary_ids: tuple[int, ...] = ()
    refs: tuple[tuple[str, str], ...] = ()
    past_refs: tuple[tuple[str, str], ...] = ()  #: of which it only counts whether anything was ever made
    answers: tuple[tuple[str, str], ...] = ()
    locations: tuple[tuple[str, str, str], ...] = ()
    changes_evse: bool = False
    changes_live: bool = False  #: whether any of what lives on the EVSEs may be changed
    new_evses: int = 0
    new_temporary: int = 0
    new_locations: int = 0
    whole: tuple[Whole, int] | None = None
    batch: str | None = None
    bare: bool = False

    @property
    def weight(self) -> int:
        """About how many rows that will be: what is done together is bounded by it."""
        most = 0 if self.whole is None else self.whole[1]
        return max(1, len(self.evse_ids), self.new_temporary, most, MOST_IN_BATCH if self.batch is not None else 0)
