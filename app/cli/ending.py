"""`evse-status end`."""

from collections.abc import Sequence
from typing import Any

import click

from app.cli.batches import UNASKED, confirmed, end_batch
from app.cli.calling import Calling, at_url, calling
from app.cli.listing import PATH, everything_of, show
from app.cli.opening import as_json, print_json, runs
from app.domain.status import Kind
from app.domain.temporary_status import State


@click.command(
    epilog="""\b
Exit codes: 0 ended, or nothing was to be ended; 1 refused, no such thing, or not confirmed; 2 wrong usage.

\b
Examples:
  evse-status end 17 18
  evse-status end --evse 'DE*XPO*E1001*1'                       what is in effect there
  evse-status end --evse 'DE*XPO*E1001*1' --status RESERVED --planned --dry-run
"""
)
@click.argument("ids", nargs=-1, type=click.IntRange(1), metavar="[ID]...")
@click.option("--evse", help="Instead of ids: what is in effect on this EVSE now.")
@click.option("--batch", help="Instead of ids: all that one call planned together.")
@click.option(
    "--status",
    type=click.Choice([kind.value for kind in Kind], case_sensitive=False),
    help="With --evse: only of this kind.",
)
@click.option("--planned", is_flag=True, help="With --evse: also what has not begun.")
@click.option("--dry-run", is_flag=True, help="Show what would be ended, and end nothing.")
@click.option("--yes", is_flag=True, help=f"Do not ask, though it is more than {UNASKED}.")
@as_json
@at_url
@runs
async def end(
    ids: tuple[int, ...],
    evse: str | None,
    batch: str | None,
    status: str | None,
    output: str,
    url: str | None,
    key: str | None,
    *,
    planned: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """End temporary statuses now; what is planned never begins. The partners are told within a second."""
    if sum((bool(ids), evse is not None, batch is not None)) != 1:
        raise click.UsageError("say what to end: ids, --evse or --batch")
    if (status or planned) and evse is None:
        raise click.UsageError("--status and --planned go with --evse")
    async with calling(url, key) as api:
        if batch is not None:
            await end_batch(api, batch, output, dry_run=dry_run, yes=yes)
            return
        found = await _found(api, ids, evse, status, planned=planned)
        there = [one for one in found if one["state"] != State.ENDED]
        if not dry_run:
            confirmed(len(there), f"End {len(there)} temporary statuses?", yes=yes)
            found = await _ended(api, there, evse, status, planned=planned)
        now = await api.now()
    if output == "json":
        print_json(there if dry_run else found)
        return
    if dry_run:
        show(there, now, nothing="nothing is there to be ended")
        if there:
            click.echo("nothing was changed; as far as this key may end them, these would be ended")
        return
    if not found:
        hint = "" if evse is None or planned else "; --planned ends what has not begun"
        click.echo(f"nothing was there to be ended{hint}")
    for one in found:
        click.echo(f"{one['id']}: {one['evseId']} {one['temporaryStatus']} is ended")


async def _found(
    api: Calling, ids: Sequence[int], evse: str | None, status: str | None, *, planned: bool
) -> list[dict[str, Any]]:
    if evse is None:
        return [await api.get(f"{PATH}/{one}") for one in dict.fromkeys(ids)]
    states = (State.ACTIVE, State.PLANNED) if planned else (State.ACTIVE,)
    found: list[dict[str, Any]] = []
    for state in states:
        found += await everything_of(api, {"evseId": evse, "temporaryStatus": status, "state": state.value})
    return found


async def _ended(
    api: Calling,
    there: Sequence[dict[str, Any]],
    evse: str | None,
    status: str | None,
    *,
    planned: bool,
) -> list[dict[str, Any]]:
    """End them, and return what was ended as it is now."""
    if evse is not None:
        query = {"evseId": evse, "temporaryStatus": status, "includePlanned": "true" if planned else None}
        ended: list[dict[str, Any]] = await api.send("DELETE", PATH, params=query)
        return ended
    for one in there:
        await api.send("DELETE", f"{PATH}/{one['id']}")
    return [await api.get(f"{PATH}/{one['id']}") for one in there]
