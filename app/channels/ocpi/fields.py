"""What an object of OCPI must look like, as data, and in what a JSON value is not as it must be.

A list of faults, not the first one only: who is told what is wrong wants to hear all of it.
Spec: OCPI 2.2.1 types; transport_and_format, cardinality.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec

LONGEST_TIME: Final = 25  #: characters of a DateTime
LONGEST_URL: Final = 255
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d)(\.\d+)?Z?", re.ASCII)
#: What no string may hold: control characters, line and paragraph separators, halves of characters.
UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_ASCII: Final = re.compile(r"[^ -~]")

#: How often a field is there: once; once or not (`null` is not); as a list; as a list that is not empty.
Cardinality: TypeAlias = Literal["1", "?", "*", "+"]


class Text(msgspec.Struct, frozen=True):
    """A string: at most so many characters where it has a length, of printable ASCII only or of anything printable.

    `form` is a regular expression for all of it. `prose` is written for people: cut short it still says something.
    """

    name: str
    longest: int | None
    ascii: bool = False
    form: str | None = None
    prose: bool = False


class Whole(msgspec.Struct, frozen=True):
    """An integer, within bounds where the specification has some."""

    lowest: float = -math.inf
    highest: float = math.inf


class Number(msgspec.Struct, frozen=True):
    """Any JSON number, within bounds where the specification has some."""

    lowest: float = -math.inf
    highest: float = math.inf


class Boolean(msgspec.Struct, frozen=True):
    """`true` or `false`."""


class Moment(msgspec.Struct, frozen=True):
    """A DateTime: UTC, which `Z` says or nothing does."""


class Words(msgspec.Struct, frozen=True):
    """An enumeration. An `open` one may hold words that are not listed; `otherwise` means none of the others."""

    name: str
    words: frozenset[str]
    open: bool = False
    otherwise: str | None = None


class Field(msgspec.Struct, frozen=True):
    """One field of an object.

    `also` is what another version calls it. `instead` is what may stand where a required value is not known.
    """

    type: "Type"
    cardinality: Cardinality
    also: str | None = None
    instead: str | None = None

    @property
    def required(self) -> bool:
        return self.cardinality in ("1", "+")

    @property
    def many(self) -> bool:
        return self.cardinality in ("*", "+")


class Demand(msgspec.Struct, frozen=True):
    """What fields demand of each other: `field` is at fault, and `what` is wrong, where the object does not hold."""

    field: str
    what: str
    holds: Callable[[Mapping[str, Any]], bool]


class ObjectRules(msgspec.Struct, frozen=True):
    """A class of objects: all its fields by name, in the specification's order.

    `indivisible`: without one of its parts it would say something else, and not only less.
    """

    name: str
    fields: Mapping[str, Field]
    demands: tuple[Demand, ...] = ()
    indivisible: bool = False


Type: TypeAlias = Text | Whole | Number | Boolean | Moment | Words | ObjectRules


class Objects(msgspec.Struct, frozen=True):
    """The objects of the Locations module in one version."""

    location: ObjectRules
    evse: ObjectRules
    connector: ObjectRules


def words(name: str, listed: str, *, open: bool = False, otherwise: str | None = None) -> Words:  # noqa: A002 - OCPI's own word
    """Write an enumeration as its words with blanks between."""
    return Words(name, frozenset(listed.split()), open, otherwise)


def faults(
    rules: ObjectRules, value: Any, where: str = "", *, unknown_tolerated: bool = False, partial: bool = False
) -> list[str]:
    """List in what `value` is not as `rules` have it, each with its path; nothing where it holds.

    `unknown_tolerated`: fields that the specification does not have are none of its business. `partial`: fields of
    the object itself may be missing, as in a PATCH; what it holds must be whole.
    """
    if not isinstance(value, dict):
        return [f"{where or rules.name}: {_kind(value)} instead of an object"]
    prefix = f"{where}." if where else ""
    found = []
    for name, field in rules.fields.items():
        if name in value:
            found += _of_field(field, value[name], f"{prefix}{name}", unknown_tolerated=unknown_tolerated)
        elif field.required and not partial:
            found.append(f"{prefix}{name}: missing")
    if not partial and not found:  # what fields demand of each other can be asked only of fields that are right
        found += [f"{prefix}{one.field}: {one.what}" for one in rules.demands if not one.holds(value)]
    if not unknown_tolerated:
        found += [f"{prefix}{name}: {rules.name} has no such field" for name in value if name not in rules.fields]
    return found


def _of_field(field: Field, value: Any, where: str, *, unknown_tolerated: bool) -> list[str]:
    if value is None:
        return [f"{where}: null, but required"] if field.required else []
    if not field.many:
        if field.required and value == "":
            return [f"{where}: empty, but required"]
        return _of_type(field.type, value, where, unknown_tolerated=unknown_tolerated)
    if not isinstance(value, list):
        return [f"{where}: {_kind(value)} instead of a list"]
    if field.required and not value:
        return [f"{where}: an empty list, but at least one is required"]
    found = []
    for index, one in enumerate(value):
        found += _of_type(field.type, one, f"{where}[{index}]", unknown_tolerated=unknown_tolerated)
    return found


def _of_type(rules: Type, value: Any, where: str, *, unknown_tolerated: bool) -> list[str]:
    if isinstance(rules, ObjectRules):
        return faults(rules, value, where, unknown_tolerated=unknown_tolerated)
    what = fault(rules, value)
    return [f"{where}: {what}"] if what else []


def fault(rules: Text | Whole | Number | Boolean | Moment | Words, value: Any) -> str | None:
    """Say in what a single value is not as it must be, or `None` where it is."""
    match rules:
        case Text():
            return _text_fault(rules, value)
        case Whole() | Number():
            return _number_fault(rules, value)
        case Boolean():
            return None if isinstance(value, bool) else f"{_kind(value)} instead of a boolean"
        case Moment():
            return _time_fault(value)
        case Words():
            return _word_fault(rules, value)


def _text_fault(rules: Text, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{_kind(value)} instead of a {rules.name}"
    if rules.longest is not None and len(value) > rules.longest:
        return f"{len(value)} characters, more than a {rules.name}'s {rules.longest}"
    if UNPRINTABLE.search(value):
        return "holds a control character"
    if rules.ascii and _NOT_ASCII.search(value):
        return f"a {rules.name} holds printable ASCII only"
    if rules.form is not None and not re.fullmatch(rules.form, value, re.ASCII):
        return f"{value!r:.40} is not of the form {rules.form}"
    return None


def _number_fault(rules: Whole | Number, value: Any) -> str | None:
    wanted = int if isinstance(rules, Whole) else int | float
    if isinstance(value, bool) or not isinstance(value, wanted):
        return f"{_kind(value)} instead of {'an integer' if isinstance(rules, Whole) else 'a number'}"
    if isinstance(value, float) and not math.isfinite(value):
        return "not a JSON number"
    if not rules.lowest <= value <= rules.highest:
        return f"outside {rules.lowest} to {rules.highest}"
    return None


def _time_fault(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{_kind(value)} instead of a DateTime"
    if len(value) > LONGEST_TIME:
        return f"{len(value)} characters, more than a DateTime's {LONGEST_TIME}"
    if not (match := _TIME.fullmatch(value)):
        return f"{value!r} is no DateTime in UTC, such as 2026-11-21T08:30:00Z"
    try:
        datetime.fromisoformat(f"{match[1]}+00:00")
    except ValueError:
        return f"{value!r} is no time that there is"
    return None


def _word_fault(rules: Words, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{_kind(value)} instead of a {rules.name}"
    if rules.open:
        return None if value and not _NOT_ASCII.search(value) else f"{value!r:.40} is no word"
    return None if value in rules.words else f"{value!r:.40} is no {rules.name}"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
