"""`evse-status keys`."""

import click
import msgspec

from app.cli.opening import as_json, opened, print_json, print_table, runs, settings_from_environment
from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.instant import rfc3339
from app.domain.principal import COMMAND_LINE, Role
from app.store import keys as store


@click.group()
def keys() -> None:
    """Make, list and revoke API keys. A key made here is good at once, also beside a running service."""


@keys.command()
@click.option("--name", required=True, help="Who will use it, such as `parking sensors north`.")
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="admin: everything. client: plans temporary statuses and changes its own. reader: looks.",
)
@as_json
@runs
async def create(name: str, role: str, output: str) -> None:
    """Make a key. It is shown now and never again; only its digest is stored."""
    if not 1 <= len(name) <= 100 or not name.isprintable():  # noqa: PLR2004
        raise click.UsageError("a name has 1 to 100 printable characters")
    key_id, key = new_key()
    async with opened(settings_from_environment()) as beside:
        stored = ApiKey(
            id=key_id,
            name=name,
            role=Role(role),
            digest=digest_of(key),
            created_by=COMMAND_LINE.id,
            created_at=beside.clock.now(),
        )
        async with beside.database.write() as connection:
            await store.add(connection, stored)
    if output == "json":
        print_json({"id": key_id, "name": name, "role": role, "key": key})
    else:
        click.echo(key)
        click.echo("Keep it now: it cannot be shown again. Send it as `Authorization: Bearer <key>`.", err=True)


@keys.command("list")
@as_json
@runs
async def list_(output: str) -> None:
    """List the keys, without the keys themselves."""
    async with opened(settings_from_environment()) as beside, beside.database.read() as connection:
        found = await store.all_keys(connection)
    if output == "json":
        shown = [{k: v for k, v in msgspec.to_builtins(one).items() if k != "digest"} for one in found]
        print_json(shown)
        return
    rows = [
        (one.id, one.name, one.role, rfc3339(one.created_at), "revoked" if one.revoked_at else "good") for one in found
    ]
    print_table(["id", "name", "role", "created", "state"], rows, nothing="no keys; make one with `keys create`")


@keys.command()
@click.argument("key_id")
@runs
async def revoke(key_id: str) -> None:
    """Make the key with this id good for nothing, at once."""
    async with opened(settings_from_environment()) as beside, beside.database.write() as connection:
        await store.revoke(connection, key_id, beside.clock.now(), COMMAND_LINE.id)
    click.echo(f"{key_id} is revoked")
