"""What seldom meets by chance, and hurts only where it does: ways to let it meet, for two replicas and one EVSE."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Final, TypeAlias

from tests.simulation.trouble import Changed, Event, Fate, Forgotten, Frozen, Killed, Outage, Stepped

_HOUR: Final = timedelta(hours=1)
_SETTLED: Final = 90.0  #: seconds after which what was lost is sent once more


def a_step_back_over_a_frozen_claim(dice: Random, at: float) -> Iterator[Event]:
    """The clock says that there is plenty of time left of a claim that another replica has taken over long ago."""
    yield Frozen(at=at, replica=0, waits=1, upon="claims", lasts=dice.uniform(100, 200))
    yield Changed(at=at + 0.01, evse=1, status="BROKEN")
    yield Stepped(at=at + dice.uniform(0.1, 3), by=-_HOUR)
    yield Changed(at=at + dice.uniform(0.1, 6), evse=1, status="BUSY")


def a_step_ahead_over_a_wait(dice: Random, at: float) -> Iterator[Event]:
    """The clock says that whatever was under way must have arrived."""
    yield Outage(at=at, lasts=2, fate=Fate.LATE)
    yield Changed(at=at + 0.01, evse=1, status="BROKEN")
    yield Changed(at=at + dice.uniform(2, 15), evse=1, status="BUSY")
    yield Stepped(at=at + dice.uniform(10, 40), by=_HOUR)


def asked_anew_while_under_way(dice: Random, at: float) -> Iterator[Event]:
    """The partner has it, loses it, asks for it anew, and then says that it has it."""
    yield Outage(at=at, lasts=20, fate=Fate.SLOW)
    yield Forgotten(at=at + 0.01, evse=1)
    yield Forgotten(at=at + dice.uniform(0.1, 10), evse=1)


def an_owner_that_dies_confirming(dice: Random, at: float) -> Iterator[Event]:
    """What was to settle what may be late may be late itself."""
    yield Outage(at=at, lasts=1, fate=Fate.GARBAGE)
    yield Changed(at=at + 0.01, evse=1, status="BROKEN")
    yield Outage(at=at + _SETTLED, lasts=10, fate=Fate.LATE)
    yield Killed(at=at + _SETTLED - 5, replica=0, waits=2, upon="sends", down=60)
    yield Changed(at=at + _SETTLED + dice.uniform(5, 30), evse=1, status="BUSY")


def a_freeze_on_the_way_to_the_socket(dice: Random, at: float) -> Iterator[Event]:
    """The lease was looked at, and then nothing moves."""
    yield Frozen(at=at, replica=0, waits=1, upon="sends", lasts=dice.uniform(100, 200))
    yield Changed(at=at + 0.01, evse=1, status="BROKEN")
    yield Changed(at=at + dice.uniform(1, 20), evse=1, status="BUSY")


Ambush: TypeAlias = Callable[[Random, float], Iterator[Event]]
LONGEST_AMBUSH: Final = _SETTLED + 30
AMBUSHES: Final[tuple[Ambush, ...]] = (
    a_step_back_over_a_frozen_claim,
    a_step_ahead_over_a_wait,
    asked_anew_while_under_way,
    an_owner_that_dies_confirming,
    a_freeze_on_the_way_to_the_socket,
)
