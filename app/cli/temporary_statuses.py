"""`evse-status set`."""

from datetime import datetime, timedelta
from typing import Any

import click

from app.api.explaining import presentation_of, shown
from app.channels import REGISTER
from app.cli.durations import Duration
from app.cli.opening import as_json, opened, print_json, print_table, runs, settings_from_environment
from app.domain.errors import DomainError
from app.domain.evse_id import parse_evse_id
from app.domain.instant import instant, parse_instant, rfc3339
from app.domain.principal import COMMAND_LINE
from app.domain.status import AppliesWhen, Kind
from app.store.commands.temporary_statuses import Plan, Wish, Written


class Time(click.ParamType[datetime]):
    """RFC 3339 with an offset."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return parse_instant(value)
        except DomainError as error:
            self.fail(str(error), param, ctx)


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
@runs
async def set_(
    evse: str,
    status: str,
    duration: timedelta | None,
    valid_from: datetime | None,
    valid_to: datetime | None,
    reason: str | None,
    output: str,
    *,
    when_idle: bool,
) -> None:
    """Show EVSE as STATUS for a while: MAINTENANCE, COMMISSIONING, BLOCKED or RESERVED.

    The charger is not touched. A running service tells the partners within a second.
    """
    if duration is not None and valid_to is not None:
        raise click.UsageError("give --for or --until, not both")
    settings = settings_from_environment()
    async with opened(settings) as beside:
        if duration is not None:
            valid_to = instant((valid_from or beside.clock.now()) + duration)
        wish = Wish(
            evse_id=parse_evse_id(evse),
            kind=Kind(status),
            valid_from=valid_from,
            valid_to=valid_to,
            applies_when=AppliesWhen.IDLE if when_idle else AppliesWhen.ALWAYS,
            reason=reason,
        )
        done = await beside.writer.run(Plan(COMMAND_LINE, wish))
    channels = _shown(done, settings.actual_status_max_age)
    one = done.one
    if output == "json":
        print_json(
            {
                "id": one.id,
                "evseId": done.evse.evse_id,
                "temporaryStatus": one.kind.value,
                "validFrom": rfc3339(one.interval.begin),
                "validTo": one.interval.end and rfc3339(one.interval.end),
                "state": one.state(done.at).value,
                "shown": channels,
            }
        )
        return
    end = rfc3339(one.interval.end) if one.interval.end else "it is ended"
    click.echo(f"{one.id}: {done.evse.evse_id} {one.kind} from {rfc3339(one.interval.begin)} until {end}")
    rows = [(name, what["status"] or "nothing", what["because"]) for name, what in channels.items()]
    print_table(["channel", "shows now", "because"], rows, nothing="")


def _shown(done: Written, max_age: timedelta | None) -> dict[str, Any]:
    presentation = presentation_of(done.evse, done.live, done.at, max_age)
    return {
        name: {"status": one.status, "because": one.because}
        for name, one in shown(done.evse, presentation, done.live, REGISTER).items()
    }
