"""Every command twice: as the service takes it, and as the model does. Hypothesis draws them as plain data."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from hypothesis import strategies as st

from app.domain.evse_id import parse_evse_id
from app.domain.planning import Changes
from app.domain.principal import Principal, Role
from app.domain.status import AppliesWhen, DeploymentState, Kind
from app.store import writer
from app.store.commands import ending
from app.store.commands import evses as about_evses
from app.store.commands import temporary_statuses as about_windows
from tests.clock import START
from tests.simulation.window_model import MEANING, MINUTE, STRONGEST_FIRST, Asked, Model, Window

EVSES: Final = ("DE*ABC*E1", "DE*ABC*E2", "DE*ABC*E3")
PRINCIPALS: Final = {
    "sensor": Principal("sensor", Role.CLIENT),
    "booking": Principal("booking", Role.CLIENT),
    "admin": Principal("admin", Role.ADMIN),
}
_NOBODYS: Final = 1_000_000_000  #: an id that no window has
_NAMES: Final = {"kind": "kind", "begin": "valid_from", "end": "valid_to", "only_idle": "applies_when"}


def instant(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def applies_when(only_idle: bool) -> AppliesWhen:
    return AppliesWhen.IDLE if only_idle else AppliesWhen.ALWAYS


class Command(Protocol):
    def asked_of(self, model: Model) -> writer.Command[Any]:
        """Say it to the service, where times and windows are those that the model has now."""
        ...

    def done_by(self, model: Model) -> Any: ...


@dataclass(frozen=True)
class Wanted:
    """What is asked for, with times in milliseconds from the full minute that has begun; no start means now."""

    kind: str
    begin: int | None
    end: int | None
    only_idle: bool

    def asked(self, model: Model) -> Asked:
        return Asked(self.kind, moment(model, self.begin), moment(model, self.end), self.only_idle)

    def wish(self, model: Model, evse: str) -> about_windows.Wish:
        asked = self.asked(model)
        return about_windows.Wish(
            evse_id=parse_evse_id(evse),
            kind=Kind(asked.kind),
            valid_from=None if asked.begin is None else instant(asked.begin),
            valid_to=None if asked.end is None else instant(asked.end),
            applies_when=applies_when(asked.only_idle),
        )


@dataclass(frozen=True)
class Create:
    by: str
    evse: str
    wanted: Wanted

    def asked_of(self, model: Model) -> writer.Command[Any]:
        return about_windows.Plan(PRINCIPALS[self.by], self.wanted.wish(model, self.evse))

    def done_by(self, model: Model) -> Window:
        return model.create(self.by, self.evse, self.wanted.asked(model))


@dataclass(frozen=True)
class Put:
    by: str
    ref: str
    evse: str
    wanted: Wanted

    def asked_of(self, model: Model) -> writer.Command[Any]:
        return about_windows.PlanByRef(PRINCIPALS[self.by], self.ref, self.wanted.wish(model, self.evse))

    def done_by(self, model: Model) -> Window:
        return model.put(self.by, self.ref, self.evse, self.wanted.asked(model))


@dataclass(frozen=True)
class Patch:
    """Changes the `which`-th window as its owner or as `by`; what is not among `changes` stays as it is."""

    by: str | None
    which: int
    changes: dict[str, Any]

    def asked_of(self, model: Model) -> writer.Command[Any]:
        said = {_NAMES[name]: value for name, value in self._absolute(model).items()}
        for name in {"valid_from", "valid_to"} & said.keys():
            said[name] = None if said[name] is None else instant(said[name])
        if "kind" in said:
            said["kind"] = Kind(said["kind"])
        if "applies_when" in said:
            said["applies_when"] = applies_when(said["applies_when"])
        by, number = whose(model, self.by, self.which)
        return about_windows.Change(PRINCIPALS[by], number, Changes(**said))

    def done_by(self, model: Model) -> Window:
        return model.patch(whose(model, self.by, self.which)[0], chosen(model, self.which), self._absolute(model))

    def _absolute(self, model: Model) -> dict[str, Any]:
        return {
            name: moment(model, value) if name in ("begin", "end") else value for name, value in self.changes.items()
        }


@dataclass(frozen=True)
class End:
    """Ends the `which`-th window as its owner or as `by`."""

    by: str | None
    which: int

    def asked_of(self, model: Model) -> writer.Command[Any]:
        by, number = whose(model, self.by, self.which)
        return ending.End(PRINCIPALS[by], number)

    def done_by(self, model: Model) -> Window:
        return model.end(whose(model, self.by, self.which)[0], chosen(model, self.which))


@dataclass(frozen=True)
class EndUnder:
    by: str
    ref: str

    def asked_of(self, model: Model) -> writer.Command[Any]:  # noqa: ARG002 - as every command
        return ending.EndByRef(PRINCIPALS[self.by], self.ref)

    def done_by(self, model: Model) -> Window | None:
        return model.end_under(self.by, self.ref)


@dataclass(frozen=True)
class EndOn:
    by: str
    evse: str
    kind: str | None
    planned_too: bool

    def asked_of(self, model: Model) -> writer.Command[Any]:  # noqa: ARG002 - as every command
        kind = None if self.kind is None else Kind(self.kind)
        return ending.EndOnEvse(PRINCIPALS[self.by], parse_evse_id(self.evse), kind, self.planned_too)

    def done_by(self, model: Model) -> list[Window]:
        return model.end_on(self.by, self.evse, self.kind, planned_too=self.planned_too)


@dataclass(frozen=True)
class Report:
    """`seen` is in milliseconds from now."""

    evse: str
    word: str
    seen: int | None

    def asked_of(self, model: Model) -> writer.Command[Any]:
        return about_evses.Report(
            by=PRINCIPALS["admin"],
            evse_id=parse_evse_id(self.evse),
            reported=self.word,
            observed_at=None if self.seen is None else instant(model.now + self.seen),
            max_age=None if model.max_age is None else timedelta(milliseconds=model.max_age),
        )

    def done_by(self, model: Model) -> bool:
        return model.report(self.evse, self.word, None if self.seen is None else model.now + self.seen)


@dataclass(frozen=True)
class Deploy:
    evse: str
    state: str

    def asked_of(self, model: Model) -> writer.Command[Any]:  # noqa: ARG002 - as every command
        return about_evses.Register(
            by=PRINCIPALS["admin"], evse_id=parse_evse_id(self.evse), deployment=DeploymentState(self.state)
        )

    def done_by(self, model: Model) -> bool:
        return model.deploy(self.evse, self.state)


def moment(model: Model, offset: int | None) -> int | None:
    return None if offset is None else model.now - model.now % MINUTE + offset


def chosen(model: Model, which: int) -> Window | None:
    """The `which`-th of the windows that a caller can know of: the latest first, those that are over last."""
    known = [window for window in reversed(model.windows) if window.number]
    known.sort(key=lambda window: window.is_over(model.now))
    return known[which % len(known)] if known and which >= 0 else None


def whose(model: Model, by: str | None, which: int) -> tuple[str, int]:
    """Who asks, and for the window with which number."""
    window = chosen(model, which)
    owner, number = ("admin", _NOBODYS) if window is None else (window.owner, window.number)
    return (owner if by is None else by, number)


# What is drawn: few names and a coarse grid of times, so that things meet; a millisecond aside, so that they just miss.


def _grid(minutes: st.SearchStrategy[int]) -> st.SearchStrategy[int]:
    return st.builds(lambda minute, aside: minute * MINUTE + aside, minutes, st.sampled_from([0, 0, 0, -1, 1]))


@st.composite
def _wants(draw: st.DrawFn) -> Wanted:
    begin = draw(st.none() | _grid(st.integers(-2, 6)))
    # Mostly a window that can be had, for what is refused comes to nothing.
    earliest = max(begin or 0, 0) // MINUTE + 1
    end = draw(st.none() | _grid(st.integers(earliest, earliest + 4)) | _grid(st.integers(-1, earliest)))
    return Wanted(draw(_kinds), begin, end, draw(st.sampled_from([False, False, True])))


_soon: Final = _grid(st.integers(-2, 8))
_evses: Final = st.sampled_from([EVSES[0], EVSES[0], EVSES[0], EVSES[1], EVSES[1], EVSES[2]])
_who: Final = st.sampled_from(["sensor", "sensor", "booking", "admin"])
_owner: Final = st.sampled_from([None, None, None, None, None, None, *PRINCIPALS])
_refs: Final = st.sampled_from(["bay-7", "bay-7", "order-1"])
_kinds: Final = st.sampled_from(["BLOCKED", "BLOCKED", "RESERVED", "MAINTENANCE", "COMMISSIONING"])
_which: Final = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 5, -1])
_fields: Final = {
    "end": st.none() | _soon,
    "begin": _soon,
    "kind": _kinds,
    "only_idle": st.booleans(),
}
_changes: Final = st.one_of(
    *(st.fixed_dictionaries({name: values}) for name, values in _fields.items()),
    st.fixed_dictionaries({}, optional=_fields),
)
_seen: Final = st.none() | _grid(st.sampled_from([0, -1, -3, 1, 5, 60]))
_words: Final = st.sampled_from(["Occupied", "Occupied", "Charging", "Occupied", *MEANING, "REMOVED"])

_creates: Final = st.builds(Create, _who, _evses, _wants())
_puts: Final = st.builds(Put, _who, _refs, _evses, _wants())
_patches: Final = st.builds(Patch, _owner, _which, _changes)
_ends: Final = st.one_of(
    st.builds(End, _owner, _which),
    st.builds(EndUnder, _who, _refs),
    st.builds(EndOn, _who, _evses, st.sampled_from([None, None, None, *STRONGEST_FIRST]), st.booleans()),
)
_reports: Final = st.builds(Report, _evses, _words, _seen)
_deploys: Final = st.builds(Deploy, _evses, st.sampled_from(["PRODUCTION", "STOCK", "DEPRECATED", "PRODUCTION"]))

plans: Final = st.lists(_creates | _puts, min_size=1, max_size=4)
leases: Final = st.lists(_puts, min_size=1, max_size=3)
patches: Final = st.lists(_patches, min_size=1, max_size=3)
ends: Final = st.lists(_ends, min_size=1, max_size=2)
reports: Final = st.lists(_reports, min_size=1, max_size=3)
deploys: Final = st.lists(_deploys, min_size=1, max_size=2)
anything: Final = st.lists(
    st.one_of(_creates, _creates, _puts, _puts, _patches, _patches, _ends, _reports, _deploys), max_size=6
)
