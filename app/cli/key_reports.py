"""`evse-status keys list` and `show`."""

import click
import msgspec

from app.api.key_shapes import key_view
from app.cli import key_words
from app.cli.opening import as_json, opened, print_json, print_table, runs, settings_from_environment
from app.domain.api_key import no_such_key
from app.store import keys as store
from app.store.key_scopes import evse_names


@click.command("list")
@as_json
@runs
async def list_(output: str) -> None:
    """List the keys, without the keys themselves. Times are UTC."""
    async with opened(settings_from_environment()) as beside, beside.database.read() as connection:
        found = await store.all_keys(connection)
        names = await evse_names(connection, {evse for one in found for evse in one.rights.scope.evses})
        at = beside.clock.now()
    if output == "json":
        print_json([msgspec.to_builtins(key_view(one, at, names)) for one in found])
        return
    rows = [(one.id, one.name, one.role.value, key_words.state(one, at), key_words.last_use(one)) for one in found]
    print_table(["id", "name", "role", "state", "last used"], rows, nothing="no keys; make one with `keys create`")


@click.command()
@click.argument("key_id")
@as_json
@runs
async def show(key_id: str, output: str) -> None:
    """Show a key: what it is good for, who made it, and when and from where it was last used. Times are UTC."""
    async with opened(settings_from_environment()) as beside, beside.database.read() as connection:
        if (found := await store.find(connection, key_id)) is None:
            raise no_such_key(key_id)
        names = await evse_names(connection, found.rights.scope.evses)
        at = beside.clock.now()
    if output == "json":
        print_json(msgspec.to_builtins(key_view(found, at, names)))
        return
    click.echo(f"{found.id}: {found.name}")
    lines = [("role", found.role.value), ("state", key_words.state(found, at))]
    for word, text in [*lines, *key_words.described(found, names), *key_words.history(found, at)]:
        click.echo(f"  {word:<11} {text}")
