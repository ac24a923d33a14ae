"""Which field is at fault: JSON pointers (RFC 6901) into the body, and the names of the URL's parameters."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import ValidationException
from litestar.params import ParameterKwarg

from app.domain.status import AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import State

_NAMED: Final = re.compile(r"Object (?:missing required|contains unknown) field `(.*)`(?:; one of .*)?", re.DOTALL)
_BODY: Final = re.compile(r" - at `\$\.data([^`]*)`\Z")
_PARTS: Final = re.compile(r"[^.\[\]]+")
_MISSING: Final = re.compile(r"Missing required query parameter '(\w+)'")


class FieldProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field: a JSON pointer into the body (RFC 6901), a parameter of the URL, or a header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None


#: The words that a field can take.
WORDS: Final[Mapping[str, type[StrEnum]]] = {
    "temporaryStatus": Kind,
    "deploymentState": DeploymentState,
    "appliesWhen": AppliesWhen,
    "state": State,
}


def pointer_to(field: str, message: str = "") -> str:
    """Point to a field that is written as `configuration.operators[0]`, or to what `message` says is in or not in it.

    The keys of a partner's `mapping` have dots of their own, so what follows it is one key.
    """
    path, found, key = field.partition(".mapping.")
    parts = _PARTS.findall(path)
    if found:
        parts += ["mapping", key]
    if named := _NAMED.fullmatch(message):
        parts.append(named[1])
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def fields_at_fault(request: Request[Any, Any, Any], error: ValidationException) -> list[FieldProblem]:
    """Turn what the framework found into pointers; the whole path is only in the decoder's own words."""
    if not isinstance(error.extra, list):
        missing = _MISSING.match(error.detail)
        return [FieldProblem(f"{missing[1]} is needed", parameter=missing[1])] if missing else []
    cause = str(error.__cause__)
    path = _BODY.search(cause)
    found = []
    for one in error.extra:
        message, key, source = one.get("message", ""), one.get("key", ""), one.get("source")
        if source in ("body", None):
            if path:
                message = cause[: path.start()]  # whole: the framework's own copy ends at the first dash
            elif message == "'data'":
                message = "the body is missing"
            field = path[1] if path else ""
            found.append(FieldProblem(_with_the_words(message, field), pointer=pointer_to(field, message)))
        else:
            name = _name_in_url(request, key)
            found.append(FieldProblem(_with_the_words(message, name), parameter=name))
    return found


def _name_in_url(request: Request[Any, Any, Any], argument: str) -> str:
    """The framework blames the handler's argument; whoever calls knows only the parameter's name in the URL."""
    field = request.route_handler.parsed_fn_signature.parameters.get(argument)
    definition = None if field is None else field.kwarg_definition
    return definition.name or argument if isinstance(definition, ParameterKwarg) else argument


def _with_the_words(message: str, field: str) -> str:
    """Say which words there are, where the decoder only says that this is none of them."""
    words = WORDS.get(field.rpartition(".")[2])
    return f"{message}; one of {', '.join(words)}" if words and message.startswith("Invalid enum value") else message
