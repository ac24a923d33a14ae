"""`evse-status keys`: make, change, rotate and revoke."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click
import msgspec

from app.api.key_shapes import issued_view, key_view
from app.cli import key_words
from app.cli.durations import Duration
from app.cli.key_options import AskedRights, Expiry, expiry, rights_options
from app.cli.opening import as_json, opened, print_json, runs, settings_from_environment
from app.domain.errors import MalformedValue
from app.domain.evse_id import operator_name
from app.domain.presets import Preset
from app.domain.principal import COMMAND_LINE, Role
from app.store import issuing
from app.store.key_scopes import evse_names, without_evses

_EXPIRES = "When it expires: 90d, a time, or never."
_OVERLAP = timedelta(days=1)


@click.group()
def keys() -> None:
    """Make, list, change, rotate and revoke API keys. It counts at once, also beside a running service."""


@keys.command(
    epilog="""\b
Presets (what is said beside them comes instead):
  sensor      BLOCKED, as a lease of at most 12h that is renewed; sees nothing
  booking     RESERVED, at most 24h, within 90d, 200 at once; sees its own
  technician  MAINTENANCE and COMMISSIONING, at most 12h, 10 at once
  operations  everybody's, without limits
  compatible  for programs written for another platform: all kinds, open ends, 5000 at once

\b
Examples:
  evse-status keys create --name "bays north" --preset sensor --site DE/ABC/LOC1 --network 192.0.2.0/24
  evse-status keys create --name bookings --preset booking --operator 'DE*ABC'
  evse-status keys create --name backend --role admin
"""
)
@click.option("--name", required=True, help="Who will use it, such as `parking sensors north`.")
@click.option("--preset", type=click.Choice([one.value for one in Preset]), help="What it is for; see below.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    help="Instead of a preset. admin: everything. operations: all temporary statuses. technician: its own and every "
    "MAINTENANCE. client: its own. ingest: BLOCKED only, sees nothing. reader: looks.",
)
@click.option("--expires", type=Expiry(), help=f"{_EXPIRES}  [default: 365d, an admin's never]")
@rights_options
@as_json
@runs
async def create(
    name: str,
    preset: str | None,
    role: str | None,
    expires: datetime | timedelta | str | None,
    output: str,
    **asked: Any,
) -> None:
    """Make a key. It is shown now and never again; only its digest is stored."""
    of: list[Preset | Role] = [*([] if preset is None else [Preset(preset)]), *([] if role is None else [Role(role)])]
    if len(of) != 1:
        raise click.UsageError("say what the key is for, with --preset or with --role, and not with both")
    async with opened(settings_from_environment()) as beside, beside.database.write() as connection:
        at = beside.clock.now()
        try:
            wanted = await AskedRights(**asked).wanted(connection)
            issued = await issuing.create(
                connection, COMMAND_LINE, at, name=name, of=of[0], wanted=wanted, expires_at=expiry(expires, at)
            )
        except MalformedValue as error:
            if error.field == "rights.scope":
                raise click.UsageError("say for which EVSEs: --operator, --site or --evse, or --everywhere") from None
            raise
        names = await evse_names(connection, issued.stored.rights.scope.evses)
        missing = await without_evses(connection, issued.stored.rights.scope.operators)
    _show(issued, at, names, output)
    if missing:
        named = ", ".join(operator_name(one) for one in missing)
        click.echo(f"Note: no EVSE of {named} is registered yet, so there is nothing that it is good for.", err=True)


@keys.command()
@click.argument("key_id")
@click.option("--name", help="Who uses it.")
@click.option("--expires", type=Expiry(), help=_EXPIRES)
@rights_options
@as_json
@runs
async def change(
    key_id: str, name: str | None, expires: datetime | timedelta | str | None, output: str, **asked: Any
) -> None:
    """Change what a key is good for; what is left out stays. --operator, --site and --evse are a new scope together."""
    rights = AskedRights(**asked)
    if name is None and expires is None and rights.is_silent:
        raise click.UsageError("say what is to be different")
    async with opened(settings_from_environment()) as beside, beside.database.write() as connection:
        at = beside.clock.now()
        changed = await issuing.change(
            connection,
            COMMAND_LINE,
            key_id,
            at,
            name=msgspec.UNSET if name is None else name,
            wanted=await rights.wanted(connection),
            expires_at=expiry(expires, at),
        )
        names = await evse_names(connection, changed.rights.scope.evses)
    if output == "json":
        print_json(msgspec.to_builtins(key_view(changed, at, names)))
        return
    click.echo(f"{key_id} is changed")
    _say([("state", key_words.state(changed, at)), *key_words.described(changed, names)], err=False)


@keys.command()
@click.argument("key_id")
@click.option(
    "--overlap",
    type=Duration(),
    help="How long the old secret stays good, at most 90d.  [default: 1d]",
)
@click.option("--at-once", is_flag=True, help="The old secret is good for nothing from now on.")
@as_json
@runs
async def rotate(key_id: str, overlap: timedelta | None, output: str, *, at_once: bool) -> None:
    """Give a key another secret, shown now and never again. Its id, its rights and what it planned stay."""
    if at_once and overlap is not None:
        raise click.UsageError("give --overlap or --at-once")
    overlap = timedelta() if at_once else overlap or _OVERLAP
    async with opened(settings_from_environment()) as beside, beside.database.write() as connection:
        at = beside.clock.now()
        issued = await issuing.rotate(connection, COMMAND_LINE, key_id, at, overlap)
        names = await evse_names(connection, issued.stored.rights.scope.evses)
    _show(issued, at, names, output)


@keys.command()
@click.argument("key_id")
@runs
async def revoke(key_id: str) -> None:
    """Make the key with this id good for nothing, at once. What it planned goes on: to end that too, `keys panic`."""
    async with opened(settings_from_environment()) as beside, beside.database.write() as connection:
        await issuing.revoke(connection, COMMAND_LINE, key_id, beside.clock.now())
    click.echo(f"{key_id} is revoked")


def _show(issued: issuing.Issued, at: datetime, names: dict[int, str], output: str) -> None:
    """Show a new key: alone on standard output, so that it can be put into a variable."""
    if output == "json":
        print_json(msgspec.to_builtins(issued_view(issued.stored, issued.key, at, names)))
        return
    click.echo(issued.key)
    click.echo("Keep it now: it cannot be shown again. Send it as `Authorization: Bearer <key>`.", err=True)
    lines = [
        ("id", issued.stored.id),
        ("role", issued.stored.role.value),
        ("state", key_words.state(issued.stored, at)),
    ]
    _say([*lines, *key_words.described(issued.stored, names)], err=True)


def _say(lines: Sequence[tuple[str, str]], *, err: bool) -> None:
    for word, text in lines:
        click.echo(f"  {word:<11} {text}", err=err)
