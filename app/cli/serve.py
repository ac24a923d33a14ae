"""`evse-status serve`."""

import asyncio
import gc
from typing import Final

import click
import structlog
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from app.cli.opening import settings_from_environment
from app.logs import configure
from app.main import create_app
from app.service import NotMigrated, Service
from app.serving import CannotListen, serving, stop_asked, stop_at_once_when_asked_again
from app.settings import Settings
from app.store.database import DatabaseInUse
from app.store.secrets import SecretsUnreadable

#: New objects after which Python looks for cycles among them. Under load a request makes a thousand that need no such
#: look, and the library's own figure of 700 spends a sixth of the processor on it.
_COLLECT_AFTER: Final = 50_000

log = structlog.get_logger(__name__)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def serve(host: str, port: int) -> None:
    """Run the service: the API, the clockwork and the delivery to partners.

    An embedded database (the default) is created and brought up to date, and serves one process. On PostgreSQL run
    `evse-status migrate` first, then as many of these as you like.

    SIGTERM and Ctrl-C let requests and deliveries under way come to their end, which may take as long as a partner
    that does not answer; a second one does not wait. What was accepted is kept either way.
    """
    settings = settings_from_environment()
    configure(settings.log_level)
    try:
        uvloop.run(_serve(settings, host, port))
    except (CannotListen, DatabaseInUse, NotMigrated, SecretsUnreadable, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except (SQLAlchemyError, OSError) as error:
        raise click.ClickException(f"the database cannot be used: {error}".split("\n", 1)[0]) from None


async def _serve(settings: Settings, host: str, port: int) -> None:
    stop = asyncio.create_task(stop_asked())
    service = Service(settings)
    app = create_app(service, opens=False)
    async with service.running(), serving(app, host, port, proxies=settings.proxies):
        # What is there by now stays: it is not looked through again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        log.info("serving", url=f"http://{host}:{port}", database=service.database.kind)
        received = await stop
        service.say_goodbye()
        stop_at_once_when_asked_again()
        log.info("stopping; again to stop at once, which loses nothing either", signal=received.name)
    log.info("stopped")
