"""`evse-status evses`."""

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.channels.ocpi.locations import LocationsUnreadable, Read, read_locations
from app.cli.opening import as_json, opened, print_json, runs, settings_from_environment
from app.domain.errors import DomainError
from app.domain.principal import COMMAND_LINE
from app.domain.status import DeploymentState
from app.store.commands.importing import Import

_TOGETHER = 200  #: EVSEs committed together
_SHOWN = 20  #: lines of remarks before the rest is only counted


@click.group()
def evses() -> None:
    """Bring in the EVSEs."""


@evses.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--deployment-state",
    type=click.Choice([state.value for state in DeploymentState]),
    help="Set this state on all of them, known ones too.  [default: PRODUCTION for new ones, STOCK where "
    "`publish` is false; known ones keep theirs]",
)
@click.option("--dry-run", is_flag=True, help="Read and report, change nothing.")
@as_json
def import_(file: Path, deployment_state: str | None, output: str, *, dry_run: bool) -> None:
    """Register the EVSEs of an OCPI Locations document, or bring what is known of them up to date.

    FILE holds a JSON array of OCPI Locations, or an OCPI response with one in `data`. Doing it again changes nothing.
    The actual status is taken only where none is known. What is odd in the document is reported, not dropped.
    """
    try:
        read = read_locations(file.read_bytes())
    except (LocationsUnreadable, OSError) as error:
        raise click.ClickException(f"{file}: {error}") from None
    counts = {"created": 0, "known": 0, "refused": 0}
    refusals: list[str] = []
    if not dry_run:
        _store(read, DeploymentState(deployment_state) if deployment_state else None, counts, refusals)
    _report(read, counts, refusals, output=output, dry_run=dry_run)
    if refusals:
        raise SystemExit(1)


@runs
async def _store(read: Read, state: DeploymentState | None, counts: dict[str, int], refusals: list[str]) -> None:
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    async with opened(settings_from_environment()) as beside:
        progress.start()
        bar = progress.add_task("importing", total=len(read.evses))
        for begin in range(0, len(read.evses), _TOGETHER):
            group = read.evses[begin : begin + _TOGETHER]
            commands = [Import(by=COMMAND_LINE, imported=one, deployment=state) for one in group]
            results = await asyncio.gather(*(beside.writer.run(one) for one in commands), return_exceptions=True)
            for one, result in zip(group, results, strict=True):
                if isinstance(result, DomainError):
                    counts["refused"] += 1
                    refusals.append(f"{one.evse_id or one.uid}: {result}")
                elif isinstance(result, BaseException):
                    raise result
                else:
                    counts["created" if result.created else "known"] += 1
            progress.advance(bar, len(group))
        progress.stop()


def _report(read: Read, counts: dict[str, int], refusals: list[str], *, output: str, dry_run: bool) -> None:
    remarks = [f"{one.where}: {one.what}" for one in read.quirks]
    if output == "json":
        print_json({"read": len(read.evses), **counts, "refusals": refusals, "remarks": remarks, "dryRun": dry_run})
        return
    for line in [*refusals[:_SHOWN], *remarks[:_SHOWN]]:
        click.echo(f"  {line}", err=True)
    if (hidden := max(len(refusals) - _SHOWN, 0) + max(len(remarks) - _SHOWN, 0)) > 0:
        click.echo(f"  and {hidden} more; -o json prints all", err=True)
    if dry_run:
        click.echo(f"{len(read.evses)} EVSEs can be read; a dry run, so nothing was changed")
        return
    click.echo(
        f"{counts['created']} EVSEs registered, {counts['known']} known already, {counts['refused']} refused"
        + (f"; {len(remarks)} {'remark' if len(remarks) == 1 else 'remarks'}" if remarks else "")
    )
