"""`evse-status set`."""

from datetime import datetime, timedelta

import click

from app.cli.calling import at_url, calling
from app.cli.durations import Duration
from app.cli.listing import PATH
from app.cli.opening import as_json, print_json, print_table, runs
from app.cli.times import Time
from app.domain.instant import instant, rfc3339
from app.domain.status import AppliesWhen, Kind


@click.command("set")
@click.argument("evse")
@click.argument("status", metavar="STATUS", type=click.Choice([kind.value for kind in Kind], case_sensitive=False))
@click.option("--for", "duration", type=Duration(), help="How long: 2h, 90m, 1d12h or PT2H.")
@click.option(
    "--from", "valid_from", type=Time(), help="When it begins, such as 2026-11-21T22:00:00+01:00.  [default: now]"
)
@click.option("--until", "valid_to", type=Time(), help="When it ends, instead of --for.  [default: when it is ended]")
@click.option("--when-idle", is_flag=True, help="Show it only while the charger is available or unknown.")
@click.option("--reason", help="For people; never sent to partners.")
@as_json
@at_url
@runs
async def set_(
    evse: str,
    status: str,
    duration: timedelta | None,
    valid_from: datetime | None,
    valid_to: datetime | None,
    reason: str | None,
    output: str,
    url: str | None,
    key: str | None,
    *,
    when_idle: bool,
) -> None:
    """Show EVSE as STATUS for a while: MAINTENANCE, COMMISSIONING, BLOCKED or RESERVED.

    The charger is not touched. A running service tells the partners within a second.
    """
    if duration is not None and valid_to is not None:
        raise click.UsageError("give --for or --until, not both")
    async with calling(url, key) as api:
        if duration is not None:
            valid_to = instant((valid_from or await api.now()) + duration)
        wish = {
            "evseId": evse,
            "temporaryStatus": status,
            "validFrom": valid_from and rfc3339(valid_from),
            "validTo": valid_to and rfc3339(valid_to),
            "appliesWhen": (AppliesWhen.IDLE if when_idle else AppliesWhen.ALWAYS).value,
            "reason": reason,
        }
        done = await api.send("POST", PATH, wish)
    if output == "json":
        print_json(done)
        return
    until = done["validTo"] or "it is ended"
    click.echo(f"{done['id']}: {done['evseId']} {done['temporaryStatus']} from {done['validFrom']} until {until}")
    rows = [(name, one["status"] or "nothing", one["because"]) for name, one in done["shown"].items()]
    print_table(["channel", "shows now", "because"], rows, nothing="")
    for one in done["overlaps"]:
        name = "another one" if one["id"] is None else one["id"]
        click.echo(f"overlaps {name} ({one['temporaryStatus']}), which lasts until {one['validTo'] or 'it is ended'}")
