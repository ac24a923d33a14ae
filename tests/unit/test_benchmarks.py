"""What benchmarks make of what they measured: medians, goals, the table, the pictures, and runs of a part."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import plots, records, report
from benchmarks.bench import Bench, Scenario
from benchmarks.drawing import Axis, axis_over
from benchmarks.machine import Floor, Machine
from benchmarks.measuring import Curve, Goal, Line, interleaved, part
from benchmarks.records import Measured, Results
from benchmarks.scenarios import ALL

MACHINE = Machine(
    processor="a processor",
    cores=2,
    memory=24 * 2**30,
    kernel="Linux 6",
    python="3.11.7",
    sqlite="3.40",
    postgresql="15",
    packages={"msgspec": "1"},
    commit="c0ffee",
    dirty=True,
    floors={"fsync of 4 KiB": Floor(8000.0, 0.000123, 0.0002)},
)


def a_line(*figures: float, **fields: Any) -> Line:
    given: dict[str, Any] = {"scenario": 1, "what": "creates", "unit": "of the floor", "goal": Goal(at_least=0.4)}
    return Line(figures=figures, **given | fields)


def measured(*lines: Line, **fields: Any) -> Measured:
    given: dict[str, Any] = {
        "scenario": 1, "title": "Creates", "at": "2099-01-01T00:00:00Z", "commit": "c0ffee", "rounds": 3, "took": 9.0,
    }  # fmt: skip
    return Measured(lines=lines, **given | fields)


async def nothing(_bench: Bench) -> list[Line]:
    return []


def a_scenario(number: int, run: Any = nothing) -> Scenario:
    return Scenario(number, f"Scenario {number}", run)


def cells(page: str) -> list[list[str]]:
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| #")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


# -- figures and goals


def test_the_median_of_the_rounds_counts():
    assert a_line(0.1, 0.9, 0.4).figure == 0.4
    assert a_line(0.2, 0.4).figure == pytest.approx(0.3)
    assert a_line().figure is None


def test_a_goal_is_met_where_it_is_just_reached():
    assert a_line(0.4).met is True
    assert a_line(0.399).met is False
    assert a_line(5.0, goal=Goal(at_most=5)).met is True
    assert a_line(5.01, goal=Goal(at_most=5)).met is False
    assert a_line(0.1, goal=Goal(at_least=0.2, at_most=0.3)).met is False
    assert a_line(0.4, goal=Goal(at_least=0.2, at_most=0.3)).met is False


def test_without_a_goal_or_a_figure_there_is_nothing_to_meet():
    assert a_line(0.4, goal=None).met is None
    assert a_line().met is None


def test_no_goal_is_met_by_a_run_in_which_something_else_went_wrong():
    assert a_line(0.9, marred="only 300 creates a second").met is False


def test_an_aim_binds_nobody():
    assert a_line(0.5, goal=Goal(at_least=0.4, aim=0.6)).met is True


def test_a_percentile_is_a_value_that_was_measured():
    assert part([3.0, 1.0, 2.0], 0.5) == 2.0
    assert part(list(range(100)), 0.99) == 99
    assert part([1.0], 0.99) == 1.0
    assert part([], 0.5) == 0.0


def test_sides_take_turns_and_every_other_round_goes_backwards():
    seen: list[str] = []

    async def side(name: str) -> str:
        seen.append(name)
        return name

    sides = {"floor": lambda: side("floor"), "ours": lambda: side("ours")}
    rounds = asyncio.run(interleaved(3, sides, lambda _: None))

    assert seen == ["floor", "ours", "ours", "floor", "floor", "ours"]
    assert rounds == [{"floor": "floor", "ours": "ours"}] * 3


# -- the table


@pytest.mark.parametrize(
    ("line", "figure", "goal"),
    [
        (a_line(0.5, 0.42, 0.61), "50 % of the floor (42 % to 61 %)", "≥ 40 % of the floor"),
        (a_line(0.0741), "7.41 % of the floor", "≥ 40 % of the floor"),
        (a_line(0.5, goal=Goal(at_least=0.4, aim=0.6)), "50 % of the floor", "≥ 40 % of the floor (aim: 60 %)"),
        (a_line(1.5, unit="s", goal=Goal(at_most=3)), "1.5 s", "≤ 3 s"),
        (a_line(23456.7, unit="a second", goal=Goal(at_least=20_000)), "23,457 a second", "≥ 20,000 a second"),
        (a_line(0.0000123, unit="s", goal=None), "0.0000123 s", "-"),
        (a_line(0.0, unit="lost", goal=Goal(at_most=0)), "0 lost", "≤ 0 lost"),
        (a_line(2.0, unit="s", goal=Goal(at_least=1, at_most=4)), "2 s", "≥ 1 s, ≤ 4 s"),
        (a_line(), "-", "≥ 40 % of the floor"),
    ],
)  # fmt: skip
def test_a_figure_and_its_goal_are_told_in_the_same_words(line: Line, figure: str, goal: str):
    row = cells(report.page(Results(MACHINE, (measured(line),)), [a_scenario(1)]))[0]

    assert row[4] == figure
    assert row[5] == goal


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (a_line(0.5), "met"),
        (a_line(0.3), "**missed**"),
        (a_line(0.5, note="one round"), "met; one round"),
        (a_line(0.3, note="one round"), "**missed**; one round"),
        (a_line(0.5, note="one round", marred="late"), "**missed**: late; one round"),
        (a_line(0.5, goal=None), "reported"),
        (a_line(note="no such package"), "not measured: no such package"),
    ],
)
def test_each_row_says_what_came_of_it(line: Line, said: str):
    assert cells(report.page(Results(MACHINE, (measured(line),)), [a_scenario(1)]))[0][6] == said


def test_every_scenario_has_a_row_whatever_became_of_it():
    known = Results(
        MACHINE,
        (
            measured(a_line(0.5), a_line(0.6)),
            measured(scenario=2, failed="ValueError: the server answered {500: 3}"),
        ),
    )
    rows = cells(report.page(known, [a_scenario(1), a_scenario(2), a_scenario(3)]))

    assert [row[0] for row in rows] == ["1", "1", "2", "3"]
    assert rows[2][6] == "not measured: ValueError: the server answered {500: 3}"
    assert rows[3][1:] == ["Scenario 3", "-", "-", "-", "-", "not measured: it was not run"]


def test_what_is_measured_breaks_no_row():
    rows = cells(report.page(Results(MACHINE, (measured(a_line(0.5, ours="a | b\nc")),)), [a_scenario(1)]))

    assert len(rows) == 1
    assert rows[0][2] == r"a \| b c"


def test_the_summary_counts_what_is_met_missed_and_absent():
    lines = (a_line(0.5), a_line(0.3), a_line(0.3, goal=None))
    known = Results(MACHINE, (measured(*lines), measured(a_line(scenario=2), scenario=2)))

    said = report.summary(known, [a_scenario(1), a_scenario(2), a_scenario(3)])

    assert said == "1 of 2 goals are met; not all of #1; #2, #3 not measured."


def test_the_page_begins_with_what_is_to_be_known_without_a_table():
    lines = a_line(0.5, short="2,018 creates a second"), a_line(0.5), a_line(0.5, short="1,394 reads a second")
    page = report.page(Results(MACHINE, (measured(*lines),)), [a_scenario(1)])

    assert "- 2,018 creates a second\n- 1,394 reads a second\n" in page
    assert page.index("c0ffee") < page.index("## In short") < page.index("3 of 3 goals are met")


def test_a_page_of_figures_without_sentences_has_no_empty_heading():
    assert "In short" not in report.page(Results(MACHINE, (measured(a_line(0.5)),)), [a_scenario(1)])


def test_what_was_kept_before_there_were_sentences_is_still_read(tmp_path: Path):
    known = Results(MACHINE, (measured(a_line(0.5)),))
    kept = msgspec.to_builtins(known)
    del kept["measured"][0]["lines"][0]["short"]
    (tmp_path / "results.json").write_bytes(msgspec.json.encode(kept))

    assert records.read(tmp_path / "results.json") == known


def test_the_page_says_on_what_and_at_which_commit():
    other = measured(a_line(0.5, scenario=2), scenario=2, commit="decaf", rounds=1)
    page = report.page(Results(MACHINE, (measured(a_line(0.5)), other)), [a_scenario(1), a_scenario(2)], ["goals.svg"])

    assert MACHINE.tree == "c0ffee with changes"
    assert "a processor, 2 cores, 24 GiB; Linux 6" in page
    assert "fsync of 4 KiB: 8,000 a second, median 123 µs, p99 200 µs" in page
    assert "- c0ffee, 2099-01-01, 3 rounds: #1\n- decaf, 2099-01-01, 1 round: #2" in page
    assert "![goals](goals.svg)" in page


# -- what is kept


def test_a_run_of_a_part_replaces_only_that_part():
    known = Results(MACHINE, (measured(a_line(0.1)), measured(scenario=3)))

    found = known.beside(measured(scenario=2)).beside(measured(a_line(0.9)))

    assert [one.scenario for one in found.measured] == [1, 2, 3]
    assert found.measured[0].lines[0].figure == 0.9


def test_what_was_kept_is_read_back_whole(tmp_path: Path):
    curve = Curve(title="growth", name="ours", x="rows", y="ms", points=((1, 2.5),))
    known = Results(MACHINE, (measured(a_line(0.1, 0.2, curves=(curve,))),))

    records.write(tmp_path / "results.json", known)

    assert records.read(tmp_path / "results.json") == known
    assert records.read(tmp_path / "none.json") is None
    (tmp_path / "results.json").write_text("{}")
    assert records.read(tmp_path / "results.json") is None


# -- pictures


def elements(svg: str, name: str, kind: str = "") -> list[dict[str, str]]:
    found = [one.attrib for one in ET.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{name}")]
    return [one for one in found if not kind or kind in one.get("class", "").split()]


def test_how_far_a_figure_is_from_its_goal_to_the_better():
    assert plots.against_goal(a_line(0.8)) == pytest.approx(2)
    assert plots.against_goal(a_line(6.0, goal=Goal(at_most=3))) == pytest.approx(0.5)
    assert plots.against_goal(a_line(1.5, goal=Goal(at_least=1, at_most=6))) == pytest.approx(1.5)
    assert plots.against_goal(a_line(0.0, goal=Goal(at_most=3))) == 30
    assert plots.against_goal(a_line(1.0, goal=Goal(at_most=300))) == 30
    assert plots.against_goal(a_line(0.0)) == pytest.approx(1 / 30)


def test_what_is_met_and_what_is_missed_differ_by_place_and_by_shape():
    svg = plots.drawn(Results(MACHINE, (measured(a_line(0.8), a_line(0.2)),)))["goals.svg"]
    (goal,) = elements(svg, "line", "goal")
    legend, met = elements(svg, "circle", "good")
    bad_legend, missed = elements(svg, "polygon", "bad")

    assert float(met["cx"]) > float(goal["x1"]) > float(missed["points"].split(",")[0])
    assert legend["class"] == met["class"]
    assert bad_legend["class"] == missed["class"]


def words_of(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_rows_are_told_whole_with_the_unit_of_their_figures():
    what = (
        "list, in effect, of an operator, 1,000,000 stored, 5,000 in effect, one of a size and not of another, SQLite"
    )
    words = words_of(plots.drawn(Results(MACHINE, (measured(a_line(0.8, what=what)),)))["goals.svg"])

    assert what in " ".join(words)
    assert "80 % of the floor" in words


def test_a_row_that_is_missed_for_something_else_than_its_figure_says_so():
    lines = a_line(0.8, marred="only 418 creates"), a_line(0.2, marred="only 300 creates")
    words = words_of(plots.drawn(Results(MACHINE, (measured(*lines),)))["goals.svg"])

    assert "missed all the same: only 418 creates" in words
    assert "besides: only 300 creates" in words


def test_what_has_no_goal_or_no_figure_is_in_no_picture_of_goals():
    known = Results(MACHINE, (measured(a_line(0.8), a_line(0.2, goal=None), a_line()),))

    assert len(elements(plots.drawn(known)["goals.svg"], "circle")) == 2  # one of them in the legend
    assert plots.drawn(Results(MACHINE, (measured(a_line()),))) == {}


def test_what_lies_beyond_an_axis_is_drawn_at_its_edge():
    axis = Axis(0.1, 10, 0, 100)

    assert [axis.at(value) for value in (0.001, 0.1, 1, 10, 1000)] == pytest.approx([0, 0, 50, 100, 100])


def test_an_axis_is_logarithmic_where_values_are_far_apart():
    assert axis_over([3, 700], 0, 100).ticks() == [1, 10, 100, 1000]
    assert axis_over([1, 4], 0, 100).ticks() == [0, 1, 2, 3, 4]
    assert axis_over([1, 1.4], 0, 100).ticks() == [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4]
    assert axis_over([0, 0], 0, 100).at(0) == 0


def test_curves_with_one_title_are_drawn_together_each_with_its_own_mark():
    def curve(name: str) -> Curve:
        return Curve(title="Rows & time", name=name, x="rows", y="ms", points=((1000, 2.0), (1_000_000, 3.0)))

    lines = [a_line(0.5, scenario=11, curves=(curve(name),)) for name in ("a <list>", "a read")]
    pictures = plots.drawn(Results(MACHINE, (measured(*lines, scenario=11),)))

    assert plots.written(pictures) == ["goals.svg", "11-rows-time.svg"]
    svg = pictures["11-rows-time.svg"]
    assert [len(one["points"].split()) for one in elements(svg, "polyline")] == [2, 2]
    assert len(elements(svg, "circle")) == len(elements(svg, "polygon")) == 3  # two points, and one beside the name
    assert "a &lt;list&gt;" in svg


def test_pictures_are_the_same_for_the_same_figures_and_fetch_nothing():
    known = Results(MACHINE, (measured(a_line(0.8), a_line(0.2)),))
    again = msgspec.json.decode(msgspec.json.encode(known), type=Results)

    assert plots.drawn(known) == plots.drawn(again)
    svg = plots.drawn(known)["goals.svg"]
    assert re.findall(r"\w+://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in svg
    assert "prefers-color-scheme:dark" in svg
    assert len(svg) < 10_000


# -- the command


def test_scenarios_stand_in_the_order_of_their_numbers():
    numbers = [one.number for one in ALL]

    assert numbers == sorted(set(numbers))


def words(output: str) -> str:
    """What was printed, however wide the terminal is."""
    return " ".join(output.split())


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command writes, with three scenarios that measure nothing, of which the second breaks."""

    async def look(_bench: Bench) -> Machine:
        return MACHINE

    @contextmanager
    def no_databases(_directory: Path) -> Iterator[None]:
        yield None

    async def broken(_bench: Bench) -> list[Line]:
        raise ValueError("the server answered {500: 3}")

    def good(number: int) -> Any:
        async def run(bench: Bench) -> list[Line]:
            bench.tell("round 1")
            return [a_line(*[0.5] * bench.rounds, scenario=number)]

        return run

    scenarios = (a_scenario(1, good(1)), a_scenario(2, broken), a_scenario(3, good(3)))
    for name, value in {"ALL": scenarios, "look": look, "databases": no_databases}.items():
        monkeypatch.setattr(command, name, value)
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_a_scenario_that_breaks_does_not_end_the_run_and_is_told_in_the_end(results: Path):
    done = CliRunner().invoke(command.main, [])

    assert done.exit_code == 1
    rows = cells((results / "README.md").read_text())
    assert [row[6] for row in rows] == ["met", "not measured: ValueError: the server answered {500: 3}", "met"]
    assert rows[0][4] == "50 % of the floor (50 % to 50 %)"


def test_a_run_of_a_part_leaves_the_rest_of_the_table(results: Path):
    assert CliRunner().invoke(command.main, ["--only", "1", "--rounds", "2"]).exit_code == 0
    (results / "old.svg").write_text("")
    assert CliRunner().invoke(command.main, ["--only", "3"]).exit_code == 0

    known = records.read(results / "results.json")
    assert known is not None
    assert [(one.scenario, one.rounds) for one in known.measured] == [(1, 2), (3, 3)]
    assert [row[6] for row in cells((results / "README.md").read_text())] == [
        "met", "not measured: it was not run", "met",
    ]  # fmt: skip
    assert [path.name for path in results.glob("*.svg")] == ["goals.svg"]


def test_a_brief_run_writes_down_nothing(results: Path):
    done = CliRunner().invoke(command.main, ["--brief", "--only", "1,3"])

    assert done.exit_code == 0
    assert not results.exists()
    assert "All 2 scenarios work. Figures of a brief run mean nothing and were not kept." in words(done.output)


def test_a_brief_run_shows_no_figure_and_judges_none(results: Path):
    done = CliRunner().invoke(command.main, ["--brief"])

    assert done.exit_code == 1
    assert "Of 3 scenarios 1 failed: #2." in words(done.output)
    assert "1 Scenario 1: works" in words(done.output)
    assert not re.search(r"met\b|missed|of the floor", done.output)
    assert not results.exists()


def test_a_terminal_is_shown_no_markdown(results: Path, monkeypatch: pytest.MonkeyPatch):
    async def poor(_bench: Bench) -> list[Line]:
        return [a_line(0.1, what="`GET /v2/evses` a second")]

    monkeypatch.setattr(command, "ALL", (a_scenario(1, poor),))
    done = CliRunner().invoke(command.main, [])

    assert "GET /v2/evses a second: 10 % of the floor missed" in words(done.output)
    assert "*" not in done.output
    assert "**missed**" in (results / "README.md").read_text()


def test_a_scenario_that_is_not_there_is_refused(results: Path):
    done = CliRunner().invoke(command.main, ["--only", "1,77"])

    assert done.exit_code == 2
    assert "there is no scenario 77; there are 1, 2, 3" in done.output
    assert CliRunner().invoke(command.main, ["--only", "one"]).exit_code == 2
    assert not results.exists()
