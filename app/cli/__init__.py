"""The command `evse-status`."""

import sys
from typing import Final

import click

from app import VERSION
from app.cli.backup import backup
from app.cli.brakes import brakes
from app.cli.changing import change, remove, show
from app.cli.demo import demo
from app.cli.doctor import doctor
from app.cli.ending import end
from app.cli.evses import evses
from app.cli.explain import explain
from app.cli.exporting import export
from app.cli.full_load import full_load
from app.cli.importing import import_
from app.cli.key_reports import list_ as list_keys
from app.cli.key_reports import show as show_key
from app.cli.keys import keys
from app.cli.listing import list_
from app.cli.migrate import migrate
from app.cli.openapi import openapi
from app.cli.panic import panic
from app.cli.partner_fields import fields
from app.cli.partners import partners
from app.cli.serve import serve
from app.cli.temporary_statuses import set_
from app.logs import configure

_EPILOG = """\b
Exit codes: 0 done, 1 refused or failed (the reason is on standard error), 2 wrong usage.

\b
Settings come from the environment: EVSE_STATUS_DATABASE_URL (default sqlite:///evse-status.db),
EVSE_STATUS_SECRET_KEY and more; docs/settings.md lists them all.

\b
Start here:
  evse-status demo                                          watch it work
  evse-status serve                                         run it
  evse-status keys create --name backend --role admin       make a key to call it with
  evse-status doctor                                        what is wrong here, and what to do
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="evse-status")
def group() -> None:
    """Show an EVSE as under maintenance, being commissioned, blocked or reserved for a while.

    To drivers and roaming partners, without touching the charger.
    """


_COMMANDS: Final = (
    *(serve, demo, migrate, doctor, backup, openapi),
    *(set_, list_, end, explain, export, import_),
    *(keys, brakes, evses, partners),
)

for command in _COMMANDS:
    group.add_command(command)
for command in (show, change, remove, fields, full_load):
    partners.add_command(command)
for command in (list_keys, show_key, panic):
    keys.add_command(command)


def main() -> None:
    """Run the command line."""
    configure("WARNING")
    sys.exit(group())
