"""Objects made from the tables: right ones, and such as real backends publish, with all that can be wrong in them."""

import copy
import re
from typing import Any

from hypothesis import strategies as st

from app.channels.ocpi.fields import Boolean, Field, Moment, Number, ObjectRules, Text, Type, Whole, Words, fault

#: What stands in the wrong place.
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, 7, 220.0, 1.5, -3, 10**30, "", "x", "x" * 40, "x" * 600, "a\nb", "\x00"),
        *("Tür 3 · Ünter den Linden", "Ελλάδα", "51.04759", "51.0475991234", "29:59", "OTHER", "MCS", "EMAID"),
        *("2026-11-21T08:30:00+01:00", "2026-11-21T08:30:00.123456Z", "ON_DRIVEWAY"),
        *([], [None], ["x"], ["x", 3], [{}], {}, {"language": "de"}, [[]]),
    ]
).map(copy.deepcopy)
TEXTS = ("#", "de", "3 a", "Straße", "F.Rooseveltlaan 3A", "https://example.com/%C3%A4", "Αθήνα")
FORMED = ("51.047599", "3.729944", "-126.1049651", "51.04759", "08:00", "20:00", "23:59")


def right(rules: Type) -> st.SearchStrategy[Any]:
    """Values that hold."""
    match rules:
        case Text(form=str(form)):
            return st.sampled_from([one for one in FORMED if re.fullmatch(form, one) and fault(rules, one) is None])
        case Text():
            return st.sampled_from([one for one in TEXTS if fault(rules, one) is None])
        case Whole(lowest=lowest, highest=highest):
            return st.integers(max(-9, int(max(lowest, -9))), int(min(highest, 999)))
        case Number(lowest=lowest, highest=highest):
            return st.floats(max(lowest, -9), min(highest, 99))
        case Boolean():
            return st.booleans()
        case Moment():
            return st.sampled_from(["2026-11-21T08:30:00Z", "2026-11-22T08:30:00", "2026-11-23T08:30:00.123Z"])
        case Words(words=listed, open=is_open):
            return st.sampled_from([*sorted(listed), *(["NEITHER"] if is_open else [])])
        case ObjectRules():
            return objects(rules)


def objects(rules: ObjectRules) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that hold, unless their fields contradict each other."""
    return st.fixed_dictionaries(
        {name: _field(field) for name, field in rules.fields.items() if field.required},
        optional={name: _field(field) for name, field in rules.fields.items() if not field.required},
    )


def _field(field: Field) -> st.SearchStrategy[Any]:
    if not field.many:
        return right(field.type)
    return st.lists(right(field.type), min_size=int(field.required), max_size=2)


@st.composite
def odd(draw: st.DrawFn, rules: ObjectRules) -> dict[str, Any]:
    """An object with something wrong in it, at any depth: missing, unknown, of the wrong kind, or all of these."""
    value = copy.deepcopy(draw(objects(rules)))
    for _ in range(draw(st.integers(0, 4))):
        _spoil(draw, value)
    return value


def _spoil(draw: st.DrawFn, value: dict[str, Any]) -> None:
    inner = [one for one in _inside(value) if one]
    holder = draw(st.sampled_from([value, *inner])) if inner else value
    name = draw(st.sampled_from([*sorted(holder), "x_unknown", "voltage", "type", "tariff_id", "source"]))
    if draw(st.booleans()):
        holder[name] = draw(ODD)
    else:
        holder.pop(name, None)


def _inside(value: Any) -> list[dict[str, Any]]:
    found = []
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, dict):
            found.append(one)
        if isinstance(one, dict | list):
            found += _inside(one)
    return found
