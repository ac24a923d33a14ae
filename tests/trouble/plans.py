"""What a troubled partner makes of one request, drawn from a seeded plan."""

import random
from enum import Enum, auto
from typing import Final

import msgspec

from tests.e2e.serving_process import REQUEST_TIMEOUT

LATEST: Final = 0.9  #: seconds after it was sent that a request may still be applied; less than the settings' settle
_GIVEN_UP: Final = REQUEST_TIMEOUT.total_seconds()


class End(Enum):
    """What the caller gets to see in the end."""

    ANSWER = auto()
    NOTHING = auto()  #: the connection is dropped
    HALF = auto()  #: the answer breaks off in the middle
    GARBAGE = auto()  #: what cannot be unpacked
    FAILURE = auto()  #: HTTP 500
    COME_BACK = auto()  #: HTTP 429 with Retry-After


class Plan(msgspec.Struct, frozen=True):
    """Whether and after how many seconds a request is applied, and how it ends."""

    end: End = End.ANSWER
    applied: bool = True
    after: float = 0.0


class Plans:
    """A sequence of plans, decided by its seed.

    `trouble` is the part of them by which not all simply goes well. With `only_late` it is always the same that goes
    wrong: the request is applied when its caller has given up, and has perhaps said something newer.
    """

    def __init__(self, seed: int) -> None:
        self.trouble = 0.0
        self.only_late = False
        self._dice = random.Random(seed)

    def next(self) -> Plan:
        dice = self._dice
        if dice.random() >= self.trouble:
            return Plan()
        if self.only_late:
            return Plan(after=dice.uniform(_GIVEN_UP, LATEST))
        match dice.randrange(8):
            case 0:
                return Plan(after=dice.uniform(0.05, 0.3))
            case 1 | 2:  # while the caller still waits, or later
                return Plan(after=dice.uniform(0.2, LATEST))
            case 3:
                return Plan(End.NOTHING, after=dice.choice([0.0, dice.uniform(0, LATEST)]))
            case 4:
                return Plan(End.NOTHING, applied=False, after=dice.uniform(0, 0.2))
            case 5:
                return Plan(End.FAILURE, applied=dice.random() < 0.5)
            case 6:
                return Plan(End.COME_BACK, applied=False)
            case _:
                return Plan(dice.choice([End.GARBAGE, End.HALF]), applied=dice.random() < 0.8)
