"""A partner that keeps what it is told in a file, whatever becomes of who told it."""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from app.channels.channel import Accepted, Connection, Lane, Means, Message
from app.channels.outcomes import Delivered, NotSent, Outcome, Unknown
from app.domain.delivery import Notice
from app.domain.partner import Audience, Partner
from app.domain.presentation import What
from app.store.rows import what_text


class Line(msgspec.Struct, frozen=True):
    """What a partner was told, and has applied."""

    partner: str
    evse: int
    what: str
    version: int


class Notebook:
    """A channel that writes down what it applies. Some answers are lost, some requests never arrive."""

    knows_evse_ids_only = True
    others_write_too = False
    announces = False
    needs_locations = False

    def __init__(self, file: Path, *, exclusive: bool, wrote: Callable[[], None]) -> None:
        """`wrote` is called when something has been applied and nobody else knows of it yet."""
        self.name = "exclusive" if exclusive else "many"
        self.lane = Lane(in_flight=1 if exclusive else 4, exclusive=exclusive)
        self._file = file
        self._wrote = wrote
        self._numbers = itertools.count(1)

    def shows(self, what: What) -> str | None:
        return what.value

    def accept(self, raw: Mapping[str, Any]) -> Accepted:
        return Accepted(configuration=dict(raw), secrets={}, audience=Audience(), tells_fleet=True)

    def daily(self, partner: Partner) -> None:  # noqa: ARG002 - each EVSE is told on its own
        return None

    def concerns(self, partner: Partner, at: datetime) -> list[str]:  # noqa: ARG002 - nothing can run out here
        return []

    def connect(self, partner: Partner, means: Means) -> Connection:  # noqa: ARG002 - every channel takes them
        return _Connection(self, partner.name)

    async def write(self, line: Line) -> Outcome:
        number = next(self._numbers)
        await asyncio.sleep(0)
        if number % 7 == 0:
            return NotSent("could not connect")
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, msgspec.json.encode(line) + b"\n")
        os.close(file)
        self._wrote()
        await asyncio.sleep(0)
        return Unknown("the answer was lost") if number % 5 == 0 else Delivered("ok")


class _Connection:
    def __init__(self, notebook: Notebook, partner: str) -> None:
        self._notebook = notebook
        self._partner = partner

    def translate(self, notice: Notice) -> Message:
        what = what_text(notice.presentation.what)
        return Message(what, what, Line(self._partner, notice.evse.id, what, notice.version))

    async def deliver(self, message: Message) -> Outcome:
        return await self._notebook.write(message.content)

    async def close(self) -> None: ...


def written(file: Path) -> list[Line]:
    """All that was ever applied, in order."""
    return [msgspec.json.decode(line, type=Line) for line in file.read_bytes().splitlines()]


def shown_by(lines: Iterable[Line]) -> dict[tuple[str, int], str]:
    """What each partner shows of each EVSE: what it applied last."""
    return {(line.partner, line.evse): line.what for line in lines}
