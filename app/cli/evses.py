"""`evse-status evses`."""

import asyncio
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.channels.ocpi.locations import LocationsUnreadable, Read, parse_party, read_locations
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.release import Party
from app.channels.ocpi.sayable import remarks
from app.cli.opening import as_json, opened, print_json, runs, settings_from_environment
from app.domain.errors import DomainError
from app.domain.principal import COMMAND_LINE
from app.domain.status import DeploymentState
from app.store.commands.importing import Import, ImportLocation

_TOGETHER = 200  #: EVSEs or locations committed together
_SHOWN = 20  #: lines of remarks before the rest is only counted


@click.group()
def evses() -> None:
    """Bring in the EVSEs."""


def _party(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Party | None:
    try:
        return None if value is None else parse_party(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@evses.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--deployment-state",
    type=click.Choice([state.value for state in DeploymentState]),
    help="Set this state on all of them, known ones too.  [default: PRODUCTION for new ones, STOCK where "
    "`publish` is false; known ones keep theirs]",
)
@click.option(
    "--ocpi-version",
    type=click.Choice(list(RELEASES)),
    default="2.2.1",
    show_default=True,
    help="The version of OCPI that FILE is written in.",
)
@click.option(
    "--party",
    metavar="DE*XPO",
    callback=_party,
    help="The country code and party id of locations that do not say theirs, as none does in 2.1.1.",
)
@click.option("--dry-run", is_flag=True, help="Read and report, change nothing.")
@as_json
def import_(
    file: Path, deployment_state: str | None, ocpi_version: str, party: Party | None, output: str, *, dry_run: bool
) -> None:
    """Register the EVSEs of an OCPI Locations document and where they stand, or bring what is known up to date.

    FILE holds a JSON array of OCPI Locations, or an OCPI response with one in `data`. Doing it again changes nothing.
    The actual status is taken only where none is known. What is odd in the document is reported, not dropped.
    """
    try:
        read = read_locations(file.read_bytes(), ocpi_version, party)
    except (LocationsUnreadable, OSError) as error:
        raise click.ClickException(f"{file}: {error}") from None
    read = msgspec.structs.replace(read, quirks=(*read.quirks, *remarks(read)))
    counts = {"created": 0, "known": 0, "refused": 0, "locations": 0}
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
        bar = progress.add_task("importing", total=len(read.locations) + len(read.evses))
        for begin in range(0, len(read.locations), _TOGETHER):
            places = read.locations[begin : begin + _TOGETHER]
            await asyncio.gather(*(beside.writer.run(ImportLocation(by=COMMAND_LINE, imported=one)) for one in places))
            counts["locations"] += len(places)
            progress.advance(bar, len(places))
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
        readable = f"{len(read.evses)} EVSEs at {_locations(len(read.locations))} can be read"
        click.echo(f"{readable}; a dry run, so nothing was changed")
        return
    click.echo(
        f"{_evses(counts['created'])} registered, {counts['known']} known already, {counts['refused']} refused, "
        f"at {_locations(counts['locations'])}"
        + (f"; {len(remarks)} {'remark' if len(remarks) == 1 else 'remarks'}" if remarks else "")
    )


def _evses(count: int) -> str:
    return f"{count} {'EVSE' if count == 1 else 'EVSEs'}"


def _locations(count: int) -> str:
    return f"{count} {'location' if count == 1 else 'locations'}"
