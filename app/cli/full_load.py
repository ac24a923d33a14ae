"""`evse-status partners full-load`."""

import asyncio
from typing import Final

import click

from app.channels import REGISTER
from app.cli.opening import opened, runs, settings_from_environment
from app.domain.errors import NotOursToReplace
from app.domain.instant import rfc3339
from app.domain.principal import COMMAND_LINE
from app.store import full_loads, partners

_PATIENCE: Final = 60.0  #: seconds that are waited for a running service to make it
_LOOK: Final = 0.25  #: seconds


@click.command("full-load")
@click.argument("name")
@click.option("--force", is_flag=True, help="Also if it is empty, or more than a tenth smaller than the last one.")
@runs
async def full_load(name: str, force: bool) -> None:  # noqa: FBT001 - as click hands it over
    """Replace everything that a Hubject operator has there by what is shown now.

    Only for partners whose configuration says ownsAllStatuses: a full load deletes the statuses that it does not
    mention. It is made by the running service, and daily at fullLoadAt anyway.
    """
    async with opened(settings_from_environment()) as beside:
        async with beside.database.write() as connection:
            partner = await partners.find(connection, beside.secrets, name)
            channel = REGISTER.get(partner.channel)
            if channel is None or channel.daily(partner) is None:
                raise NotOursToReplace(
                    f"{name} does not have ownsAllStatuses set, as others may push statuses to it as well: a full load "
                    "would delete theirs"
                )
            if partner.paused:
                raise click.ClickException(f"{name} is paused: `evse-status partners resume {name}` first")
            at = beside.clock.now()
            await full_loads.ask(connection, partner.id, COMMAND_LINE.id, at, forced=force)
        click.echo("waiting for the running service to make it …", err=True)
        give_up = beside.clock.monotonic() + _PATIENCE
        while beside.clock.monotonic() < give_up:
            await asyncio.sleep(_LOOK)
            async with beside.database.read() as connection:
                load = await full_loads.find(connection, partner.id)
            if load is not None and load.asked_at is None:
                break
        else:
            error = None if load is None else load.last_error
            why = error or partner.last_error or "is `evse-status serve` running?"
            raise click.ClickException(f"not made yet, and it stays asked for: {why}")
    if load.last_error or load.accepted_at is None:
        raise click.ClickException(f"it was not made: {load.last_error}")
    click.echo(f"{name} has {load.accepted_count} EVSEs since {rfc3339(load.accepted_at)}, and no others of ours")
