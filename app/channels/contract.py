"""What a channel adds to the API's document: the fields of its configurations, each with what it means."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

Schemas: TypeAlias = dict[str, Any]
REF: Final = "#/components/schemas/{name}"


class Contract(msgspec.Struct, frozen=True):
    """A channel in OpenAPI's words: the name of the shape of its configurations, shapes, and what it calls."""

    configuration: str
    schemas: Schemas
    webhooks: Schemas = {}


def described(of: type[msgspec.Struct], meaning: Mapping[str, str], *, made: frozenset[str] = frozenset()) -> Schemas:
    """The JSON schemas of a struct and of what it refers to, by name, with what each field means.

    Those of its fields that are `made` where they are left out need not be sent.

    Raises:
        TypeError: at import, naming the fields that have no meaning, and the meanings that have no field.
    """
    _, schemas = msgspec.json.schema_components((of,), ref_template=REF)
    schema = schemas[of.__name__]
    fields = schema["properties"]
    if differ := fields.keys() ^ meaning.keys():
        raise TypeError(f"{of.__name__} and what its fields mean differ in {', '.join(sorted(differ))}")
    for name, text in meaning.items():
        fields[name]["description"] = text
    schema["required"] = [name for name in schema["required"] if name not in made]
    schema["description"] = (of.__doc__ or "").partition("\n")[0]
    return schemas
