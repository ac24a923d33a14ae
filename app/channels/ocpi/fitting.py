"""Making what was imported hold against a version's rules: by mending it, or by leaving out what cannot be said.

Mended is only what then says the same: a time with an offset, a number written as `220.0`, one that another version
writes as a list, a coordinate's decimals, another version's name of a field. Prose is cut, and its control characters
become blanks; where only ASCII may be written it loses its accents. An id is never mended: it would name another thing.

What cannot be mended is left out: the field where it is optional, one of a list, else the object that requires it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from app.channels.ocpi.fields import (
    UNPRINTABLE,
    Boolean,
    Field,
    Moment,
    Number,
    ObjectRules,
    Text,
    Type,
    Whole,
    Words,
    fault,
)
from app.channels.ocpi.plain import plain
from app.domain.errors import MalformedInstant
from app.domain.instant import parse_instant, rfc3339

#: What a value that cannot be said becomes. `None` is a value: JSON's null.
UNFIT: Final = object()
_COORDINATE: Final = re.compile(r"(-?\d{1,3})(?:\.(\d{0,15}))?", re.ASCII)
_EXACT: Final = 2.0**53  #: below it a float is the integer that was meant
_DECIMALS: Final = 6  #: of a coordinate, which every version takes: a tenth of a metre


def fitted(rules: ObjectRules, value: Any, *, keep_unknown: bool) -> dict[str, Any] | None:
    """Return `value` as an object without faults, or `None` where that cannot be.

    `keep_unknown`: fields that the version does not have are kept as they are, or else left out.
    """
    result = _fit_object(rules, value, keep_unknown=keep_unknown)
    return result if isinstance(result, dict) else None


def usable(rules: Type, value: Any) -> bool:
    """Tell whether `value` can be said, as it is or mended."""
    return _fit(rules, value, keep_unknown=False) is not UNFIT


def _fit_object(rules: ObjectRules, value: Any, *, keep_unknown: bool) -> Any:
    if not isinstance(value, dict):
        return UNFIT
    given = {**value, **_taken_over(rules, value)}
    result = {}
    for name, one in given.items():
        field = rules.fields.get(name)
        if field is None:
            if keep_unknown:
                result[name] = one
            continue
        fit = _fit_field(field, one, keep_unknown=keep_unknown, all_of_it=rules.indivisible)
        if fit is not UNFIT:
            result[name] = fit
        elif rules.indivisible:
            return UNFIT
    for name, field in rules.fields.items():
        if field.required and name not in result:
            if field.instead is None:
                return UNFIT
            result[name] = field.instead
    return _without_contradiction(rules, result)


def _without_contradiction(rules: ObjectRules, result: dict[str, Any]) -> Any:
    for demand in rules.demands:
        if demand.holds(result):
            continue
        if rules.indivisible or rules.fields[demand.field].required or demand.field not in result:
            return UNFIT
        del result[demand.field]
    return result


def _taken_over(rules: ObjectRules, value: Mapping[str, Any]) -> dict[str, Any]:
    """What stands under another version's name. Some have it so in the wrong version, as the samples of it."""
    found = {}
    for name, field in rules.fields.items():
        if field.also is None or value.get(name) is not None or (one := value.get(field.also)) is None:
            continue
        if isinstance(field.type, Words) and field.type.open and one not in list(field.type.words):
            continue  # an open enumeration would take anything: the other version's "none of these" too
        if field.many and not isinstance(one, list):
            one = [one]
        elif not field.many and isinstance(one, list):
            if len(one) != 1:  # which of them would be meant?
                continue
            one = one[0]
        found[name] = one
    return found


def _fit_field(field: Field, value: Any, *, keep_unknown: bool, all_of_it: bool) -> Any:
    if value is None:
        return UNFIT if field.required else None
    if not field.many:
        fit = _fit(field.type, value, keep_unknown=keep_unknown)
        return UNFIT if field.required and fit == "" else fit
    if not isinstance(value, list):
        return UNFIT
    fits = [fit for one in value if (fit := _fit(field.type, one, keep_unknown=keep_unknown)) is not UNFIT]
    if (all_of_it and len(fits) < len(value)) or (field.required and not fits):
        return UNFIT
    return fits if fits or not value else UNFIT


def _fit(rules: Type, value: Any, *, keep_unknown: bool) -> Any:
    if isinstance(rules, ObjectRules):
        return _fit_object(rules, value, keep_unknown=keep_unknown)
    if fault(rules, value) is None:
        return value
    mended = _mended(rules, value)
    return UNFIT if mended is UNFIT or fault(rules, mended) is not None else mended


def _mended(rules: Text | Whole | Number | Boolean | Moment | Words, value: Any) -> Any:
    match rules:
        case Text(form=str()) if isinstance(value, str):
            return _mended_coordinate(value)
        case Text(prose=True) if isinstance(value, str):
            return _mended_prose(rules, value)
        case Whole() if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
            return int(value)
        case Moment() if isinstance(value, str):
            return _mended_time(value)
        case Words(otherwise=str(word)) if isinstance(value, str):
            return word
        case _:
            return UNFIT


def _mended_coordinate(value: str) -> Any:
    """Give it the decimals that every version takes: noughts, which say the same, or a few centimetres less."""
    if not (match := _COORDINATE.fullmatch(value)):
        return UNFIT
    return f"{match[1]}.{(match[2] or '')[:_DECIMALS].ljust(_DECIMALS, '0')}"


def _mended_prose(rules: Text, value: str) -> str:
    printable = UNPRINTABLE.sub(" ", value)
    return (plain(printable) if rules.ascii else printable)[: rules.longest]


def _mended_time(value: str) -> Any:
    for text in (value, f"{value}Z"):
        try:
            return rfc3339(parse_instant(text))
        except MalformedInstant:
            continue
    return UNFIT
