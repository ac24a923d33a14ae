"""The results as pictures: every figure against its goal, and whatever a scenario has curves of."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks import drawing
from benchmarks.drawing import Axis, axis_over, line, mark, text
from benchmarks.measuring import Curve, Line
from benchmarks.records import Results
from benchmarks.report import bare, quantity

_WIDTH: Final = 1000
_LINE: Final = 15  #: pixels for a line of words
_GAP: Final = 9  #: between rows
_LABEL: Final = 390  #: pixels for what a row is about
_LONGEST: Final = 58  #: characters of a line of it
_GOAL: Final = 80  #: pixels for the goal
_FIGURE: Final = 245  #: pixels for the figure with its unit
_FAR: Final = 30.0  #: times better or worse than this look alike


def drawn(results: Results) -> dict[str, str]:
    """All pictures, by the names of their files."""
    lines = [one for measured in results.measured for one in measured.lines]
    pictures = {}
    if judged := [one for one in lines if one.goal is not None and one.figure is not None]:
        pictures["goals.svg"] = goals(judged)
    together: dict[tuple[int, str], list[Curve]] = {}
    for one in lines:
        for its in one.curves:
            together.setdefault((one.scenario, its.title), []).append(its)
    for (number, title), curves in together.items():
        if any(its.points for its in curves):
            pictures[f"{number:02}-{_slug(title)}.svg"] = of_curves(title, curves)
    return pictures


def against_goal(one: Line) -> float:
    """How many times better than its goal a figure is; below 1 it misses it."""
    assert one.goal is not None
    assert one.figure is not None
    parts = []
    if one.goal.at_least is not None:
        parts.append(one.figure / one.goal.at_least if one.goal.at_least else _FAR)
    if one.goal.at_most is not None:
        parts.append(one.goal.at_most / one.figure if one.figure else _FAR)
    return min(max(min(parts), 1 / _FAR), _FAR)


def goals(lines: Sequence[Line]) -> str:
    """A row for each goal: how far its figure is from it, by logarithms; to the right is better."""
    labels = [_label(one) for one in lines]
    top, height = 78, 78 + sum(map(_height, labels)) + 30
    axis = Axis(1 / _FAR, _FAR, _LABEL + 20, _WIDTH - _GOAL - _FIGURE - 20)
    bottom = height - 26
    parts = [
        text(16, 26, "Each figure against its goal", "title"),
        text(16, 46, "times better than it must be, on a logarithmic axis; to the right is better", "faint"),
        mark(axis.at(1) + 60, 58, "circle", "good"),
        text(axis.at(1) + 70, 62, "met"),
        mark(axis.at(1) + 110, 58, "diamond", "bad"),
        text(axis.at(1) + 122, 62, "missed"),
        text(axis.at(1), 62, "goal", "mid"),
    ]
    for tick in (1 / 30, 0.1, 1 / 3, 1, 3, 10, 30):
        name = f"1/{1 / tick:.0f}" if tick < 1 else f"{tick:g}"
        parts += [
            line(axis.at(tick), top - 10, axis.at(tick), bottom, "goal" if tick == 1 else "grid"),
            text(axis.at(tick), height - 8, name, "mid faint"),
        ]
    y = top + 8.0
    for one, label in zip(lines, labels, strict=True):
        look, shape = ("good", "circle") if one.met else ("bad", "diamond")
        x = axis.at(against_goal(one))
        parts += [
            text(16, y + 4, str(one.scenario)),
            *(text(38, y + 4 + _LINE * number, words, kind) for number, (words, kind) in enumerate(label)),
            line(axis.at(1), y, x, y, f"{look} stem"),
            mark(x, y, shape, look),
            text(_WIDTH - _GOAL - _FIGURE, y + 4, quantity(one.figure or 0.0, one.unit), "" if one.met else "bad-word"),
            text(_WIDTH - _GOAL, y + 4, _goal(one), "faint"),
        ]
        y += _height(label)
    return drawing.picture(_WIDTH, height, "Each figure against its goal", parts)


def of_curves(title: str, curves: Sequence[Curve]) -> str:
    """Curves over the same axes, each with a mark of its own."""
    points = [point for its in curves for point in its.points]
    height, left, right, top, bottom = 420, 80, _WIDTH - 280, 70, 370
    x = axis_over([one for one, _ in points], left, right)
    y = axis_over([one for _, one in points], bottom, top)
    parts = [text(16, 26, title, "title"), text(16, 50, curves[0].y, "faint")]
    for tick in x.ticks():
        parts += [
            line(x.at(tick), top, x.at(tick), bottom, "grid"),
            text(x.at(tick), bottom + 18, drawing.short(tick), "mid faint"),
        ]
    for tick in y.ticks():
        parts += [
            line(left, y.at(tick), right, y.at(tick), "grid"),
            text(left - 8, y.at(tick) + 4, drawing.short(tick), "end faint"),
        ]
    parts.append(text((left + right) / 2, height - 12, curves[0].x, "mid faint"))
    for number, its in enumerate(curves):
        parts += drawing.curve([(x.at(one), y.at(other)) for one, other in its.points], number)
        beside = top + 8 + number * 22
        parts += [
            drawing.sample(right + 24, beside, number),
            text(right + 36, beside + 4, textwrap.shorten(its.name, 36, placeholder="…")),
        ]
    return drawing.picture(_WIDTH, height, title, parts)


def written(pictures: Mapping[str, str]) -> list[str]:
    """Their names in the order in which a page shows them: goals first, then by scenario."""
    return sorted(pictures, key=lambda name: (name != "goals.svg", name))


def _goal(one: Line) -> str:
    assert one.goal is not None
    ends = (("≥", one.goal.at_least), ("≤", one.goal.at_most))
    return ", ".join(f"{sign} {bare(end, one.unit)}" for sign, end in ends if end is not None)


def _label(one: Line) -> list[tuple[str, str]]:
    """What a row is about, line by line and whole, as rows may differ in any word; and what else went wrong, if it did.

    Beside the words of each line stands how they are drawn.
    """
    assert one.goal is not None
    what = [(words, "") for words in textwrap.wrap(one.what.replace("`", ""), _LONGEST)]
    if not one.marred:
        return what
    why = f"{'missed all the same' if one.goal.met_by(one.figure or 0.0) else 'besides'}: {one.marred}"
    return what + [(words, "bad-word") for words in textwrap.wrap(why, _LONGEST - 6)]


def _height(label: Sequence[tuple[str, str]]) -> float:
    return _LINE * len(label) + _GAP


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40]
