"""What the framework derives, completed: titles, texts, examples, webhooks and what each field means."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, Final

import msgspec

from app.api.document.examples import EXAMPLES
from app.api.document.fields import FIELDS
from app.api.document.introduction import INTRODUCTION, TAGS
from app.api.problems import MEDIA_TYPE
from app.api.shapes import Asked, Told
from app.channels.contract import REF, Contract

_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete"})
#: What the framework says of an answer that nobody described, and what is said instead.
_DERIVED: Final = frozenset(
    {"Request fulfilled, document follows", "Document created, URL follows", "Request fulfilled, nothing follows"}
    | {"Request accepted, processing continues off-line", "Additional response"}
)
_DONE: Final = {
    "200": "As it is now",
    "201": "Made",
    "202": "It will be done",
    "204": "Done; there is no more to say",
}
_RETRY_AFTER: Final[Mapping[str, Any]] = {
    "description": "after how many seconds to try again, where that is known",
    "schema": {"type": "integer"},
}
#: Not patterns: in a call for many each is judged by itself, and one that does not fit refuses nothing but itself.
_SHARP: Final = frozenset({"format", "minimum"})
_PARTS: Final = ("items",)
Document = dict[str, Any]


def completed(derived: Mapping[str, Any], contracts: Mapping[str, Contract]) -> Document:
    """The whole document; `contracts` are what the channels add, by channel."""
    document: Document = msgspec.json.decode(msgspec.json.encode(derived))
    document["info"]["description"] = INTRODUCTION
    document["paths"] = dict(sorted(document["paths"].items()))  # what is for many before what is for one of them
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["webhooks"] = {name: one for contract in contracts.values() for name, one in contract.webhooks.items()}
    schemas = document["components"]["schemas"]
    theirs = {name: one for contract in contracts.values() for name, one in contract.schemas.items()}
    schemas |= theirs
    _with_configurations(schemas["NewPartner"], contracts)
    document["components"]["examples"] = {}
    for operation in operations(document):
        _told_for_people(operation)
        _without_null(operation.get("parameters", []))
        _with_examples(operation)
        _with_headers(operation["responses"])
        document["components"]["examples"] |= _examples_of_problems(operation)
    # Those of the API last, as they win: what it tells is named like what it is about.
    ours = sorted(_below(msgspec.Struct), key=lambda one: one.__module__.startswith("app.api."))
    shapes = {one.__name__: one for one in ours if one.__module__.startswith("app.")}
    for name, schema in schemas.items():
        # Python 3.13 dedents docstrings, earlier ones do not: the document is the same on all of them.
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
        if name not in theirs:
            _described(name, schema, shapes.get(name))
    return document


def _with_configurations(partner: Document, contracts: Mapping[str, Contract]) -> None:
    """What a configuration holds hangs on the channel."""
    partner["properties"]["channel"]["enum"] = list(contracts)
    shapes = [{"$ref": REF.format(name=contract.configuration)} for contract in contracts.values()]
    partner["properties"]["configuration"] = {"anyOf": shapes}


def _examples_of_problems(operation: Document) -> Document:
    """Take them out of the answers, where they are the same again and again, and leave references."""
    found: Document = {}
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            for name, example in content.get("examples", {}).items():
                found[name] = {key: value for key, value in example.items() if key != "id"}  # the framework's own
                content["examples"][name] = {"$ref": f"#/components/examples/{name}"}
    return found


def operations(document: Document) -> Iterator[Document]:
    """Every operation of the paths."""
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method in _METHODS)


def _told_for_people(operation: Document) -> None:
    """The first line of a docstring is the summary, the rest the description."""
    first, _, rest = cleandoc(operation.get("description", "")).partition("\n\n")
    operation["summary"] = " ".join(first.split()).rstrip(".")
    if rest.strip():
        operation["description"] = rest.strip()
    else:
        operation.pop("description", None)
    for status, response in operation["responses"].items():
        if response["description"] in _DERIVED:
            response["description"] = _DONE.get(status, HTTPStatus(int(status)).phrase)


def _without_null(parameters: list[Document]) -> None:
    """What is not sent has no value: a parameter that may be left out is not therefore `null`."""
    for one in parameters:
        kinds = one["schema"].get("oneOf", [])
        if {"type": "null"} in kinds and len(kinds) == 2:  # noqa: PLR2004 - it, and null
            rest = {
                key: value for key, value in one["schema"].items() if key not in {"oneOf", "description"}
            }  # its limits stand there
            one["schema"] = rest | next(kind for kind in kinds if kind != {"type": "null"})


def _with_headers(responses: Document) -> None:
    """A created or unchanged one has the ETag of a changed one; whoever is put off is told for how long."""
    etag = next((one["headers"]["ETag"] for one in responses.values() if "ETag" in one.get("headers", {})), None)
    for status in ("201", "304"):
        if etag is not None and status in responses:
            responses[status].setdefault("headers", {})["ETag"] = etag
    for status in ("429", "503"):
        if MEDIA_TYPE in responses.get(status, {}).get("content", {}):
            responses[status].setdefault("headers", {})["Retry-After"] = dict(_RETRY_AFTER)
    for response in responses.values():
        for header in response.get("headers", {}).values():
            header.setdefault("schema", {"type": "string"})  # the framework leaves it out where it has no value


def _with_examples(operation: Document) -> None:
    if (examples := EXAMPLES.get(operation["operationId"])) is None:
        return
    content = operation["requestBody"]["content"]["application/json"]
    content["examples"] = {
        name: {"summary": example.summary, "value": example.body} for name, example in examples.items()
    }


def _described(name: str, schema: Document, shape: type[msgspec.Struct] | None) -> None:
    if shape is not None and shape.__doc__:
        schema.setdefault("description", cleandoc(shape.__doc__))
    if shape is not None and shape.__struct_config__.forbid_unknown_fields:
        schema["additionalProperties"] = False
    if shape is not None and issubclass(shape, Asked | Told):
        _sharpened(schema, msgspec.json.schema_components((shape,))[1][shape.__name__])
    for field, value in schema.get("properties", {}).items():
        own = FIELDS.get(f"{name}.{field}")
        if own is not None or "description" not in value:
            text = own or FIELDS.get(field)
            if text is not None:
                value["description"] = text


def _sharpened(schema: Document, told: Document) -> None:
    """Put in what the framework leaves out of what the struct says: formats, and a minimum of nought."""
    for field, value in schema.get("properties", {}).items():
        exact = [one for one in _branches(told.get("properties", {}).get(field, {})) if one.keys() & _SHARP]
        for branch in _branches(value):
            for one in exact:
                if branch.get("type") == one.get("type"):
                    branch |= {key: one[key] for key in one.keys() & _SHARP}


def _branches(schema: Document) -> Iterator[Document]:
    """A schema, and what it may be or hold."""
    yield schema
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *(schema[key] for key in _PARTS if key in schema)):
        yield from _branches(part)


def _below(parent: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for child in parent.__subclasses__():
        yield child
        yield from _below(child)
