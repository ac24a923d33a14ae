"""The README's tables, from the objects they describe. `python -m tests.readme_tables` writes them into it."""

import re
from collections.abc import Iterable
from datetime import timedelta
from enum import Enum
from pathlib import Path

from app.channels import REGISTER
from app.domain.presentation import PRECEDENCE, What
from app.domain.status import ActualStatus
from app.settings import PREFIX, Settings

README = Path(__file__).parent.parent / "README.md"
_CHANNELS = "| driver app | Hubject (OICP 2.3) | OCPI 2.2.1 |"


def shows(title: str, whats: Iterable[What]) -> str:
    rows = [[what.value, *(channel.shows(what) or "nothing" for channel in REGISTER.values())] for what in whats]
    return "\n".join([f"| {title} {_CHANNELS}", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])


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
