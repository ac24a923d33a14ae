"""`evse-status keys panic`."""

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli import key_words
from app.cli.opening import as_json, opened, print_json, print_table, runs, settings_from_environment
from app.domain.instant import rfc3339
from app.domain.principal import COMMAND_LINE
from app.store.panic import panic as end_everything


@click.command()
@click.argument("key_id")
@as_json
@runs
async def panic(key_id: str, output: str) -> None:
    """Revoke a key and end everything that it planned, without asking back.

    Then it lists what else the key did, to what is not its own: nothing of that is undone, people must look at it.
    Stopped half-way, do it again: it does what is left to do.
    """
    columns = (TextColumn("ending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    bar = progress.add_task("ending")
    async with opened(settings_from_environment()) as beside:
        with progress:
            done = await end_everything(
                beside.database,
                beside.writer,
                beside.clock,
                COMMAND_LINE,
                key_id,
                told=lambda ended, left: progress.update(bar, completed=ended, total=ended + left),
            )
    if output == "json":
        touched = [msgspec.to_builtins(one) | {"at": rfc3339(one.at)} for one in done.touched]
        print_json({"id": key_id, "ended": done.ended, "touched": touched})
        return
    statuses = "1 temporary status" if done.ended == 1 else f"{done.ended} temporary statuses"
    click.echo(f"{key_id} is revoked, and {statuses} ended")
    if done.touched:
        click.echo("What it did to what is not its own, the latest first. Look at it: nothing of that is undone.")
        rows = [(key_words.minute(one.at), one.action, one.subject) for one in done.touched]
        print_table(["at (UTC)", "what", "to what"], rows, nothing="")
