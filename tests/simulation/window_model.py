"""What the design says of windows (§4, §5; DECISIONS 7 and 8), worked out by hand over plain lists.

It shares no code with the service, keeps no boundary and no cursor, and answers for one instant at a time. Times are
whole milliseconds since the test began.
"""

from dataclasses import dataclass
from typing import Any, Final

MINUTE: Final = 60_000
STRONGEST_FIRST: Final = ("COMMISSIONING", "MAINTENANCE", "BLOCKED", "RESERVED")
#: What a charger or its backend may say, and what is stored of it.
MEANING: Final = {
    "Available": "AVAILABLE",
    "AVAILABLE": "AVAILABLE",
    "Charging": "CHARGING",
    "CHARGING": "CHARGING",
    "Occupied": "BLOCKED",
    "Faulted": "OUTOFORDER",
    "UNKNOWN": "UNKNOWN",
}


class Refusal(Exception):
    """A command that must be refused, and the status that its problem has."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Asked:
    kind: str
    begin: int | None
    end: int | None
    only_idle: bool


@dataclass
class Window:
    evse: str
    kind: str
    begin: int
    end: int | None
    only_idle: bool
    owner: str
    ref: str | None = None
    ended: int | None = None
    revision: int = 1
    number: int = 0  #: the service's id, 0 until it has said it

    def in_force(self, at: int) -> bool:
        return self.begin <= at and all(at < stop for stop in (self.end, self.ended) if stop is not None)

    def is_over(self, at: int) -> bool:
        """In force for one stretch of time at most, so it is over if it is not in force now or when it begins."""
        return not self.in_force(max(at, self.begin))


@dataclass
class Charger:
    deployment: str
    status: str = "UNKNOWN"
    heard: int | None = None


class Model:
    """Every window that was ever accepted, and what the chargers said last."""

    def __init__(self, max_age: int | None) -> None:
        self.now = 0
        self.max_age = max_age
        self.chargers: dict[str, Charger] = {}
        self.windows: list[Window] = []

    # What is shown

    def actual(self, evse: str, at: int) -> str:
        charger = self.chargers[evse]
        silent = self.max_age is not None and charger.heard is not None and at >= charger.heard + self.max_age
        return "UNKNOWN" if silent else charger.status

    def shown(self, evse: str, at: int) -> tuple[str, int | None]:
        """What is shown at `at`, as it is written in the store, and the number of the window behind it."""
        deployment = self.chargers[evse].deployment
        if deployment != "PRODUCTION":
            return ("gate:WITHHELD" if deployment == "STOCK" else "gate:REMOVED", None)
        actual = self.actual(evse, at)
        best = None
        for window in self.windows:
            if window.evse != evse or not window.in_force(at):
                continue
            if window.only_idle and actual not in ("AVAILABLE", "UNKNOWN"):
                continue
            if best is None or outranks(window, best):
                best = window
        return (f"actual:{actual}", None) if best is None else (f"kind:{best.kind}", best.number)

    def until(self, evse: str) -> int | None:
        """When something else is shown, or for another reason, if nobody does anything more."""
        for instant in self.edges(evse):
            if self.shown(evse, instant) != self.shown(evse, self.now):
                return instant
        return None

    def edges(self, evse: str) -> list[int]:
        """Every instant still to come that was ever named for this EVSE."""
        named: set[int | None] = set()
        for window in self.windows:
            if window.evse == evse:
                named |= {window.begin, window.end, window.ended}
        heard = self.chargers[evse].heard
        if self.max_age is not None and heard is not None:
            named.add(heard + self.max_age)
        return sorted(instant for instant in named if instant is not None and instant > self.now)

    def living(self, evse: str) -> list[Window]:
        return [window for window in self.windows if window.evse == evse and not window.is_over(self.now)]

    # What is asked

    def create(self, owner: str, evse: str, asked: Asked, ref: str | None = None) -> Window:
        begin = self._checked(evse, asked)
        window = Window(evse, asked.kind, begin, asked.end, asked.only_idle, owner, ref)
        self.windows.append(window)
        return window

    def put(self, owner: str, ref: str, evse: str, asked: Asked) -> Window:
        """Create, change in place, or end and follow by another one: what has been shown stays true."""
        begin = self._checked(evse, asked)
        old = self.under(owner, ref)
        if old is not None:
            planned = old.begin > self.now
            goes_on = planned or (old.kind == asked.kind and begin <= self.now)
            if old.evse == evse and not old.is_over(self.now) and goes_on:
                start = begin if planned else old.begin
                _alter(old, kind=asked.kind, begin=start, end=asked.end, only_idle=asked.only_idle)
                return old
            if old.is_over(self.now):
                old.ended = old.end  # it ran out: said once more, so that the reference is free
            else:
                self._end(old)
        return self.create(owner, evse, asked, ref)

    def patch(self, by: str, window: Window | None, changes: dict[str, Any]) -> Window:
        window = self._own(by, window)
        if window.is_over(self.now):
            raise Refusal(409)
        begun = window.begin <= self.now
        if begun and changes.get("begin", window.begin) != window.begin:
            raise Refusal(409)
        if begun and changes.get("kind", window.kind) != window.kind:
            raise Refusal(409)
        begin, end = changes.get("begin", window.begin), changes.get("end", window.end)
        if end is not None and (end <= begin or end <= self.now):
            raise Refusal(422)
        _alter(window, **changes | {"begin": window.begin if begun else max(begin, self.now)})
        return window

    def end(self, by: str, window: Window | None) -> Window:
        window = self._own(by, window)
        self._end(window)
        return window

    def end_under(self, owner: str, ref: str) -> Window | None:
        window = self.under(owner, ref)
        if window is not None:
            self._end(window)
        return window

    def end_on(self, by: str, evse: str, kind: str | None, *, planned_too: bool) -> list[Window]:
        self._charger(evse)
        ended = []
        for window in self.living(evse):
            meant = window.in_force(self.now) or planned_too
            if meant and kind in (None, window.kind) and by in ("admin", window.owner):
                self._end(window)
                ended.append(window)
        return ended

    def report(self, evse: str, word: str, seen: int | None) -> bool:
        """Tell whether it counts: an older one does not, of equal ones the last does, one from the future comes now."""
        charger = self._charger(evse)
        if seen is None or seen > self.now + 5 * MINUTE:
            # A clock that is a little fast may have been heard before: what comes now is newer all the same.
            seen = max(self.now, charger.heard or 0)
        elif charger.heard is not None and seen < charger.heard:
            return False
        if word != "REMOVED":
            charger.status, charger.heard = MEANING[word], seen
        elif charger.deployment != "DEPRECATED":
            charger.deployment, charger.heard = "DEPRECATED", seen
        return True

    def deploy(self, evse: str, state: str) -> bool:
        """Tell whether it is a new one."""
        new = evse not in self.chargers
        self.chargers.setdefault(evse, Charger(state)).deployment = state
        return new

    def under(self, owner: str, ref: str) -> Window | None:
        """What `owner` made under its reference and nobody ended, even where its time is up."""
        for window in self.windows:
            if (window.owner, window.ref, window.ended) == (owner, ref, None):
                return window
        return None

    def _charger(self, evse: str) -> Charger:
        if evse not in self.chargers:
            raise Refusal(404)
        return self.chargers[evse]

    def _own(self, by: str, window: Window | None) -> Window:
        if window is None or by not in ("admin", window.owner):
            raise Refusal(404)
        return window

    def _checked(self, evse: str, asked: Asked) -> int:
        """When a window that is asked for begins."""
        self._charger(evse)
        if asked.end is not None and asked.end <= max(self.now, asked.begin or 0):
            raise Refusal(422)
        return self.now if asked.begin is None else max(asked.begin, self.now)

    def _end(self, window: Window) -> None:
        if not window.is_over(self.now):
            window.ended = self.now
            window.revision += 1


def outranks(one: Window, other: Window) -> bool:
    if one.kind != other.kind:
        return STRONGEST_FIRST.index(one.kind) < STRONGEST_FIRST.index(other.kind)
    if one.end != other.end:
        return one.end is None or (other.end is not None and one.end > other.end)
    return one.number < other.number


def _alter(window: Window, **fields: Any) -> None:
    """A revision more, unless nothing differs."""
    if any(getattr(window, name) != value for name, value in fields.items()):
        for name, value in fields.items():
            setattr(window, name, value)
        window.revision += 1
