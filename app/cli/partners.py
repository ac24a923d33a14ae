"""`evse-status partners`."""

import re
from collections.abc import Callable
from typing import Any

import click
import msgspec

from app.channels import REGISTER
from app.channels.configuring import concerns_of
from app.cli.configuring import as_typed, show_issued, typed_in
from app.cli.opening import Opened, as_json, opened, print_json, print_table, runs, settings_from_environment
from app.domain.errors import EvseNotFound
from app.domain.evse_id import parse_evse_id
from app.domain.instant import rfc3339
from app.domain.partner import NAME, Partner, Standing
from app.domain.principal import COMMAND_LINE
from app.store import partner_reports, reading
from app.store import partners as store


@click.group()
def partners() -> None:
    """Add, list, pause and resume those who are told: driver apps, Hubject operators, OCPI partners."""


@partners.command(
    epilog="""\b
What each channel asks for (`partners fields CHANNEL` lists all of it):
  driver_app  url=https://… [secret=whsec_…]
  oicp        baseUrl=https://service.hubject.com operatorId=DE*ABC
              clientCertificate=@certificate.pem clientKey=@key.pem caBundle=@hubject.pem
  ocpi        url=https://…/ocpi/emsp/2.2.1/locations token=… countryCode=DE partyId=XYZ

\b
Example:
  evse-status partners add --name app --channel driver_app --set url=https://app.example.com/webhook
"""
)
@click.option("--name", required=True, help="A short name of your own: letters, digits, . _ -")
@click.option("--channel", required=True, type=click.Choice(list(REGISTER)), help="The kind of partner.")
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A field of the configuration; repeatable. FIELD=@FILE takes what is in a file.",
)
@click.option(
    "--configuration", metavar="JSON", help="The configuration as one JSON object, instead of or under --set."
)
@click.option("--paused", is_flag=True, help="Tell it nothing until `partners resume`.")
@as_json
@runs
async def add(
    name: str,
    channel: str,
    pairs: tuple[str, ...],
    configuration: str | None,
    paused: bool,  # noqa: FBT001 - as click hands it over
    output: str,
) -> None:
    """Add a partner. A running service begins to tell it within a second."""
    if not re.search(NAME, name):
        raise click.UsageError("a name has 1 to 64 letters, digits, `.`, `_` or `-`, and begins with a letter or digit")
    raw = typed_in(pairs, configuration)
    settings = settings_from_environment()
    good = as_typed(channel, raw, settings.longest_timeout)
    async with opened(settings) as beside:
        new = good.as_partner(name, channel, COMMAND_LINE.id, beside.clock.now())
        new = msgspec.structs.replace(new, paused=paused)
        async with beside.database.write() as connection:
            await store.add(connection, beside.secrets, new, COMMAND_LINE.id)
    issued = good.issued(raw)
    if output == "json":
        print_json({"name": name, "channel": channel, "configuration": good.configuration, "issued": issued})
        return
    click.echo(f"{name} is added")
    show_issued(issued)


@partners.command("list")
@as_json
@runs
async def list_(output: str) -> None:
    """List the partners, and how far behind each is.

    shared: EVSEs that it gets. owed: of which it is yet to be told, or told once more. unsure: where an answer was
    lost; told once more when no request can still arrive late. parked: those that it refuses until their status
    changes, or does not know yet; the latter are tried again every few hours. median, p99: from when something came
    to be shown until the partner had it. Times are UTC.

    \b
    state: good
           failing   cannot be reached or does not answer: tried again by itself, ever more rarely
           refusing  wants nothing of ours, as a key, a certificate or a contract is wrong: mend it, then `resume`;
                     tried again by itself too, every few minutes
           paused    see `partners pause`
    """  # noqa: D301 - click looks for the character itself
    rows: list[dict[str, Any]] = []
    async with opened(settings_from_environment()) as beside, beside.database.read() as connection:
        for one in await store.all_partners(connection):
            owing = await partner_reports.owing(connection, one.id)
            delays = await partner_reports.delays(connection, one.id)
            rows.append(
                {
                    "name": one.name,
                    "channel": one.channel,
                    "state": one.standing.value,
                    "shared": owing.shared,
                    "owed": owing.owed,
                    "unsure": owing.suspect,
                    "parked": owing.parked,
                    "medianMs": delays.median_ms,
                    "p99Ms": delays.p99_ms,
                    "waitingSince": owing.waiting_since and rfc3339(owing.waiting_since),
                    "lastSuccessAt": one.last_success_at and rfc3339(one.last_success_at),
                    "nextTryAt": one.hold_until and rfc3339(one.hold_until),
                    "lastError": one.last_error,
                    "concerns": concerns_of(REGISTER, one, beside.clock.now()),
                }
            )
    if output == "json":
        print_json(rows)
        return
    columns = ["name", "channel", "state", "shared", "owed", "unsure", "parked", "median", "p99", "last success"]
    table = [
        [*list(row.values())[:7], _seconds(row["medianMs"]), _seconds(row["p99Ms"]), _moment(row["lastSuccessAt"])]
        for row in rows
    ]
    print_table(
        columns,
        table,
        nothing="no partners; add one with `partners add`",
        spare=["p99", "median", "unsure", "parked", "channel"],
    )
    for row in rows:
        if row["waitingSince"]:
            click.echo(f"{row['name']} does not have what came to be shown at {_moment(row['waitingSince'])}")
        if row["lastError"]:
            again = f"; next try at {_moment(row['nextTryAt'])}" if row["nextTryAt"] else ""
            click.echo(f"{row['name']}: {row['lastError']}{again}")
        for concern in row["concerns"]:
            click.echo(f"{row['name']}: {concern}")


@partners.command()
@click.argument("name")
@runs
async def pause(name: str) -> None:
    """Tell a partner nothing until `resume`. What it is owed meanwhile it gets then, once per EVSE."""
    async with opened(settings_from_environment()) as beside:
        await _change(beside, name, lambda old: msgspec.structs.replace(old, paused=True))
    click.echo(f"{name} is paused")


@partners.command()
@click.argument("name")
@runs
async def resume(name: str) -> None:
    """Go on telling a partner that was paused, or try one that fails or refuses now."""
    async with opened(settings_from_environment()) as beside:
        old = await _change(beside, name, lambda old: msgspec.structs.replace(old.tried_now(), paused=False))
        async with beside.database.read() as connection:
            owing = await partner_reports.owing(connection, old.id)
    was = "is good already" if old.standing is Standing.GOOD else f"was {old.standing}, and is tried now"
    click.echo(f"{name} {was}; it is owed {owing.owed} of {owing.shared} EVSEs")


@partners.command()
@click.argument("name")
@click.option("--evse", "evse_id", metavar="EVSE_ID", help="Only this one.")
@runs
async def resend(name: str, evse_id: str | None) -> None:
    """Tell a partner everything again, or one EVSE, whatever it has acknowledged."""
    async with opened(settings_from_environment()) as beside:
        if evse_id is None:
            old = await _change(beside, name, Partner.told_anew)
            async with beside.database.read() as connection:
                owing = await partner_reports.owing(connection, old.id)
            click.echo(f"{name} is told all {owing.shared} EVSEs again")
            return
        async with beside.database.write() as connection:
            partner = await store.find(connection, beside.secrets, name)
            evse = await reading.evse_named(connection, parse_evse_id(evse_id))
            if not await store.resend(connection, partner, evse.id, beside.clock.now()):
                raise EvseNotFound(f"{evse.evse_id} is not shared with {name}", field="evseId")
        click.echo(f"{name} is told {evse.evse_id} again")


async def _change(beside: Opened, name: str, decide: Callable[[Partner], Partner]) -> Partner:
    """Store what `decide` makes of a partner, and return what it was."""
    before: list[Partner] = []

    def remembering(old: Partner) -> Partner:
        before.append(old)
        return decide(old)

    async with beside.database.write() as connection:
        await store.change(connection, beside.secrets, name, remembering, beside.clock.now(), COMMAND_LINE.id)
    return before[-1]


def _seconds(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def _moment(time: str | None) -> str:
    return (time or "")[:19].replace("T", " ")
