"""`python -m benchmarks`: run the scenarios and write down what came of them."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

import click
import uvloop
from rich.console import Console

from benchmarks.bench import Bench
from benchmarks.databases import databases
from benchmarks.measuring import Line
from benchmarks.scenarios import ALL

RESULTS: Final = Path(__file__).parent / "results"


@click.command()
@click.option("--only", default="", help="Numbers of scenarios, such as 1,4; all of them where left out.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 99), help="How often each is measured.")
@click.option("--brief", is_flag=True, help="A second for each: shows that they work, and measures nothing.")
@click.option(
    "--in", "where", type=click.Path(file_okay=False, path_type=Path), help="On which disk the databases are to lie."
)
def main(only: str, rounds: int, where: Path | None, *, brief: bool) -> None:
    """Measure the service beside what this machine can do at best, and beside others."""
    numbers = {int(one) for one in only.split(",") if one}
    scenarios = [one for one in ALL if not numbers or one.number in numbers]
    console = Console(stderr=True)
    directory = Path(tempfile.mkdtemp(prefix="evse-bench-", dir=where))
    directory.chmod(0o755)
    lines: list[Line] = []
    began = perf_counter()
    try:
        with databases(directory) as available, console.status("") as status:
            for scenario in scenarios:
                title = f"{scenario.number}/{len(ALL)} {scenario.title}"

                def tell(what: str, title: str = title) -> None:
                    status.update(f"{title}: {what}")

                bench = Bench(1 if brief else rounds, brief, directory, available, tell)
                found = uvloop.run(scenario.run(bench))
                _show(console, found)
                lines += found
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    console.print(f"{perf_counter() - began:.0f} s")


def _show(console: Console, lines: Sequence[Line]) -> None:
    for line in lines:
        figure = "-" if line.figure is None else f"{line.figure:.3g} {line.unit}"
        console.print(
            f"{line.scenario} {line.what}: [bold]{figure}[/] {line.met} | {line.ours} | {line.beside} {line.note}"
        )


if __name__ == "__main__":
    main()
