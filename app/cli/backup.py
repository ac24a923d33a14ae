"""`evse-status backup`."""

from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from app.cli.opening import as_json, print_json, settings_from_environment
from app.cli.progress import bar
from app.cli.whole_files import refuse_existing, whole
from app.settings import PREFIX, Settings
from app.store.backing_up import Copied, NotWhole, copy
from app.store.database import EmbeddedLock

_KEY: Final = ".key"


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over an earlier backup.")
@click.option("--without-key", is_flag=True, help="Leave out the key to the partners' secrets; keep it elsewhere.")
@as_json
def backup(path: Path, output: str, *, force: bool, without_key: bool) -> None:
    """Copy the embedded database to PATH as it is at this instant, also while a service runs on it, and check the copy.

    The key to the partners' secrets goes to PATH.key: without it they are lost, and whoever has both can read them.
    Under PATH there is a whole and checked backup or none. To restore it, stop the service and put both in place.
    """
    settings = settings_from_environment()
    source = settings.database_file
    if source is None:
        raise click.ClickException(
            f"this is for an embedded database. Back up PostgreSQL with pg_dump, and keep {PREFIX}SECRET_KEY: "
            "without it the partners' secrets are lost"
        )
    key = None if without_key else _key_of(settings, source)
    key_path = path.with_name(path.name + _KEY)
    _refuse_in_use(source, path)
    if key is not None:
        refuse_existing(key_path, replace=force)
    try:
        with ExitStack() as files:
            # The other way round they take their names: where there is a backup, there is its key.
            draft = files.enter_context(whole(path, replace=force))
            key_draft = None if key is None else files.enter_context(whole(key_path, replace=force))
            with bar("copying") as progress:
                task = progress.add_task("copying", total=None)
                done = copy(source, draft, lambda pages, of: progress.update(task, completed=pages, total=of))
            if key is not None and key_draft is not None:
                key_draft.write_bytes(key.read_bytes())
    except (NotWhole, OSError) as error:
        raise click.ClickException(f"{error}; there is no new backup") from None
    _report(path, None if key is None else key_path, done, settings, output)


def _key_of(settings: Settings, source: Path) -> Path | None:
    """The file with the key; none where the settings hold it, or where no secret was ever stored."""
    beside = source.with_name(source.name + _KEY)
    return beside if settings.secret_key is None and beside.exists() else None


def _refuse_in_use(source: Path, path: Path) -> None:
    """Never write over a database that something else goes on with.

    Raises:
        ClickException: `path` is one.
    """
    if path.exists() and source.exists() and path.samefile(source):
        raise click.ClickException(f"{path} is the database itself")
    if EmbeddedLock(path).is_held or path.with_name(path.name + "-wal").exists():
        raise click.ClickException(f"{path} is in use as a database")


def _report(path: Path, key: Path | None, done: Copied, settings: Settings, output: str) -> None:
    if output == "json":
        print_json(
            {
                "backup": str(path),
                "key": None if key is None else str(key),
                "bytes": done.size,
                "revision": done.revision,
                "rows": done.rows,
            }
        )
        return
    rows = done.rows
    held = f"{rows.get('evse', 0)} EVSEs and {rows.get('temporary_status', 0)} temporary statuses"
    click.echo(f"{path}: {held}, {done.size} bytes at revision {done.revision}, checked")
    if key is not None:
        click.echo(f"{key}: the key to the partners' secrets; whoever has both files can read them")
    elif settings.secret_key is not None:
        click.echo(f"keep {PREFIX}SECRET_KEY as well: without it the partners' secrets are lost")
    elif rows.get("partner"):
        click.echo("without its key the partners' secrets are lost: keep that as well", err=True)
