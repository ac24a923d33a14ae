"""What can happen, and what can become of a request: the words that a plan is written in."""

from datetime import timedelta
from enum import Enum, auto
from random import Random
from typing import Final, TypeAlias

import msgspec

from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown

TIMEOUT: Final = 10.0  #: seconds for one request
LATEST: Final = 60.0  #: seconds after it was written, a request may still be applied


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is in seconds from the beginning."""

    at: float

    def said(self) -> str:
        """What happens, for people."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "at"}
        return " ".join([type(self).__name__, *(f"{name}={getattr(one, 'name', one)}" for name, one in fields.items())])


class Changed(Happening, frozen=True):
    """An EVSE has another status."""

    evse: int
    status: str


class Moved(Happening, frozen=True):
    """The partner is at a new address, which knows nothing."""


class Retranslated(Happening, frozen=True):
    """The partner gets a table of its own: other words for the same."""


class Restored(Happening, frozen=True):
    """The partner lost everything and asks for it anew."""


class Paused(Happening, frozen=True):
    """Somebody pauses the partner for a while."""

    lasts: float


class Forgotten(Happening, frozen=True):
    """The partner lost one EVSE and asks for it anew."""

    evse: int


class Stepped(Happening, frozen=True):
    """The clock of the database steps, and with it everybody's."""

    by: timedelta


class Killed(Happening, frozen=True):
    """A replica dies, at the end of its `waits`-th wait from now or from when it does `upon`; then it is down."""

    replica: int
    waits: int
    upon: str
    down: float  #: seconds


class Frozen(Happening, frozen=True):
    """A replica stands still for a while, from the end of its `waits`-th wait from now, or from when it does `upon`."""

    replica: int
    waits: int
    upon: str
    lasts: float


class Fate(Enum):
    """What becomes of a request."""

    FINE = auto()
    SLOW = auto()  #: applied and answered, in time
    LATE = auto()  #: applied long after we gave up
    ANSWER_LOST = auto()
    REQUEST_LOST = auto()
    GARBAGE = auto()  #: an answer that says nothing; applied or not, perhaps later
    AWAY = auto()  #: no connection
    BUSY = auto()  #: says when to come back
    NO = auto()  #: to this EVSE
    NOT_YET = auto()  #: to this EVSE, as long as it does not know it
    FORBIDDEN = auto()  #: everything


class Outage(Happening, frozen=True):
    """For a while every request meets the same fate."""

    lasts: float
    fate: Fate


Event: TypeAlias = Changed | Moved | Retranslated | Restored | Paused | Forgotten | Stepped | Killed | Frozen | Outage


class Course(msgspec.Struct, frozen=True):
    """A request's course, in seconds: to the connection; from there to when it is applied, and to what is known."""

    connected: float
    applied: float | None
    known: float
    outcome: Outcome


_SAID_NO: Final[dict[Fate, Outcome]] = {
    Fate.NO: Rejected("no"),
    Fate.NOT_YET: Rejected("unknown EVSE", retry_slowly=True),
    Fate.FORBIDDEN: Refused("forbidden"),
}


def course(fate: Fate, dice: Random) -> Course:
    """Draw the course of one request that meets `fate`."""
    connected = dice.uniform(0.001, 0.02) if dice.random() < 0.8 else dice.uniform(0.02, TIMEOUT / 2)
    left = TIMEOUT - connected
    late = dice.uniform(0.05, LATEST)
    match fate:
        case Fate.FINE:
            return Course(connected, 0.01, 0.02, Delivered("ok"))
        case Fate.SLOW:
            known = dice.uniform(0.1, left)
            return Course(connected, dice.uniform(0.05, known), known, Delivered("ok"))
        case Fate.LATE:
            return Course(connected, late, left, Unknown("late"))
        case Fate.ANSWER_LOST:
            return Course(connected, dice.uniform(0.01, left), left, Unknown("the answer was lost"))
        case Fate.REQUEST_LOST:
            return Course(connected, None, left, Unknown("the request was lost"))
        case Fate.GARBAGE:
            return Course(connected, dice.choice([None, 0.01, late]), 0.02, Unknown("garbage"))
        case Fate.AWAY:
            return Course(connected, None, 0.0, NotSent("could not connect"))
        case Fate.BUSY:
            return Course(connected, None, 0.02, NotSent("come back", timedelta(seconds=dice.choice([0, 3, 60]))))
        case _:
            return Course(connected, None, 0.02, _SAID_NO[fate])
