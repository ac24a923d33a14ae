"""How many records go into one request: one, unless the backlog would then take too long.

Hubject advises to push status changes one at a time, and so it is done, as long as everybody is told in time. A site of
two thousand chargers that is closed at once is not: at 150 ms an answer the last would be told after five minutes.
"""

import math
from collections.abc import Sequence
from typing import Final

from app.channels.outcomes import Apart, NotSent, Outcome, Refused, Unknown

IN_TIME: Final = 30.0  #: seconds in which a backlog is to be told: half the target, as news go on coming in meanwhile
_REST: Final = 3.0  #: seconds that may go on what is left after that
_GUESS: Final = 0.2  #: seconds that a request takes, until one was seen
_WEIGHT: Final = 0.2  #: of the latest request in what one is expected to take


class Bundling:
    """Sizes for one lane. All times are seconds on a clock that never steps.

    A size is kept to until the backlog is told or its time is over: one that shrank with the backlog would, being
    smaller and smaller, never come to an end in time.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._ceiling = largest  #: lower after bundles that were refused without saying for which of the EVSEs
        self._takes = _GUESS
        self._until: float | None = None

    def idle(self) -> None:
        """Note that nothing is due: whatever comes next is another backlog."""
        self._until = None

    @property
    def enough(self) -> int:
        """From how large a backlog on it makes no difference how large it is."""
        return math.ceil(self._largest * IN_TIME / self._takes)

    def size(self, backlog: int, now: float) -> int:
        """How many of `backlog` records the next request should carry; at least one."""
        if self._until is not None and now >= self._until:
            # What is left of a backlog, or came on top of it, must not take as long again.
            self._until = None if backlog * self._takes <= _REST else now + _REST
        if self._until is None:
            if backlog * self._takes <= IN_TIME:
                return 1
            self._until = now + IN_TIME
        requests = max((self._until - now) / self._takes, 1.0)
        return max(min(math.ceil(backlog / requests), self._ceiling), 1)

    def learn(self, said: Sequence[Outcome], seconds: float) -> None:
        """Learn from what the partner answered how long it takes, and how much at once it takes."""
        if not said or any(isinstance(one, NotSent | Unknown | Refused) for one in said):
            return
        self.took(seconds)
        if all(isinstance(one, Apart) for one in said):
            self.was_refused(len(said))
        else:
            self.was_taken()

    def took(self, seconds: float) -> None:
        """Learn how long a request took, with all that is done here between two of them."""
        self._takes += _WEIGHT * (max(seconds, 0.001) - self._takes)

    def was_refused(self, size: int) -> None:
        """Halve: somewhere in a bundle of this size is what the partner does not take, and it does not say which."""
        self._ceiling = max(size // 2, 1)

    def was_taken(self) -> None:
        """Dare more again."""
        self._ceiling = min(self._ceiling * 2, self._largest)
