"""`evse-status import`."""

import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Final, Protocol

import click

from app.cli import moving_file
from app.cli.calling import at_url, calling
from app.cli.exporting import STDOUT
from app.cli.importing_at_url import AtUrl
from app.cli.importing_beside import Beside
from app.cli.moving_file import Counts, EvseLine, FileUnreadable, LocationLine, Record
from app.cli.opening import as_json, opened, print_json, print_table, runs, settings_from_environment
from app.cli.progress import bar
from app.store.commands.restoring import Restored

_TOGETHER: Final = 1000  #: lines that are under way at once
_TOLD: Final = 1000  #: refusals that are kept word by word: a file that is refused whole must not fill the memory
_SHOWN: Final = 20  #: of them, where people read


class Target(Protocol):
    """Where the lines go."""

    async def restore(self, lines: Sequence[Record]) -> list[Restored | str]:
        """Restore them, or only say what would become of each; a text says why it was refused."""
        ...


class Tally:
    """What became of the lines, counted, and the first of those that were refused word by word."""

    def __init__(self) -> None:
        sorts = ("locations", "evses", "temporaryStatuses")
        self.counts = {sort: {**dict.fromkeys(map(str, Restored), 0), "refused": 0} for sort in sorts}
        self.refusals: list[str] = []
        self.refused = 0

    def count(self, number: int, line: Record, became: Restored | str) -> None:
        counts = self.counts[_sort(line)]
        if isinstance(became, Restored):
            counts[became.value] += 1
            return
        counts["refused"] += 1
        self.refused += 1
        if len(self.refusals) < _TOLD:
            self.refusals.append(f"line {number}: {became}")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Read, compare and report, change nothing.")
@at_url
@as_json
@runs
async def import_(file: Path, url: str | None, key: str | None, output: str, *, dry_run: bool) -> None:
    """Take in what `evse-status export` wrote to FILE, or what comes on standard input (-).

    The file is read whole first: where it is wrong or cut off, the line and the field are named and nothing is done.
    What is there already is left as it is, so doing it again changes nothing. What is refused is reported with its
    line, and the rest goes on.

    Beside the database EVSEs come as they were, and temporary statuses keep their beginning. With --url what has begun
    begins now, what has no EVSE ID, deprecated EVSEs and OCPI objects are left out, and each new EVSE is a call.
    """
    with _input(file) as source:
        total = checked(source).all
        async with _target(url, key, dry_run=dry_run) as target:
            with bar("comparing" if dry_run else "importing") as progress:
                task = progress.add_task("importing", total=total)
                tally = await take_in(source, target, lambda lines: progress.advance(task, lines))
    _report(tally, output=output, dry_run=dry_run)
    if tally.refused:
        raise SystemExit(1)


async def take_in(source: IO[bytes], target: Target, told: Callable[[int], None] = lambda _: None) -> Tally:
    """Restore a file that was checked, some lines at a time; `told` of how many each time."""
    tally = Tally()
    source.seek(0)
    moving_file.read_header(source)
    lines = moving_file.records(source)
    while group := list(islice(lines, _TOGETHER)):
        answers = await target.restore([line for _, line in group])
        for (number, line), became in zip(group, answers, strict=True):
            tally.count(number, line, became)
        told(len(group))
    return tally


@contextmanager
def _input(file: Path) -> Generator[IO[bytes]]:
    """The file, or a copy of what comes on standard input, which can be read only once."""
    if file != STDOUT:
        with file.open("rb") as source:
            yield source
        return
    with tempfile.TemporaryFile() as source:
        shutil.copyfileobj(sys.stdin.buffer, source)
        source.seek(0)
        yield source


def checked(source: IO[bytes]) -> Counts:
    """Read it whole.

    Raises:
        ClickException: it is wrong somewhere.
    """
    counts = Counts()
    try:
        moving_file.read_header(source)
        for _, line in moving_file.records(source):
            counts.count(line)
    except FileUnreadable as error:
        raise click.ClickException(f"{error}; nothing was done") from None
    return counts


@asynccontextmanager
async def _target(url: str | None, key: str | None, *, dry_run: bool) -> AsyncGenerator[Target]:
    if url is None and key is None:
        async with opened(settings_from_environment()) as beside:
            yield Beside(beside.database, beside.writer, beside.clock, dry_run=dry_run)
        return
    async with calling(url, key) as api:
        # Theirs, as this machine may be minutes off; and to the end of the second, as it comes in whole ones.
        at = await api.now() + timedelta(seconds=1)
        with AtUrl(api, at, dry_run=dry_run) as target:
            await target.look_around()
            yield target


def _sort(line: Record) -> str:
    match line:
        case LocationLine():
            return "locations"
        case EvseLine():
            return "evses"
        case _:
            return "temporaryStatuses"


def _report(tally: Tally, *, output: str, dry_run: bool) -> None:
    if output == "json":
        print_json({**tally.counts, "refusals": tally.refusals, "dryRun": dry_run})
        return
    _tell(tally.refusals, tally.refused)
    words = {
        "created": "would be created" if dry_run else "created",
        "known": "known already",
        "differs": "known, and other than in the file",
        "over": "over by now",
        "leftOut": "left out",
        "refused": "refused",
    }
    counts = tally.counts.values()
    rows = [[says, *(one[word] for one in counts)] for word, says in words.items() if any(one[word] for one in counts)]
    print_table(["", "locations", "EVSEs", "temporary statuses"], rows, nothing="there is nothing in it")
    if dry_run:
        click.echo("a dry run, so nothing was changed")


def _tell(refusals: Iterable[str], refused: int) -> None:
    for line in islice(refusals, _SHOWN):
        click.echo(f"  {line}", err=True)
    if refused > _SHOWN:
        click.echo(f"  and {refused - _SHOWN} more; -o json prints the first {_TOLD}", err=True)
