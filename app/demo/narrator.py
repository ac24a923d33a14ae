"""What a person sees of the demo in the terminal."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.clock import Clock
from app.demo.audience import Audience, Heard

_COLOURS: Final = {
    "AVAILABLE": "green",
    "Available": "green",
    "CHARGING": "cyan",
    "OCCUPIED": "yellow",
    "Occupied": "yellow",
    "BLOCKED": "yellow",
    "RESERVED": "magenta",
    "Reserved": "magenta",
    "REMOVED": "dim",
    "(deleted)": "dim",
}
#: The columns: each partner, its name there, and how wide its longest word is.
_COLUMNS: Final = {"app": ("app", 14), "hub": ("hub", 12), "emsp": ("ocpi", 11)}
_TOGETHER: Final = 0.12  #: seconds within which what partners hear of one EVSE stands on one line


class Narrator:
    """Prints the scenes, and under each what the partners hear, as they hear it."""

    def __init__(self, clock: Clock, audience: Audience) -> None:
        self._clock = clock
        self._audience = audience
        self._console = Console(highlight=False)
        self._began = clock.now()
        self._muted = True

    def begin(self) -> None:
        """Count the seconds from now on, and print what is heard from now on."""
        self._began = self._clock.now()
        self._muted = False

    def say(self, text: str) -> None:
        if self._muted:
            self._console.print(text)
            return
        grid = Table.grid(padding=(0, 2))
        grid.add_row(Text(self._seconds(self._clock.now()), style="dim"), Text(text, style="bold"))
        self._console.print(grid)

    def rule(self, text: str) -> None:
        self._console.rule(f"[bold]{text}[/]", align="left", style="dim")

    def print(self, printed: str | Table | Text) -> None:
        self._console.print(printed, soft_wrap=isinstance(printed, str))  # what is long is there to be copied

    async def listen(self) -> None:
        """Print what partners hear, until cancelled."""
        seen: set[Heard] = set(self._audience.heard())
        while True:
            await asyncio.sleep(_TOGETHER)
            new = [one for one in self._audience.heard() if one not in seen]
            if not self._muted:
                self._hear(new)
            seen.update(new)

    def _hear(self, new: Iterable[Heard]) -> None:
        ordered = sorted(new, key=lambda one: (one.evse_id, one.at))
        lines = []
        for evse_id, group in groupby(ordered, key=lambda one: one.evse_id):
            heard = list(group)
            line = Text(f"{self._seconds(heard[0].at)}   {evse_id:<15}")
            for partner, (name, width) in _COLUMNS.items():
                words = [one.status for one in heard if one.partner == partner]
                line.append(f" {name} " if words else " " * (len(name) + 2), style="dim")
                word = words[-1] if words else ""
                line.append(f"{word:<{width}}", style=_COLOURS.get(word, "red"))
            line.rstrip()
            lines.append((heard[0].at, line))
        for _, line in sorted(lines, key=lambda pair: pair[0]):
            self._console.print(line)

    def _seconds(self, at: datetime) -> str:
        return f"{(at - self._began).total_seconds():5.2f} s"
