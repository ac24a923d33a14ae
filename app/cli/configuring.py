"""A partner's configuration as it is typed in on a command line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from app.channels import REGISTER
from app.channels.channel import Accepted
from app.channels.configuring import accepted
from app.domain.errors import InvalidPartner

LARGEST_FILE: Final = 64 * 1024  #: bytes of a file that a field is read from
_NUMBER_EXPECTED: Final = ("Expected `int", "Expected `float")


def as_typed(channel: str, raw: dict[str, Any], longest: float) -> Accepted:
    """Have the channel check it, with a number where it wants one and what was typed is one.

    Raises:
        InvalidPartner: it does not fit, with the field at fault.
    """
    while True:
        try:
            return accepted(REGISTER, channel, raw, longest)
        except InvalidPartner as error:
            field = (error.field or "").removeprefix("configuration.")
            number = _number(raw.get(field)) if str(error).startswith(_NUMBER_EXPECTED) else None
            if number is None:
                raise
            raw = {**raw, field: number}


def _number(typed: Any) -> float | None:
    try:
        value = json.loads(typed) if isinstance(typed, str) else None
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def typed_in(pairs: Sequence[str], whole: str | None) -> dict[str, Any]:
    """Put a configuration together from `FIELD=VALUE` pairs, over a whole one in JSON.

    Raises:
        UsageError: one of them cannot be read.
    """
    try:
        raw = json.loads(whole) if whole else {}
    except json.JSONDecodeError as error:
        raise click.UsageError(f"--configuration is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise click.UsageError("--configuration must be a JSON object")
    for pair in pairs:
        field, equals, value = pair.partition("=")
        if not equals or not field:
            raise click.UsageError(f"--set takes FIELD=VALUE, not {pair!r}")
        raw[field] = _content(field, value[1:]) if value.startswith("@") else _value(value)
    return raw


def _content(field: str, path: str) -> str:
    """Read a value, such as a key, that should stand neither on a screen nor in a shell's history.

    Its line breaks stay, but for those at the end, which editors add to passwords too.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name cannot be one"
        raise click.UsageError(f"--set {field}=@{path}: the file cannot be read: {why}") from None
    if len(content) > LARGEST_FILE:
        raise click.UsageError(f"--set {field}=@{path}: the file is larger than {LARGEST_FILE} bytes")
    try:
        return content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.UsageError(f"--set {field}=@{path}: the file is not text; certificates and keys are PEM") from None


def show_issued(issued: Mapping[str, Any]) -> None:
    """Print the secrets that were made for a partner, once."""
    for field, secret in issued.items():
        click.echo(f"{field}: {secret}")
        click.echo("Keep it now: it cannot be shown again.", err=True)


def _value(text: str) -> Any:
    """Lists, objects and truth values are written as JSON; everything else is text."""
    if text in {"true", "false"} or text[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text
