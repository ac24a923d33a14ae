"""The results as a page of Markdown: the table, and what a reader must know to make sense of it."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

from benchmarks.bench import Scenario
from benchmarks.machine import Machine
from benchmarks.measuring import Goal, Line
from benchmarks.records import Measured, Results

_SPACE: Final = re.compile(r"\s+")
_BAR: Final = r"\|"
_METHOD: Final = """\
Each scenario runs the service as a process of its own, with the settings that it comes with unless a row says
otherwise, and calls it over loopback. Beside it, in the same round, run a floor (the same server and framework with a
handler that only decodes and answers, or the database alone doing the same rows) and, where it makes sense, a peer.
Sides take turns, round after round, and every other round goes backwards. A figure is the median of the rounds, with
the least and the greatest in brackets. Of a ratio each round has its own, from two sides that were measured within
seconds of each other. What is told of ours and of what is beside it is of the last round, for orientation.

**Noise.** Compare ratios, not rates: on a virtual machine the same commit may come to half or twice the rate an hour
later, floor and all. Processor time for an operation is mostly steadier, but the same code has been seen to take twice
as much of that too in a bad hour. Clients share the cores with the server, so that all rates are lower than with
clients elsewhere. A disk with a write-back cache makes durable commits cheaper than most disks do: the physical floors
below say what this one does. Nothing goes over a network and nothing is encrypted, but where a row says so.

Goals were set before anything was measured, for each database its own where they differ. One is *missed* where the
median does not reach it, or where something else went wrong, as its row then says; a row is *reported* where nothing
was asked for."""
_WORDS: Final = "What the words mean is told in docs/performance.md."
_NOTHING: Final = "-"
_SIGN: Final = 2  #: characters of a unit such as `s` or `MB`


def page(results: Results, scenarios: Sequence[Scenario], plots: Iterable[str] = ()) -> str:
    """The page, with pictures of these names beside it: first in a few sentences, then against the goals, then all."""
    rows = [row for scenario in scenarios for row in _rows(scenario, results.of(scenario.number))]
    return "\n".join(
        [
            "# How fast it is",
            "",
            "<!-- Made by `make bench`, with results.json as its data. -->",
            "",
            *_measured_at(results),
            "",
            *_in_short(results),
            "## Against the goals",
            "",
            f"{summary(results, scenarios)} {_WORDS}",
            "",
            *(f"![{_caption(name)}]({name})\n" for name in plots),
            "## Every figure",
            "",
            "| # | scenario | ours | beside | figure (least to greatest) | must reach | result |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            "## How it is measured",
            "",
            _METHOD,
            "",
            "## On what",
            "",
            *_machine(results.machine),
            "",
        ]
    )


def summary(results: Results, scenarios: Sequence[Scenario]) -> str:
    """How many goals are met, in a sentence."""
    lines = [line for scenario in scenarios for line in _lines(results.of(scenario.number))]
    judged = [line.met for line in lines if line.met is not None]
    missed = sorted({line.scenario for line in lines if line.met is False})
    absent = [one.number for one in scenarios if not any(line.figures for line in _lines(results.of(one.number)))]
    parts = [f"{sum(judged)} of {len(judged)} goals are met"]
    if missed:
        parts.append(f"not all of {_numbers(missed)}")
    if absent:
        parts.append(f"{_numbers(absent)} not measured")
    return "; ".join(parts) + "."


def figure(line: Line) -> str:
    """The median and, of several rounds, the least and the greatest."""
    if line.figure is None:
        return _NOTHING
    found = quantity(line.figure, line.unit)
    if len(line.figures) == 1:
        return found
    return f"{found} ({bare(min(line.figures), line.unit)} to {bare(max(line.figures), line.unit)})"


def goal(line: Line) -> str:
    """What it must reach, in words."""
    if line.goal is None:
        return _NOTHING
    parts = []
    if line.goal.at_least is not None:
        parts.append(f"≥ {quantity(line.goal.at_least, line.unit)}")
    if line.goal.at_most is not None:
        parts.append(f"≤ {quantity(line.goal.at_most, line.unit)}")
    return ", ".join(parts) + _aim(line.goal, line.unit)


def verdict(line: Line) -> str:
    """Whether it was reached, and what else there is to say."""
    if line.figure is None:
        said = "not measured"
    elif line.met is None:
        said = "reported"
    else:
        said = "met" if line.met else "missed"
    # What follows a colon is why; a note says what else there is, which is not why a goal was missed.
    why, note = (line.note, "") if line.figure is None else (line.marred, line.note)
    return (f"{said}: {why}" if why else said) + (f"; {note}" if note else "")


def quantity(value: float, unit: str) -> str:
    """A number with its unit; a part of something (`of the floor`) is told in percent."""
    return bare(value, unit) if len(unit) <= _SIGN else f"{bare(value, unit)} {unit}"


def bare(value: float, unit: str) -> str:
    """The same without its unit, where that is a word and not a sign."""
    if unit.startswith("of "):
        return f"{_rounded(value * 100)} %"
    return f"{_rounded(value)} {unit}".strip() if len(unit) <= _SIGN else _rounded(value)


def _rounded(value: float) -> str:
    """Three digits that count, and no exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def _aim(wanted: Goal, unit: str) -> str:
    return "" if wanted.aim is None else f" (aim: {bare(wanted.aim, unit)})"


def _lines(measured: Measured | None) -> Sequence[Line]:
    return () if measured is None else measured.lines


def _rows(scenario: Scenario, measured: Measured | None) -> list[str]:
    if measured is None or not measured.lines:
        why = "it was not run" if measured is None else measured.failed or "it said nothing"
        return [_row(scenario.number, scenario.title, "", "", "", "", f"not measured: {why}")]
    return [
        _row(line.scenario, line.what, line.ours, line.beside, figure(line), goal(line), _loud(line))
        for line in measured.lines
    ]


def _loud(line: Line) -> str:
    """Its verdict, of which one that was missed is not to be overlooked."""
    return verdict(line).replace("missed", "**missed**", 1) if line.met is False else verdict(line)


def _row(*cells: object) -> str:
    return f"| {' | '.join(_SPACE.sub(' ', str(cell)).replace('|', _BAR) or _NOTHING for cell in cells)} |"


def _machine(machine: Machine) -> list[str]:
    built = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return [
        f"- {machine.processor}, {machine.cores} cores, {machine.memory / 2**30:.0f} GiB; {machine.kernel}",
        f"- Python {machine.python}, SQLite {machine.sqlite}, PostgreSQL {machine.postgresql}; {built}",
        *(
            f"- {name}: {floor.rate:,.0f} a second, median {floor.median * 1e6:,.0f} µs, p99 {floor.p99 * 1e6:,.0f} µs"
            for name, floor in machine.floors.items()
        ),
    ]


def _in_short(results: Results) -> list[str]:
    """What those want to know who only ask how fast it is. Figures that were kept by an older version have none."""
    short = [line.short for one in results.measured for line in one.lines if line.short]
    if not short:
        return []
    where = f"On this machine ({results.machine.cores} cores, which the clients share), the medians of all rounds:"
    return ["## In short", "", where, "", *(f"- {one}" for one in short), ""]


def _measured_at(results: Results) -> list[str]:
    """Which commit each scenario was measured at: partial runs leave the others as they were."""
    runs: dict[tuple[str, str, int], list[int]] = {}
    for one in results.measured:
        runs.setdefault((one.commit, one.at[:10], one.rounds), []).append(one.scenario)
    return [
        "Measured at the commits below; what was changed after them is not in the figures.",
        "",
        *(
            f"- {commit}, {day}, {rounds} {'round' if rounds == 1 else 'rounds'}: {_numbers(numbers)}"
            for (commit, day, rounds), numbers in runs.items()
        ),
    ]


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(f"#{one}" for one in numbers)


def _caption(name: str) -> str:
    return name.rpartition(".")[0].replace("-", " ")
