"""`evse-status partners show`, `change` and `remove`."""

from typing import Any

import click
import msgspec

from app.channels import REGISTER
from app.channels.configuring import concerns_of
from app.cli.configuring import as_typed, show_issued, typed_in
from app.cli.opening import opened, print_json, runs, settings_from_environment
from app.domain.partner import Partner
from app.domain.principal import COMMAND_LINE
from app.store import partner_reports, partners


@click.command()
@click.argument("name")
@runs
async def show(name: str) -> None:
    """Show a partner as JSON: its configuration without secrets, how it stands, what it is owed."""
    async with opened(settings_from_environment()) as beside, beside.database.read() as connection:
        partner = await partners.find(connection, beside.secrets, name)
        owing = await partner_reports.owing(connection, partner.id)
        concerns = concerns_of(REGISTER, partner, beside.clock.now())
    print_json(
        {
            "name": partner.name,
            "channel": partner.channel,
            "configuration": partner.configuration,
            "secrets": sorted(partner.secrets),
            "state": partner.standing.value,
            "lastError": partner.last_error,
            "owing": msgspec.to_builtins(owing),
            "concerns": concerns,
        }
    )


@click.command(
    epilog="""\b
Examples:
  evse-status partners change hubject --set clientCertificate=@new.pem --set clientKey=@new-key.pem
  evse-status partners change hubject --set ownsAllStatuses=true --set fullLoadAt=03:30
"""
)
@click.argument("name")
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A field of the configuration that is to be different; repeatable. FIELD=@FILE takes what is in a file.",
)
@click.option("--configuration", metavar="JSON", help="Several fields as one JSON object, instead of or under --set.")
@runs
async def change(name: str, pairs: tuple[str, ...], configuration: str | None) -> None:
    """Change fields of a partner's configuration; the others stay. Everything is told again under the new one."""
    settings = settings_from_environment()
    if not (different := typed_in(pairs, configuration)):
        raise click.UsageError("say with --set what is to be different")
    issued: dict[str, Any] = {}
    async with opened(settings) as beside, beside.database.write() as connection:

        def decide(old: Partner) -> Partner:
            raw: dict[str, Any] = {**old.configuration, **old.secrets, **different}
            good = as_typed(old.channel, raw, settings.longest_timeout)
            issued.update(good.issued(raw))
            return good.reconfigured(old).told_anew().tried_now()

        await partners.change(connection, beside.secrets, name, decide, beside.clock.now(), COMMAND_LINE.id)
    click.echo(f"{name} is changed, and told everything again")
    show_issued(issued)


@click.command()
@click.argument("name")
@click.confirmation_option(prompt="It is told nothing more, not even that EVSEs are removed. Forget it?")
@runs
async def remove(name: str) -> None:
    """Forget a partner, and what it is owed."""
    async with opened(settings_from_environment()) as beside, beside.database.write() as connection:
        await partners.remove(connection, name, beside.clock.now(), COMMAND_LINE.id)
    click.echo(f"{name} is removed")
