"""What is worth measuring along the way, as plain callables: whoever is measured does not know with what."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.domain.status import Kind


def _nothing(*_what: Any) -> None:
    return


@dataclass(frozen=True)
class Measures:
    """Each is called after the commit of what it tells of, on the event loop, and never raises. Times are in seconds.

    `boundary`: from a boundary until what it changes was stored. `committed`: so many commands together, in so long.
    `planned`, `ended`: a temporary status, by somebody and not by the clock. `braked`: a brake took hold. `attempted`:
    a message of a channel came to an outcome. `acknowledged`: from when something came to be shown until a partner, on
    this channel, had it.
    """

    boundary: Callable[[float], None] = _nothing
    committed: Callable[[int, float], None] = _nothing
    planned: Callable[[Kind], None] = _nothing
    ended: Callable[[Kind], None] = _nothing
    braked: Callable[[], None] = _nothing
    attempted: Callable[[str, str], None] = _nothing
    acknowledged: Callable[[str, float], None] = _nothing


UNMEASURED = Measures()
