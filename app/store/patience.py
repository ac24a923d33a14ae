"""For how long PostgreSQL lets a transaction of ours stand idle before it cuts it off and frees what it has locked."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError

_LONGEST: Final = 64.0  #: seconds
_FOR_A_WHILE: Final = 60.0  #: seconds that a longer limit stays after it was last needed


class Patience:
    """The limit as it is now: longer for a while after a transaction was cut off.

    A process that only computed for so long, on a slow machine or for a thousand partners, would otherwise be cut off
    at the same point again, and for ever.
    """

    def __init__(self, usual: float | None, *, said_on_connecting: bool) -> None:
        """`usual` is in seconds; `said_on_connecting`: every session knows it, only another one has to be said."""
        self._usual = usual
        self._said_on_connecting = said_on_connecting
        self._limit = usual
        self._needed_at = 0.0

    def to_say(self) -> float | None:
        """The limit that a new transaction has to be told, if it has to."""
        if self._limit != self._usual and time.monotonic() - self._needed_at > _FOR_A_WHILE:
            self._limit = self._usual
        return None if self._said_on_connecting and self._limit == self._usual else self._limit

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Watch a transaction, and allow the next ones more where it took so long that it may have been cut off."""
        began = time.monotonic()
        try:
            yield
        except DBAPIError as error:
            if self._limit and error.connection_invalidated and time.monotonic() - began >= self._limit:
                self._limit = min(self._limit * 2, _LONGEST)
                self._needed_at = time.monotonic()
            raise
        if self._usual and time.monotonic() - began >= self._usual:
            self._needed_at = time.monotonic()
