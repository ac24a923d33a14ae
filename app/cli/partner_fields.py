"""`evse-status partners fields`."""

from typing import Any

import click

from app.channels import CONTRACTS
from app.cli.opening import as_json, print_json, print_table


@click.command()
@click.argument("channel", type=click.Choice(list(CONTRACTS)))
@as_json
def fields(channel: str, output: str) -> None:
    """List what a configuration of CHANNEL holds: the fields of `partners add --set`, and what they mean."""
    contract = CONTRACTS[channel]
    schema = contract.schemas[contract.configuration]
    if output == "json":
        print_json(schema)
        return
    rows = [
        (name, "yes" if name in schema["required"] else "", _in_words(one["description"], one))
        for name, one in schema["properties"].items()
    ]
    print_table(["field", "needed", "meaning"], rows, nothing="")


def _in_words(meaning: str, schema: dict[str, Any]) -> str:
    """What it means, with what it is where it is left out, and what it may be."""
    may_be = f" ({', '.join(schema['enum'])})" if "enum" in schema else ""
    usual = f"; usually {schema['default']}" if schema.get("default") else ""
    return f"{meaning}{may_be}{usual}"
