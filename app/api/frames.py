"""Events that were written before, for whoever begins with everything or catches up: most of a fleet stays as it is."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.event_shapes import Telling
from app.channels.channel import Channel
from app.clock import Clock
from app.domain.permission import sees_others
from app.domain.principal import Principal
from app.store import changes
from app.store.changes import Mark, Wanted

_ROOM: Final = 128 * 1024 * 1024  #: bytes of events that are kept; of larger fleets the rest is written each time
_SETTLED: Final = timedelta(seconds=2)  #: after which nothing carries the time of an earlier change any more


class Frames:
    """Writes the event of each EVSE once for as long as nothing of it changes.

    The database says each time whether anything has: what is kept goes by the versions of all that an event tells of.
    """

    def __init__(self, channels: Mapping[str, Channel], clock: Clock) -> None:
        self._channels = channels
        self._clock = clock
        self._kept: dict[int, tuple[Mark, bytes]] = {}
        self._size = 0

    async def of(
        self, connection: AsyncConnection, wanted: Wanted, marks: Sequence[Mark], principal: Principal
    ) -> list[bytes]:
        """The events for `principal` of EVSEs that were just found to be `wanted` and like this, in their order."""
        kept, everybody = self._kept, sees_others(principal)
        frames = dict[int, bytes]()
        anew = []
        for mark in marks:
            evse, because = mark[0], mark[3]
            one = kept.get(evse)
            # Of whose temporary status is shown not everybody is told the same.
            if one is not None and (everybody or because is None) and one[0] == mark:
                frames[evse] = one[1]
            else:
                anew.append(mark)
        for begin in range(0, len(anew), changes.PAGE):
            some = {mark[0]: mark for mark in anew[begin : begin + changes.PAGE]}
            settled = self._clock.now() - _SETTLED
            for standing in await changes.standing(connection, some):
                if not wanted.covers(standing.evse):  # it was moved away since its mark was read
                    continue
                mark = some[standing.evse.id]
                evse, because = mark[0], mark[3]
                frames[evse] = Telling(standing, self._channels).frame(principal)
                # Of whom it may be told goes by the mark: what was read after it may have another reason by now.
                same = because == standing.presentation.because
                if same and (everybody or because is None) and standing.evse.updated_at < settled:
                    self._keep(mark, frames[evse])
        return [frames[evse] for evse, *_ in marks if evse in frames]

    def _keep(self, mark: Mark, frame: bytes) -> None:
        # By the mark that was read before what the frame tells: if that is newer, the next mark says so.
        evse = mark[0]
        before = self._kept.get(evse)
        size = self._size + len(frame) - (0 if before is None else len(before[1]))
        if size <= _ROOM:
            self._kept[evse] = (mark, frame)
            self._size = size
