"""`evse-status openapi`."""

import tempfile
from pathlib import Path

import click
import msgspec

from app.main import contract, create_app
from app.service import Service
from app.settings import Settings


def document() -> bytes:
    """The OpenAPI document of this version, the same bytes every time."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Settings(database_url=f"sqlite:///{Path(folder) / 'none.db'}"))
        schema = contract(create_app(service).openapi_schema.to_schema())
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"


@click.command()
def openapi() -> None:
    """Print the OpenAPI document. `make openapi` keeps openapi/openapi.json in step with it."""
    click.echo(document(), nl=False)
