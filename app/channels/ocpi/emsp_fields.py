"""Which fields of an object a version of OCPI does not have, however deep inside."""

from collections.abc import Iterator
from typing import Any

from app.channels.ocpi.fields import ObjectRules


def unknown_fields(rules: ObjectRules, value: Any, where: str = "") -> Iterator[str]:
    """Go through the fields of `value` that `rules` do not have, each with its path, such as `connectors.colour`."""
    if not isinstance(value, dict):
        return
    for name, one in value.items():
        path = f"{where}.{name}" if where else name
        field = rules.fields.get(name)
        if field is None:
            yield path
        elif isinstance(field.type, ObjectRules):
            for each in one if isinstance(one, list) else [one]:
                yield from unknown_fields(field.type, each, path)
