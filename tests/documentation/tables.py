"""The documentation's tables, from the objects they describe. `make docs-tables` writes them into the pages.

A table stands between `<!-- table: its name -->` and `<!-- end -->`, on whichever page.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Final

import click
import msgspec

from app.api.explaining import MAY_SHARE
from app.api.problems import _HTTP, SORTS, TYPE
from app.channels import REGISTER
from app.cli import group
from app.domain.duration import short_duration
from app.domain.permission import KINDS, MOST_ON_ONE_EVSE, Action, Allowed, Call, Denied, On, may
from app.domain.presentation import PRECEDENCE, What
from app.domain.presets import PRESETS, Preset, Terms
from app.domain.principal import Principal, Role
from app.domain.status import OCPP_MEANING, ActualStatus, Kind
from app.domain.temporary_status import TemporaryStatus
from app.main import LARGEST_BODY
from app.settings import PREFIX, Settings
from tests.documentation.pages import ROOT, documentation
from tests.unit.builders import evse, temporary_status

_EVSE: Final = evse()
_CHANNELS: Final = "| driver app | Hubject (OICP 2.3) | OCPI 2.2.1 |"


def shows(title: str, whats: Iterable[What]) -> str:
    rows = [[what.value, *(channel.shows(what) or "nothing" for channel in REGISTER.values())] for what in whats]
    return "\n".join([f"| {title} {_CHANNELS}", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])


def rights() -> str:
    rows = [[action.value, *(_may(role, action) for role in Role)] for action in Action]
    head = [f"| who may … | {' | '.join(f'`{role}`' for role in Role)} |", "|---" * (len(Role) + 1) + "|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def _may(role: Role, action: Action) -> str:
    """What a key with a role may do, as the one decision says when it is asked."""
    by = Principal("mine", role)
    if isinstance(may(by, action, Call()), Denied):
        return ""
    if action is Action.PLAN:
        return "yes" if KINDS[role] == set(Kind) else " ".join(f"`{kind}`" for kind in Kind if kind in KINDS[role])
    if action not in {Action.SEE, Action.CHANGE, Action.END}:
        return "yes"
    others = {kind for kind in Kind if isinstance(may(by, action, On(_EVSE, _window(kind))), Allowed)}
    if others == set(Kind):
        return "all"
    return " and ".join(["its own", *(f"every `{kind}`" for kind in Kind if kind in others)])


def _window(kind: Kind) -> TemporaryStatus:
    return msgspec.structs.replace(temporary_status(kind=kind), created_by="somebody else")


def presets() -> str:
    """What each preset is good for, from the table that keys are made by."""
    head = ["| `--preset` | role | may say | ends | begins within | in effect at once | calls a minute | expires |"]
    return "\n".join([*head, "|---" * 8 + "|", *(_preset(one, PRESETS[one]) for one in Preset)])


def _preset(preset: Preset, terms: Terms) -> str:
    rights = terms.rights
    kinds = "anything" if set(rights.kinds) == set(Kind) else " ".join(f"`{kind}`" for kind in rights.kinds)
    ends = "whenever, or never" if rights.longest is None else f"within {short_duration(rights.longest)}"
    cells = [f"`{preset}`", f"`{terms.role}`", kinds, ends]
    cells += ["" if one is None else short_duration(one) for one in (rights.furthest,)]
    cells += ["" if one is None else str(one) for one in (rights.most_active, rights.rate)]
    cells.append("never" if terms.lifetime is None else f"after {short_duration(terms.lifetime)}")
    return f"| {' | '.join(cells)} |"


def settings() -> str:
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | |", "|---|---|---|", *rows])


def ocpp() -> str:
    rows = [f"| {said} | {meant} |" for said, meant in OCPP_MEANING.items()]
    return "\n".join(["| OCPP 1.6, OCPP 2.0.1 | stored |", "|---|---|", *rows])


def problems() -> str:
    """Every refusal: ours, with what is said of it where it is defined, and HTTP's own."""
    means = {sort.slug: (sort.status, _first(kind)) for kind, sort in SORTS.items()}
    means |= {sort.slug: (sort.status, f"{sort.title}.") for sort in _HTTP.values()}
    rows = sorted((status, slug, said) for slug, (status, said) in means.items())
    lines = [f"| {status} | `{slug}` | {said} |" for status, slug, said in rows]
    return "\n".join([f"| status | type, after `{TYPE}` | means |", "|---|---|---|", *lines])


def _first(kind: type[Exception]) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def limits() -> str:
    """What the API's document bounds, and the few things that it cannot say."""
    found = dict[tuple[str, str], list[str]]()
    for where, what, limit in _limits(json.loads((ROOT / "openapi/openapi.json").read_text())):
        found.setdefault((what, limit), []).append(where)
    rows = [f"| `{what}` | {limit} | {_where(where)} |" for (what, limit), where in sorted(found.items())]
    rows += [
        f"| body | {LARGEST_BODY // 1024} KiB | every call but those for many, which take more |",
        f"| on one EVSE | {MOST_ON_ONE_EVSE} that are not over | keys below operations |",
    ]
    return "\n".join(["| what | limit | where |", "|---|---|---|", *rows])


def _where(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(set(names)))


def _limits(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            for one in operation.get("parameters", []):
                yield from _bounds(operation["operationId"], one["name"], one["schema"])
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from _bounds(operation["operationId"], "the list", content["schema"])
    for name, schema in document["components"]["schemas"].items():
        if schema.get("additionalProperties") is False or "properties" in schema:
            for field, inner in schema.get("properties", {}).items():
                yield from _bounds(name, field, inner)


def _bounds(where: str, what: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for one in (schema, *schema.get("oneOf", []), *schema.get("anyOf", [])):
        for word, unit in (("maxLength", "characters"), ("maxItems", "items")):
            if word in one:
                yield where, what, f"{_range(one.get(word.replace('max', 'min'), 0), one[word])} {unit}"
        if "maximum" in one:
            yield where, what, _range(one.get("minimum", 0), one["maximum"])


def _range(least: float, most: float) -> str:
    return f"{most:.0f}" if least == most else f"{least:.0f} to {most:.0f}" if least else f"at most {most:.0f}"


def exit_codes() -> str:
    said = " ".join((group.epilog or "").split()).partition("Exit codes: ")[2]
    rows = re.findall(r"(\d+) (.+?)(?:, (?=\d)|\. |\.$)", said.partition(" \b ")[0])
    return "\n".join(["| exit code | means |", "|---|---|", *(f"| {code} | {_cell(means)} |" for code, means in rows)])


def commands() -> str:
    """Every command with its options, as `--help` says them."""
    return "\n\n".join(_command(words, one) for words, one in _commands(("evse-status",), group))


def _commands(words: tuple[str, ...], within: click.Group) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, one in sorted(within.commands.items()):
        if isinstance(one, click.Group):
            yield from _commands((*words, name), one)
        else:
            yield (*words, name), one


def _command(words: tuple[str, ...], one: click.Command) -> str:
    arguments = [f" {part.make_metavar(click.Context(one))}" for part in one.params if isinstance(part, click.Argument)]
    said = re.sub(r"\s+", " ", (one.help or "").partition("\f")[0].partition("\n\n")[0]).strip()
    rows = [_option(part, click.Context(one)) for part in one.params if isinstance(part, click.Option)]
    table = ["", "| option | |", "|---|---|", *rows] if rows else []
    usage = [f"`{' '.join(words)}{''.join(arguments)}`", ""] if arguments else []
    return "\n".join([f"### {' '.join(words)}", "", *usage, _cell(said), *table])


def _option(part: click.Option, context: click.Context) -> str:
    name, said = part.get_help_record(context) or ("", "")
    return f"| `{name.replace('|', ', ')}` | {_cell(said)} |"


def _cell(text: str) -> str:
    """Nothing in a text may end the cell, or begin a tag or emphasis."""
    plain = re.sub(r"\s+", " ", text).replace("|", ", ").replace("<", "&lt;")
    return re.sub(r"`[^`]*`|[*_]", lambda found: found[0] if found[0][0] == "`" else f"\\{found[0]}", plain)


def gate() -> str:
    """What each deployment state lets through, in the words of `mayShare`."""
    names = msgspec.structs.fields(next(iter(MAY_SHARE.values())))
    head = [f"| deployment state | {' | '.join(name.encode_name for name in names)} |", "|---" * (len(names) + 1) + "|"]
    rows = [
        [state.value, *("yes" if one else "" for one in msgspec.structs.astuple(MAY_SHARE[state]))]
        for state in MAY_SHARE
    ]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def tables() -> dict[str, str]:
    return {
        "OCPP": ocpp(),
        "deployment states": gate(),
        "problems": problems(),
        "limits": limits(),
        "commands": commands(),
        "exit codes": exit_codes(),
        "temporary statuses": shows("temporary status", PRECEDENCE),
        "actual statuses": shows("stored", ActualStatus),
        "rights": rights(),
        "presets": presets(),
        "settings": settings(),
    }


def rendered(text: str) -> str:
    for name, table in tables().items():
        marked = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marked.sub(lambda match, table=table: f"{match[1]}\n{table}\n\n{match[2]}", text)  # type: ignore[misc]
    return text


def _default(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        for unit, size in (("D", 86400), ("H", 3600), ("M", 60)):
            if seconds % size == 0:
                return f"`P{seconds // size}D`" if unit == "D" else f"`PT{seconds // size}{unit}`"
        return f"`PT{seconds}S`"
    return f"`{value.value}`" if isinstance(value, Enum) else f"`{value}`"


if __name__ == "__main__":
    for page in documentation():
        page.write_text(rendered(page.read_text()))
