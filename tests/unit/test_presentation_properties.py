"""`present` against a model that knows nothing of boundaries: at each instant, list what is active and pick by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.domain.presentation import Actual, Presentation, next_boundary, present
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from tests.unit.builders import at, temporary_status

LAST = 16  #: no edge of any drawn window lies later, so what holds then holds for ever
MILLISECOND = 1 / 60_000  #: minutes
STRENGTH = {"COMMISSIONING": 4, "MAINTENANCE": 3, "BLOCKED": 2, "RESERVED": 1}


@dataclass(frozen=True)
class Window:
    number: int
    kind: str
    begin: int
    end: int | None
    ended_at: int | None
    only_idle: bool

    def row(self) -> TemporaryStatus:
        return temporary_status(
            self.begin,
            self.end,
            number=self.number,
            kind=Kind(self.kind),
            applies_when=AppliesWhen.IDLE if self.only_idle else AppliesWhen.ALWAYS,
            ended_at=self.ended_at,
        )


@dataclass(frozen=True)
class Scene:
    deployment: str
    actual: str
    stale_from: int | None
    windows: tuple[Window, ...]

    @property
    def charger(self) -> Actual:
        return Actual(ActualStatus(self.actual), None if self.stale_from is None else at(self.stale_from))

    @property
    def rows(self) -> list[TemporaryStatus]:
        return [window.row() for window in self.windows]

    def shown(self, minute: float) -> Presentation:
        return present(DeploymentState(self.deployment), self.charger, self.rows, at(minute))

    def next_boundary(self, minute: float) -> datetime | None:
        return next_boundary(self.charger, self.rows, at(minute))

    def model(self, minute: float) -> tuple[str, str, int | None]:
        """Return who speaks, the word and the id behind it, worked out for this one instant alone."""
        if self.deployment != "PRODUCTION":
            return ("Gate", {"STOCK": "WITHHELD", "DEPRECATED": "REMOVED"}[self.deployment], None)
        fresh = self.stale_from is None or minute < self.stale_from
        actual = self.actual if fresh else "UNKNOWN"
        winner = None
        for window in self.windows:
            if window.only_idle and actual not in ("AVAILABLE", "UNKNOWN"):
                continue
            if is_on(window, minute) and (winner is None or wins(window, winner)):
                winner = window
        return ("ActualStatus", actual, None) if winner is None else ("Kind", winner.kind, winner.number)


def is_on(window: Window, minute: float) -> bool:
    if minute < window.begin:
        return False
    return all(minute < stop for stop in (window.end, window.ended_at) if stop is not None)


def wins(one: Window, other: Window) -> bool:
    if one.kind != other.kind:
        return STRENGTH[one.kind] > STRENGTH[other.kind]
    if one.end != other.end:
        return one.end is None or (other.end is not None and one.end > other.end)
    return one.number < other.number


def seen(answer: Presentation) -> tuple[str, str, int | None]:
    return (type(answer.what).__name__, answer.what.value, answer.because)


def instants() -> Iterator[float]:
    """Every minute, and the millisecond before it."""
    for minute in range(-1, LAST + 3):
        yield minute - MILLISECOND
        yield minute


@st.composite
def windows(draw: st.DrawFn, number: int) -> Window:
    begin = draw(st.integers(0, 10))
    length = draw(st.none() | st.integers(1, 6))
    return Window(
        number=number,
        kind=draw(st.sampled_from(sorted(STRENGTH))),
        begin=begin,
        end=None if length is None else begin + length,
        ended_at=draw(st.none() | st.none() | st.integers(0, LAST)),
        only_idle=draw(st.booleans()),
    )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    numbers = draw(st.lists(st.integers(1, 99), unique=True, max_size=10))
    return Scene(
        deployment=draw(st.sampled_from(["PRODUCTION"] * 8 + ["STOCK", "DEPRECATED"])),
        actual=draw(st.sampled_from([member.value for member in ActualStatus])),
        stale_from=draw(st.none() | st.integers(0, LAST)),
        windows=tuple(draw(windows(number)) for number in numbers),
    )


TAKEN_OVER_AS_IT_GOES_STALE = Scene(
    deployment="PRODUCTION",
    actual="CHARGING",
    stale_from=5,
    windows=(
        Window(1, "RESERVED", 0, 5, None, only_idle=False),
        Window(2, "BLOCKED", 2, 9, None, only_idle=True),
        Window(3, "BLOCKED", 5, 7, None, only_idle=False),
    ),
)


@example(scene=TAKEN_OVER_AS_IT_GOES_STALE)
@given(scene=scenes())
@settings(max_examples=300, deadline=None)
def test_what_is_shown_and_why_is_what_the_model_says_at_every_instant(scene: Scene) -> None:
    for minute in instants():
        assert seen(scene.shown(minute)) == scene.model(minute)


@example(scene=TAKEN_OVER_AS_IT_GOES_STALE, minute=0)
@given(scene=scenes(), minute=st.integers(-1, LAST))
@settings(max_examples=300, deadline=None)
def test_the_answer_holds_until_it_says_and_no_longer(scene: Scene, minute: int) -> None:
    answer = scene.shown(minute)

    for later in instants():
        if later >= minute and (answer.until is None or at(later) < answer.until):
            assert scene.model(later) == seen(answer)
    if answer.until is not None:
        changes_at = (answer.until - at(0)).total_seconds() / 60
        assert changes_at > minute
        assert scene.model(changes_at) != seen(answer)


@given(scene=scenes(), minute=st.integers(-1, LAST), seed=st.integers())
@settings(deadline=None)
def test_the_order_of_the_rows_is_irrelevant(scene: Scene, minute: int, seed: int) -> None:
    shuffled = list(scene.windows)
    Random(seed).shuffle(shuffled)
    other = Scene(scene.deployment, scene.actual, scene.stale_from, tuple(shuffled))

    assert other.shown(minute) == scene.shown(minute)
    assert other.next_boundary(minute) == scene.next_boundary(minute)


@given(scene=scenes(), minute=st.integers(-1, LAST))
@settings(max_examples=300, deadline=None)
def test_nothing_changes_between_one_boundary_and_the_next(scene: Scene, minute: int) -> None:
    boundary = scene.next_boundary(minute)

    assert boundary is None or boundary > at(minute)
    for later in instants():
        if later >= minute and (boundary is None or at(later) < boundary):
            assert scene.model(later) == scene.model(minute)


@given(scene=scenes(), minute=st.integers(-1, LAST))
@settings(max_examples=300, deadline=None)
def test_the_next_boundary_is_never_later_than_the_next_change(scene: Scene, minute: int) -> None:
    until, boundary = scene.shown(minute).until, scene.next_boundary(minute)

    assert until is None or (boundary is not None and boundary <= until)


@given(scene=scenes())
@settings(deadline=None)
def test_following_until_visits_every_change_and_nothing_else(scene: Scene) -> None:
    minutes = range(-1, LAST + 2)
    changes = [at(now) for now in minutes[1:] if scene.model(now) != scene.model(now - 1)]

    visited: list[datetime] = []
    until = scene.shown(-1).until
    while until is not None and len(visited) <= len(changes):
        visited.append(until)
        until = scene.shown((until - at(0)).total_seconds() / 60).until

    assert visited == changes


@given(scene=scenes(), minute=st.integers(-1, LAST))
@settings(deadline=None)
def test_asking_again_meanwhile_gives_the_same_answer(scene: Scene, minute: int) -> None:
    answer = scene.shown(minute)

    for later in instants():
        if later >= minute and (answer.until is None or at(later) < answer.until):
            assert scene.shown(later) == answer


def test_the_model_ranks_as_the_design_does() -> None:
    ranked = [
        Window(9, "COMMISSIONING", 0, 1, None, only_idle=False),
        Window(8, "MAINTENANCE", 0, 2, None, only_idle=False),
        Window(7, "BLOCKED", 0, None, None, only_idle=False),
        Window(5, "BLOCKED", 0, 4, None, only_idle=False),
        Window(6, "BLOCKED", 0, 4, None, only_idle=False),
        Window(4, "BLOCKED", 0, 3, None, only_idle=False),
        Window(3, "RESERVED", 0, None, None, only_idle=False),
    ]

    assert [sum(wins(other, one) for other in ranked) for one in ranked] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("deployment", ["STOCK", "DEPRECATED"])
def test_behind_the_gate_nothing_ever_changes_by_the_clock(deployment: str) -> None:
    scene = Scene(deployment, "CHARGING", 5, TAKEN_OVER_AS_IT_GOES_STALE.windows)

    assert all(scene.shown(minute).until is None for minute in instants())
