"""`evse-status migrate`."""

import click

from app.cli.opening import runs, settings_from_environment
from app.store import migrating
from app.store.database import Database


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if the database is not up to date.")
@runs
async def migrate(*, check: bool) -> None:
    """Bring the database to the schema that this version expects, all of it or nothing."""
    settings = settings_from_environment()
    database = Database(settings.database_url, transaction_pooling=settings.transaction_pooling)
    try:
        current = await migrating.current(database)
        newest = migrating.newest()
        if current == newest:
            click.echo(f"up to date, at revision {newest}")
        elif check:
            raise click.ClickException(f"the database is at revision {current}, this version needs {newest}")
        else:
            await migrating.upgrade(database)
            click.echo(f"migrated from revision {current or 'nothing'} to {newest}")
    finally:
        await database.close()
