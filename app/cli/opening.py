"""What the commands share: the settings, the database beside a running service, and how to say no."""

import asyncio
import functools
import json
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec

import click
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.cli.tables import print_table as print_table  # noqa: PLC0414 - the commands take it from here
from app.clock import SystemClock
from app.domain.errors import DomainError
from app.service import NotMigrated, secrets_for
from app.settings import PREFIX, Settings
from app.store import migrating
from app.store.database import Database, DatabaseInUse, EmbeddedLock
from app.store.secrets import Secrets, SecretsUnreadable
from app.store.writer import Writer

P = ParamSpec("P")
#: Of the environment: the settings, and where the command line calls (`cli/calling.py`).
_KNOWN = {*Settings.model_fields, "url", "key"}

as_json = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)


def settings_from_environment() -> Settings:
    """Read the settings.

    Raises:
        ClickException: one is wrong; the message names its variable.
    """
    unknown = [name for name in os.environ if name.startswith(PREFIX) and name[len(PREFIX) :].lower() not in _KNOWN]
    if unknown:
        raise click.ClickException(f"no such setting: {', '.join(sorted(unknown))}; docs/settings.md lists them")
    try:
        return Settings()
    except ValidationError as error:
        raise click.ClickException("\n".join(_explained(one) for one in error.errors())) from None


def _explained(error: Any) -> str:
    words: str = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return words
    if error["type"] == "time_delta_parsing":
        words = "write an ISO 8601 duration, such as PT90S or P7D"
    elif error["type"] == "string_pattern_mismatch":
        words = f"one of {error['ctx']['pattern'].strip('^()$').replace('|', ', ')}"
    return f"{PREFIX}{'_'.join(str(part) for part in error['loc']).upper()}: {words}"


class Opened:
    """The database, with a writer and a clock, beside a service that may be running on it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.database = Database(
            settings.database_url, transaction_pooling=settings.transaction_pooling, stall=settings.stall
        )
        self.writer = Writer(self.database, self.clock, brake=settings.brake)

    @property
    def secrets(self) -> Secrets:
        return secrets_for(self.settings)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Opened]:
    """Open the database, an embedded one brought up to date first."""
    beside = Opened(settings)
    try:
        if beside.database.path is not None:
            await _bring_up_to_date(beside.database, beside.database.path)
        elif (current := await migrating.current(beside.database)) != migrating.newest():
            raise NotMigrated(f"the database is at revision {current}: run `evse-status migrate`")
        asked = beside.clock.monotonic()
        if (now := await beside.database.now()) is not None:
            beside.clock.follow(now, beside.clock.monotonic() - asked)
        await beside.writer.start()
        try:
            yield beside
        finally:
            await beside.writer.stop()
    finally:
        await beside.database.close()


async def _bring_up_to_date(database: Database, path: Path) -> None:
    """Upgrade an embedded database, unless a service is running on it: that would be of another version.

    Raises:
        NotMigrated: one is.
    """
    current = await migrating.current(database) if EmbeddedLock(path).is_held else migrating.newest()
    if current != migrating.newest():
        raise NotMigrated(
            f"the database is at revision {current}, this version needs {migrating.newest()}, and a service of another "
            "version runs on it: stop that one first"
        )
    await migrating.upgrade(database)


def runs(command: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async command, and turn what it refuses into a message and exit code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            asyncio.run(command(*args, **kwargs))
        except DomainError as error:
            configured = (error.field or "").partition("configuration.")[2]
            raise click.ClickException(f"{configured}: {error}" if configured else str(error)) from None
        except (NotMigrated, DatabaseInUse, SecretsUnreadable, ValueError) as error:
            raise click.ClickException(str(error)) from None
        except BrokenPipeError:
            raise  # whoever read what we print has seen enough; click knows what to do
        except (SQLAlchemyError, OSError) as error:
            raise click.ClickException(f"the database cannot be used: {error}".split("\n", 1)[0]) from None

    return run


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
