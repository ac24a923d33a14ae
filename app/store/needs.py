"""What a command wants loaded before it decides."""

from datetime import datetime

import msgspec

from app.domain.evse_id import EvseId
from app.domain.principal import Principal


class Needs(msgspec.Struct, frozen=True):
    """What a command wants loaded before it decides, and how many keys it may use up.

    `by` is who asks, where what the key is good for counts; `wanted` from when until when it wants something to be in
    effect, a beginning of `None` being now. `ends_of` is a key of which up to so many live windows will be ended.
    `answers` are an owner and an Idempotency-Key each.
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
