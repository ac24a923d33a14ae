"""What clients asked for and what they were surely answered: all of it must be there in the end, and nothing else."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

View: TypeAlias = Mapping[str, Any]
#: What moves by itself or with an end; all else stays as it was answered.
_STAYS: Final = (
    "id",
    "evseId",
    "temporaryStatus",
    "validFrom",
    "appliesWhen",
    "reason",
    "ref",
    "createdBy",
    "createdAt",
)
_MOVES: Final = ("validTo", "revision", "updatedAt")


class Window(msgspec.Struct):
    """A temporary status as it was last answered.

    `perhaps_until` are ends that were asked for without an answer: a process that was frozen may yet set them.
    """

    answered: View
    perhaps_until: set[str | None] = msgspec.field(default_factory=set)
    ended: bool = False


class Ledger:
    """Kept by the clients. `doubts` is how often they were not answered before they were.

    Each window is known by its reason, which no two requests share; renewals of one reference share theirs.
    """

    def __init__(self) -> None:
        self.windows: dict[int, Window] = {}
        self.doubts = 0
        self.actual: dict[str, str] = {}
        self._asked: dict[str, int] = {}  #: by reason: how many windows there may be at the most
        self._doubtful_renewals: dict[str | None, set[str | None]] = defaultdict(set)
        self._deployment: dict[str, str] = {}
        self._doubtful_deployment: dict[str, set[str]] = defaultdict(set)

    def asked(self, reason: str) -> None:
        """A window is about to be asked for, once more."""
        self._asked[reason] = self._asked.get(reason, 0) + 1

    def created(self, view: View, *, doubts: int) -> None:
        self.doubts += doubts
        self.windows[view["id"]] = Window(view)

    def renewed(self, view: View) -> None:
        """By reference: the one that is in force or one that follows it."""
        self.windows.setdefault(view["id"], Window(view)).answered = view

    def renewal_in_doubt(self, ref: str, until: str, doubts: int) -> None:
        """It may have lengthened what was in force then, or shorten what will be when it comes to it."""
        self.doubts += doubts
        self._doubtful_renewals[ref].add(until)

    def changed(self, view: View, *, doubts: int) -> None:
        self.doubts += doubts
        window = self.windows[view["id"]]
        window.answered = view
        if doubts:
            window.perhaps_until.add(view["validTo"])

    def ended(self, number: int, *, doubts: int) -> None:
        self.doubts += doubts
        self.windows[number].ended = True

    def deployed(self, evse_id: str, state: str, *, doubts: int) -> None:
        self.doubts += doubts
        self._deployment[evse_id] = state
        if doubts:
            self._doubtful_deployment[evse_id].add(state)

    def wrong_windows(self, stored: Iterable[View]) -> list[str]:
        """Compare with all the temporary statuses that are stored."""
        there = {one["id"]: one for one in stored}
        for window in self.windows.values():
            window.perhaps_until |= self._doubtful_renewals[window.answered["ref"]]
        wrong = [f"accepted and lost: {window.answered}" for key, window in self.windows.items() if key not in there]
        wrong += [
            f"answered {self.windows[key].answered}, stored {one}"
            for key, one in there.items()
            if key in self.windows and not _is_as_accepted(self.windows[key], one)
        ]
        counts: dict[str, int] = defaultdict(int)
        for one in there.values():
            counts[one["reason"]] += 1
        for reason, count in counts.items():
            if count > self._asked.get(reason, 0):
                wrong.append(f"{count} windows for {reason}, which was asked for {self._asked.get(reason, 0)} times")
        return wrong

    def wrong_evses(self, fleet: Iterable[View]) -> list[str]:
        """Compare with the EVSEs as they are stored."""
        wrong = []
        for one in fleet:
            evse_id = one["evseId"]
            possible = {self._deployment[evse_id], *self._doubtful_deployment[evse_id]}
            if one["deploymentState"] not in possible:
                wrong.append(f"{evse_id} is in {one['deploymentState']}, not in {possible}")
            if one["actualStatus"] != self.actual[evse_id]:
                wrong.append(f"{evse_id} is known as {one['actualStatus']}, not as {self.actual[evse_id]}")
        return wrong


def _is_as_accepted(window: Window, stored: View) -> bool:
    answered = window.answered
    if any(stored[name] != answered[name] for name in _STAYS):
        return False
    if window.ended:
        return stored["endReason"] == "deleted" and stored["validTo"] in {answered["validTo"], *window.perhaps_until}
    if stored["endedAt"] is not None:
        # A reference that ran out is closed by its next renewal, which changes nothing that was shown.
        closed = (stored["endReason"], stored["endedAt"]) == ("expired", stored["validTo"])
        if stored["ref"] is None or not closed:
            return False
    if window.perhaps_until:
        return stored["validTo"] in {answered["validTo"], *window.perhaps_until}
    return all(stored[name] == answered[name] for name in _MOVES)
