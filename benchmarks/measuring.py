"""What is measured: a figure for each round, what it must reach, and what became of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

import msgspec

Result = TypeVar("Result")


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure must reach; of a ratio a part of the other side, of a time seconds."""

    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None  #: what would be better still; nobody is held to it

    def met_by(self, figure: float) -> bool:
        enough = self.at_least is None or figure >= self.at_least
        return enough and (self.at_most is None or figure <= self.at_most)


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """What is better drawn than told. Curves of one scenario with the same title are drawn together, by their names."""

    title: str
    name: str
    x: str  #: what the axes show, with the unit
    y: str
    points: tuple[tuple[float, float], ...]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table: a figure for each round, of which the median counts.

    `ours` and `beside` say in words what the figure was made of. Without a `goal` it is only reported; without figures
    it could not be measured, and `note` says why.
    """

    scenario: int
    what: str
    figures: tuple[float, ...] = ()
    unit: str = ""
    ours: str = ""
    beside: str = ""
    goal: Goal | None = None
    note: str = ""
    short: str = ""  #: a sentence with its figures, for those who read no table; the medians of all rounds
    marred: str = ""  #: what else went wrong meanwhile, if anything: then no goal counts as met
    curves: tuple[Curve, ...] = ()

    @property
    def figure(self) -> float | None:
        return median(self.figures) if self.figures else None

    @property
    def met(self) -> bool | None:
        """Whether it reached its goal; `None` where there is none, or nothing was measured."""
        if self.goal is None or self.figure is None:
            return None
        return not self.marred and self.goal.met_by(self.figure)


async def interleaved(
    rounds: int, sides: Mapping[str, Callable[[], Awaitable[Result]]], tell: Callable[[str], None]
) -> list[dict[str, Result]]:
    """Measure all sides in turn, round after round, so that what disturbs the machine disturbs them all alike.

    Every other round goes backwards: no side is always the first after a pause.
    """
    measured = []
    for number in range(rounds):
        order = list(sides.items())
        done: dict[str, Result] = {}
        for name, measure in order if number % 2 == 0 else reversed(order):
            tell(f"round {number + 1} of {rounds}: {name}")
            done[name] = await measure()
        measured.append(done)
    return measured


def part(values: Sequence[float], share: float) -> float:
    """The value that `share` of all are not above: 0.99 for the 99th percentile; 0.0 where there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
