"""`evse-status partners`."""

import json
import re
from typing import Any

import click

from app.channels import REGISTER
from app.channels.channel import accepted
from app.cli.opening import as_json, opened, print_json, print_table, runs, settings_from_environment
from app.domain.instant import rfc3339
from app.domain.partner import NAME
from app.domain.principal import COMMAND_LINE
from app.store import partners as store


@click.group()
def partners() -> None:
    """Add and list those who are told: driver apps, Hubject operators, OCPI partners."""


@partners.command(
    epilog="""\b
What each channel asks for (its page under app/channels/ says more):
  driver_app  url=https://… [secret=whsec_…]
  oicp        baseUrl=https://service.hubject.com operatorId=DE*ABC
  ocpi        url=https://…/ocpi/emsp/2.2.1/locations token=… countryCode=DE partyId=XYZ

\b
Example:
  evse-status partners add --name app --channel driver_app --set url=https://app.example.com/webhook
"""
)
@click.option("--name", required=True, help="A short name of your own: letters, digits, . _ -")
@click.option("--channel", required=True, type=click.Choice(list(REGISTER)), help="The kind of partner.")
@click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="A field of the configuration; repeatable.")
@click.option(
    "--configuration", metavar="JSON", help="The configuration as one JSON object, instead of or under --set."
)
@as_json
@runs
async def add(name: str, channel: str, pairs: tuple[str, ...], configuration: str | None, output: str) -> None:
    """Add a partner. A running service begins to tell it within a second."""
    if not re.search(NAME, name):
        raise click.UsageError("a name has 1 to 64 letters, digits, `.`, `_` or `-`, and begins with a letter or digit")
    raw = _configuration(pairs, configuration)
    good = accepted(REGISTER, channel, raw)
    async with opened(settings_from_environment()) as beside:
        new = good.as_partner(name, channel, COMMAND_LINE.id, beside.clock.now())
        async with beside.database.write() as connection:
            await store.add(connection, beside.secrets, new, COMMAND_LINE.id)
    issued = good.issued(raw)
    if output == "json":
        print_json({"name": name, "channel": channel, "configuration": good.configuration, "issued": issued})
        return
    click.echo(f"{name} is added")
    for key, value in issued.items():
        click.echo(f"{key}: {value}")
        click.echo("Keep it now: it cannot be shown again.", err=True)


@partners.command("list")
@as_json
@runs
async def list_(output: str) -> None:
    """List the partners, and how far behind each is.

    shared: EVSEs that it gets. owed: of which it is yet to be told, or told once more where an answer was lost. parked:
    those that it refuses until their status changes. Times are UTC.
    """
    rows: list[dict[str, Any]] = []
    async with opened(settings_from_environment()) as beside, beside.database.read() as connection:
        for one in await store.all_partners(connection):
            owing = await store.owing(connection, one.id)
            rows.append(
                {
                    "name": one.name,
                    "channel": one.channel,
                    "state": "paused" if one.paused else "failing" if one.failures else "good",
                    "shared": owing.shared,
                    "owed": owing.owed,
                    "parked": owing.parked,
                    "lastSuccessAt": one.last_success_at and rfc3339(one.last_success_at),
                    "lastError": one.last_error,
                }
            )
    if output == "json":
        print_json(rows)
        return
    columns = ["name", "channel", "state", "shared", "owed", "parked", "last success"]
    table = [[*list(row.values())[:6], (row["lastSuccessAt"] or "")[:19].replace("T", " ")] for row in rows]
    print_table(columns, table, nothing="no partners; add one with `partners add`")
    for row in rows:
        if row["lastError"]:
            click.echo(f"{row['name']}: {row['lastError']}")


def _configuration(pairs: tuple[str, ...], whole: str | None) -> dict[str, Any]:
    try:
        raw = json.loads(whole) if whole else {}
    except json.JSONDecodeError as error:
        raise click.UsageError(f"--configuration is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise click.UsageError("--configuration must be a JSON object")
    for pair in pairs:
        field, equals, value = pair.partition("=")
        if not equals or not field:
            raise click.UsageError(f"--set takes FIELD=VALUE, not {pair!r}")
        raw[field] = _value(value)
    return raw


def _value(text: str) -> Any:
    """Lists, objects and truth values are written as JSON; everything else is text."""
    if text in {"true", "false"} or text[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text
