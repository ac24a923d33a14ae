"""`evse-status set`."""

from datetime import datetime, timedelta
from typing import Any

import click

from app.cli.batches import UNASKED, plan_many
from app.cli.calling import at_url, calling
from app.cli.durations import Duration
from app.cli.listing import PATH
from app.cli.opening import as_json, print_json, print_table, runs
from app.cli.times import Time
from app.domain.instant import instant, rfc3339
from app.domain.status import AppliesWhen, Kind


@click.command(
    "set",
    epilog="""\b
Examples:
  evse-status set 'DE*XPO*E1001*1' MAINTENANCE --for 2h --reason "new cable"
  evse-status set --location LOC1 COMMISSIONING --dry-run        a whole location: what would that do?
  evse-status set 'DE*XPO*E1001*1' 'DE*XPO*E1002*1' RESERVED --from 2099-01-01T08:00:00Z --for 1h
""",
)
@click.argument("evses", nargs=-1, metavar="[EVSE]...")
@click.argument("status", metavar="STATUS", type=click.Choice([kind.value for kind in Kind], case_sensitive=False))
@click.option("--location", metavar="[DE/ABC/]LOC1", help="Instead of EVSEs: all at this location.")
@click.option("--operator", metavar="DE*ABC", help="Instead of EVSEs: all of this operator.")
@click.option("--for", "duration", type=Duration(), help="How long: 2h, 90m, 1d12h or PT2H.")
@click.option(
    "--from", "valid_from", type=Time(), help="When it begins, such as 2026-11-21T22:00:00+01:00.  [default: now]"
)
@click.option("--until", "valid_to", type=Time(), help="When it ends, instead of --for.  [default: when it is ended]")
@click.option("--when-idle", is_flag=True, help="Show it only while the charger is available or unknown.")
@click.option("--reason", help="For people; never sent to partners.")
@click.option("--atomic", is_flag=True, help="Of several: all or nothing.")
@click.option("--dry-run", is_flag=True, help="Say what would be shown, overlapped and refused, and change nothing.")
@click.option("--yes", is_flag=True, help=f"Do not ask, though it is more than {UNASKED}.")
@as_json
@at_url
@runs
async def set_(
    evses: tuple[str, ...],
    status: str,
    location: str | None,
    operator: str | None,
    duration: timedelta | None,
    valid_from: datetime | None,
    valid_to: datetime | None,
    reason: str | None,
    output: str,
    url: str | None,
    key: str | None,
    *,
    when_idle: bool,
    atomic: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Show EVSE as STATUS for a while: MAINTENANCE, COMMISSIONING, BLOCKED or RESERVED.

    The charger is not touched. A running service tells the partners within a second. Of several EVSEs, of a location or
    of an operator each is judged by itself, and a `batch` id ends them together again.
    """
    if duration is not None and valid_to is not None:
        raise click.UsageError("give --for or --until, not both")
    whom = _whom(evses, location, operator)
    async with calling(url, key) as api:
        if duration is not None:
            valid_to = instant((valid_from or await api.now()) + duration)
        said = {
            "temporaryStatus": status,
            "validFrom": valid_from and rfc3339(valid_from),
            "validTo": valid_to and rfc3339(valid_to),
            "appliesWhen": (AppliesWhen.IDLE if when_idle else AppliesWhen.ALWAYS).value,
            "reason": reason,
        }
        if len(evses) != 1 or dry_run:
            await plan_many(api, {**whom, **said, "atomic": atomic}, output, dry_run=dry_run, yes=yes)
            return
        done = await api.send("POST", PATH, {"evseId": evses[0], **said})
    if output == "json":
        print_json(done)
    else:
        _show(done)


def _whom(evses: tuple[str, ...], location: str | None, operator: str | None) -> dict[str, Any]:
    """Name the EVSEs as a batch does.

    Raises:
        UsageError: nobody is meant, or it is said in two ways.
    """
    if sum((bool(evses), location is not None, operator is not None)) != 1:
        raise click.UsageError("say of which EVSEs: name them, or give --location or --operator")
    if operator is not None:
        return {"operator": operator}
    if location is None:
        return {"evseIds": list(evses)}
    *party, name = location.split("/", 2)
    if len(party) == 1:
        raise click.UsageError(f"a location is LOC1, or DE/ABC/LOC1 with its party, and not {location!r}")
    return {"locationId": name} | (dict(zip(("countryCode", "partyId"), party, strict=True)) if party else {})


def _show(done: dict[str, Any]) -> None:
    until = done["validTo"] or "it is ended"
    click.echo(f"{done['id']}: {done['evseId']} {done['temporaryStatus']} from {done['validFrom']} until {until}")
    rows = [(name, one["status"] or "nothing", one["because"]) for name, one in done["shown"].items()]
    print_table(["channel", "shows now", "because"], rows, nothing="")
    for one in done["overlaps"]:
        name = "another one" if one["id"] is None else one["id"]
        click.echo(f"overlaps {name} ({one['temporaryStatus']}), which lasts until {one['validTo'] or 'it is ended'}")
