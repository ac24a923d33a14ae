"""Since when the clock runs evenly: a wait that it alone says is over may not have been one."""

from datetime import datetime, timedelta
from typing import Final

from app.clock import Clock

_STEPPED: Final = timedelta(seconds=2)  #: how far a clock may seem to jump before it counts as stepped


class Steadiness:
    """Compares the clock with one that never steps, whenever it is asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # What was before is not known: a machine's clock is often set right soon after it starts.
        self._since = clock.now()
        self._seen = (self._since, clock.monotonic())

    def since(self, at: datetime) -> datetime:
        """Return since when the clock is known not to have been stepped ahead, now that it says `at`."""
        ticked = self._clock.monotonic()
        seen, self._seen = self._seen, (at, ticked)
        ahead = at - seen[0] > timedelta(seconds=ticked - seen[1]) + _STEPPED
        # Stepped back, it may be behind what was noted before.
        self._since = at if ahead else min(self._since, at)
        return self._since
