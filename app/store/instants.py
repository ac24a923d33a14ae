"""Instants in rows, there and back at the least cost: every row has some, and most of what reading one takes went here.

What is stored is what SQLModel's type stores. Only the way there is shorter: one call in C instead of two in Python.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Dialect
from sqlmodel.sql.sqltypes import UTCDateTime


class Instant(UTCDateTime):
    """A time with its zone, in UTC."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """How it is written."""
        return as_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, _coltype: object) -> Callable[[Any], Any] | None:
        """How it is read: PostgreSQL's driver gives it in UTC as it is."""
        return from_text if dialect.name == "sqlite" else None


def as_text(at: datetime | None) -> str | None:
    """As SQLite has it: in UTC, always with microseconds, so that the order of texts is that of times.

    Raises:
        ValueError: it says no zone.
    """
    if at is None:
        return None
    if at.tzinfo is not UTC:
        if at.utcoffset() is None:
            raise ValueError(f"{at} says no time zone")
        at = at.astimezone(UTC)
    return at.isoformat(" ", "microseconds")[:26]


def from_text(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored + "+00:00")


class Texts(dict[datetime | None, str | None]):
    """Times as texts, each written once: where many rows change at once, most of them share theirs."""

    def __missing__(self, at: datetime | None) -> str | None:
        text = self[at] = as_text(at)
        return text
