"""The results as pictures: every figure against its goal, and whatever a scenario has curves of."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks import drawing
from benchmarks.drawing import Axis, axis_over, line, mark, text
from benchmarks.measuring import Curve, Line
from benchmarks.records import Results
from benchmarks.report import bare

_WIDTH: Final = 1000
_ROW: Final = 24
_LABEL: Final = 400  #: pixels for what a row is about
_LONGEST: Final = 60  #: characters of it
_TAIL: Final = 14
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
    top, height = 78, 78 + _ROW * len(lines) + 30
    axis = Axis(1 / _FAR, _FAR, _LABEL + 20, _WIDTH - 190)
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
    for number, one in enumerate(lines):
        y = top + _ROW * number + 8
        kind, shape = ("good", "circle") if one.met else ("bad", "diamond")
        x = axis.at(against_goal(one))
        parts += [
            text(16, y + 4, _cut(f"{one.scenario}  {one.what}")),
            line(axis.at(1), y, x, y, f"{kind} stem"),
            mark(x, y, shape, kind),
            text(_WIDTH - 110, y + 4, bare(one.figure or 0.0, one.unit), "end" if one.met else "end bad-word"),
            text(_WIDTH - 100, y + 4, _goal(one), "faint"),
        ]
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
        parts += [drawing.sample(right + 24, beside, number), text(right + 36, beside + 4, _cut(its.name, 36))]
    return drawing.picture(_WIDTH, height, title, parts)


def written(pictures: Mapping[str, str]) -> list[str]:
    """Their names in the order in which a page shows them: goals first, then by scenario."""
    return sorted(pictures, key=lambda name: (name != "goals.svg", name))


def _goal(one: Line) -> str:
    assert one.goal is not None
    ends = (("≥", one.goal.at_least), ("≤", one.goal.at_most))
    return ", ".join(f"{sign} {bare(end, one.unit)}" for sign, end in ends if end is not None)


def _cut(words: str, most: int = _LONGEST) -> str:
    """What is too long loses its middle: which database it was stands at the end."""
    words = words.replace("`", "")
    if len(words) <= most:
        return words
    return f"{words[: most - _TAIL - 1].rstrip()}…{words[-_TAIL:].lstrip()}"


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40]
