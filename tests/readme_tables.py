"""The README's tables, from the objects they describe. `python -m tests.readme_tables` writes them into it."""

import re
from collections.abc import Iterable
from datetime import timedelta
from enum import Enum
from pathlib import Path

import msgspec

from app.channels import REGISTER
from app.domain.duration import short_duration
from app.domain.permission import KINDS, Action, Allowed, Call, Denied, On, may
from app.domain.presentation import PRECEDENCE, What
from app.domain.presets import PRESETS, Preset, Terms
from app.domain.principal import Principal, Role
from app.domain.status import ActualStatus, Kind
from app.domain.temporary_status import TemporaryStatus
from app.settings import PREFIX, Settings
from tests.unit.builders import evse, temporary_status

README = Path(__file__).parent.parent / "README.md"
_EVSE = evse()
_CHANNELS = "| driver app | Hubject (OICP 2.3) | OCPI 2.2.1 |"


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


def tables() -> dict[str, str]:
    return {
        "temporary statuses": shows("temporary status", PRECEDENCE),
        "actual statuses": shows("stored", ActualStatus),
        "rights": rights(),
        "presets": presets(),
        "settings": settings(),
    }


def rendered(text: str) -> str:
    for name, table in tables().items():
        marked = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marked.sub(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)  # type: ignore[misc]
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
    README.write_text(rendered(README.read_text()))
