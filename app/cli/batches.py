"""One temporary status for many EVSEs, and its end, from the command line."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import click

from app.cli.calling import Calling, Refused
from app.cli.listing import PATH
from app.cli.opening import print_json, print_table

#: More than that are planned or ended only if somebody says yes.
UNASKED: Final = 10
_PLANNED: Final = 201
_NOT_DONE: Final = 424


async def plan_many(api: Calling, asked: Mapping[str, Any], output: str, *, dry_run: bool, yes: bool) -> None:
    """Plan what is `asked` of many, after a yes where they are many; or say what that would come to."""
    rehearsed = await _sent(api, {**asked, "dryRun": True})
    if dry_run:
        _show_rehearsal(rehearsed, output)
        return
    confirmed(rehearsed["planned"], f"Say {asked['temporaryStatus']} of {rehearsed['planned']} EVSEs?", yes=yes)
    done = await _sent(api, asked)
    if output == "json":
        print_json(done)
    else:
        _show_done(done)
    if done["refused"]:
        raise SystemExit(1)


async def end_batch(api: Calling, batch: str, output: str, *, dry_run: bool, yes: bool) -> None:
    """End what is left of a batch; or say what that is."""
    path = f"{PATH}/batch/{quote(batch, safe='')}"
    said = await api.send("DELETE", path, params={"dryRun": "true"})
    if not dry_run:
        confirmed(said["ended"], f"End {said['ended']} temporary statuses?", yes=yes)
        said = await api.send("DELETE", path)
    if output == "json":
        print_json(said)
        return
    rows = [(one["id"], one["evseId"] or one["uid"], one["was"]) for one in said["items"]]
    if dry_run:
        print_table(["id", "EVSE", "state"], rows, nothing="nothing is there to be ended")
    click.echo(f"{said['ended']} {'would be' if dry_run else 'are'} ended, {said['over']} were over already")


def confirmed(count: int, question: str, *, yes: bool) -> None:
    """Ask, where it is many.

    Raises:
        Abort: they said no, or nobody is there to ask.
    """
    if count > UNASKED and not yes:
        click.confirm(question, abort=True, err=True)


async def _sent(api: Calling, asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        said: dict[str, Any] = await api.send("POST", f"{PATH}/batch", asked)
    except Refused as refused:
        _complain(refused.problem.get("items", []))
        raise
    return said


def _complain(items: Sequence[Mapping[str, Any]]) -> None:
    """Name those that were refused, and why; what was only left undone for others' sake has nothing wrong with it."""
    for one in items:
        if one["status"] not in {_PLANNED, _NOT_DONE}:
            click.echo(f"{one['evseId'] or one['uid']}: {one['detail']}", err=True)


def _show_rehearsal(said: Mapping[str, Any], output: str) -> None:
    if output == "json":
        print_json(said)
        return
    rows = [
        (
            one["evseId"] or one["uid"],
            " / ".join(shown["status"] or "nothing" for shown in one["shown"].values()) if "shown" in one else "",
            f"overlaps {one['overlapping']}" if one.get("overlapping") else one["detail"],
        )
        for one in said["items"]
    ]
    print_table(["EVSE", "would be shown as", "note"], rows, nothing="there are no EVSEs")
    click.echo(f"{said['planned']} would be planned, {said['refused']} refused; nothing was changed")


def _show_done(done: Mapping[str, Any]) -> None:
    _complain(done["items"])
    click.echo(f"{done['planned']} planned, {done['refused']} refused")
    if done["batchId"] is not None:
        click.echo(f"to end them together: evse-status end --batch {done['batchId']}")
