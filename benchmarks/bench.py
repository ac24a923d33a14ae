"""What every scenario is given, and what it looks like from outside."""

import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks.databases import KINDS, Databases
from benchmarks.measuring import Line

Number = TypeVar("Number", int, float)


class Bench(msgspec.Struct, frozen=True):
    """How thoroughly to measure, and where. What is `brief` shows that all of it works; its figures mean nothing."""

    rounds: int
    brief: bool
    directory: Path  #: on the disk that the databases are to be measured on
    databases: Databases
    tell: Callable[[str], None]  #: what is being done, for whoever watches

    def much(self, usual: Number, brief: Number) -> Number:
        """How many, or for how long."""
        return brief if self.brief else usual

    def fresh_directory(self, name: str) -> Path:
        """An empty directory on that disk."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.directory))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The databases to measure on: both, but where it is only to be shown that all of it works."""
        return ("sqlite",) if self.brief else KINDS

    def log(self, name: str) -> Path:
        """A file that a process may write to; it is gone with the directory."""
        return self.directory / f"{name}.log"


class Scenario(msgspec.Struct, frozen=True):
    """One question, and how it is answered: with the lines of the table that it fills."""

    number: int
    title: str
    run: Callable[[Bench], Coroutine[Any, Any, list[Line]]]
