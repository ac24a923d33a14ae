"""`evse-status demo`."""

import asyncio

import click

from app.demo.story import tell


@click.command()
@click.option("--keep-running", is_flag=True, help="Leave everything up afterwards, with URLs and keys to play with.")
def demo(*, keep_running: bool) -> None:
    """Watch the product work: a service, three partners that listen and judge, and a story, in under a minute.

    Everything runs on this machine, on an embedded database in a temporary folder. The exit code is 0 only if no
    partner was ever shown anything wrong.
    """
    raise SystemExit(asyncio.run(tell(keep_running=keep_running)))
