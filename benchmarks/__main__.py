"""`python -m benchmarks`: run the scenarios and write down what came of them."""

import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import plots, records, report
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import databases
from benchmarks.machine import look
from benchmarks.measuring import Line
from benchmarks.records import Measured, Results
from benchmarks.scenarios import ALL

RESULTS: Final = Path(__file__).parent / "results"


def _numbers(_context: click.Context, _parameter: click.Parameter, value: str) -> set[int]:
    try:
        numbers = {int(one) for one in value.split(",") if one.strip()}
    except ValueError:
        raise click.BadParameter("numbers with commas between them, such as 1,4") from None
    there = [one.number for one in ALL]
    if unknown := numbers - set(there):
        raise click.BadParameter(f"there is no scenario {min(unknown)}; there are {', '.join(map(str, there))}")
    return numbers or set(there)


def _list(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        for one in ALL:
            click.echo(f"{one.number:3}  {one.title}")
        context.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only", default="", callback=_numbers, metavar="NUMBERS", help="Only these scenarios, such as 1,4; the rest stay."
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 99), help="How often each is measured.")
@click.option(
    "--brief",
    is_flag=True,
    help="As little of each as shows that it works, 2 to 4 minutes in all. Its figures mean nothing, and are not kept.",
)
@click.option(
    "--in",
    "where",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder on the disk to be measured, for the databases; left out, that of temporary files.",
)
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Name the scenarios.")
@click.pass_context
def main(context: click.Context, only: set[int], rounds: int, where: Path | None, *, brief: bool) -> None:
    """Measure how fast the service is, beside what this machine can do at best and beside others.

    Writes a table (README.md), pictures and the raw data (results.json) to benchmarks/results, after each scenario. All
    of them take about 30 minutes; leave the machine alone meanwhile. Ends with 1 if a scenario could not be measured;
    a goal that is missed is a result like any other.
    """
    directory = Path(tempfile.mkdtemp(prefix="evse-bench-", dir=where))
    directory.chmod(0o755)
    results = directory / "results" if brief else RESULTS
    results.mkdir(exist_ok=True)
    began = perf_counter()
    console = Console(stderr=True)
    try:
        chosen = [one for one in ALL if one.number in only]
        failed = _measure(chosen, rounds, directory, results, console, brief=brief)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    took = f"{perf_counter() - began:.0f} s"
    if brief:
        console.print(took)
        works = _works(len(chosen), failed)
        console.print(f"{works} Figures of a brief run mean nothing and were not kept.", soft_wrap=True)
    else:
        console.print(f"{took}; see benchmarks/results/README.md")
    context.exit(1 if failed else 0)


def _measure(
    scenarios: Sequence[Scenario], rounds: int, directory: Path, results: Path, console: Console, *, brief: bool
) -> list[int]:
    """Run them one by one, each whatever became of those before it; return which failed."""
    known = records.read(results / "results.json")
    failed = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # Drawn rarely: what draws takes time from what calls.
    with databases(directory) as available, Progress(*columns, console=console, refresh_per_second=2) as progress:
        overall = progress.add_task("the machine", total=len(scenarios))
        step = progress.add_task("", total=None)

        def tell(what: str) -> None:
            progress.update(step, description=f"  {what}", completed=perf_counter() - began)

        bench = Bench(1 if brief else rounds, brief, directory, available, tell)
        began = perf_counter()
        machine = uvloop.run(look(bench))
        found = Results(machine, () if known is None else known.measured)
        for scenario in scenarios:
            progress.update(overall, description=f"{scenario.number} {scenario.title}")
            # A bar of the length that it took the last time; where nobody knows, it only moves.
            progress.reset(step, total=_expected(found, scenario, bench.rounds), description="")
            began = perf_counter()
            measured = _measured(scenario, bench, console, machine.tree)
            if measured.failed is not None:
                failed.append(scenario.number)
            found = found.beside(measured)
            _write(results, found)
            if brief:
                _show_that_it_works(console, measured)
            else:
                _show(console, measured.lines)
            progress.advance(overall)
    return failed


def _measured(scenario: Scenario, bench: Bench, console: Console, commit: str) -> Measured:
    began, failed, lines = perf_counter(), None, list[Line]()
    try:
        lines = uvloop.run(scenario.run(bench))
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are to be measured
        console.print(traceback.format_exc(), markup=False, highlight=False)
        failed = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return Measured(
        scenario=scenario.number,
        title=scenario.title,
        at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        commit=commit,
        rounds=bench.rounds,
        took=round(perf_counter() - began, 1),
        lines=tuple(lines),
        failed=failed,
    )


def _expected(results: Results, scenario: Scenario, rounds: int) -> float | None:
    last = results.of(scenario.number)
    return None if last is None or last.failed else last.took * rounds / last.rounds


def _write(directory: Path, results: Results) -> None:
    records.write(directory / "results.json", results)
    pictures = plots.drawn(results)
    for old in directory.glob("*.svg"):
        if old.name not in pictures:
            old.unlink()
    for name, drawn in pictures.items():
        (directory / name).write_text(drawn)
    (directory / "README.md").write_text(report.page(results, ALL, plots.written(pictures)))


def _works(count: int, failed: Sequence[int]) -> str:
    """What a brief run is for, in a sentence."""
    if failed:
        return f"Of {count} scenarios {len(failed)} failed: {', '.join(f'#{one}' for one in failed)}."
    return "The scenario works." if count == 1 else f"All {count} scenarios work."


def _show_that_it_works(console: Console, measured: Measured) -> None:
    """Without a figure: nobody shall take one of so short a run for a result."""
    what = f"failed: {measured.failed}" if measured.failed else f"works ({measured.took:.0f} s)"
    console.print(f"{measured.scenario}  {measured.title}: {what}", markup=False, highlight=False)


def _show(console: Console, lines: Sequence[Line]) -> None:
    for line in lines:
        what = line.what.replace("`", "")
        console.print(f"{line.scenario}  {what}: [bold]{report.figure(line)}[/] {report.verdict(line)}")
        console.print(f"   {line.ours}; {line.beside}" if line.beside else f"   {line.ours}", style="dim")


if __name__ == "__main__":
    # However it is ended, nothing that it started goes on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main()
