"""How many requests of an operator the simulated Hubject sees at the same time, and in a minute."""

from collections import Counter, deque
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from app.domain.evse_id import operator_key

_MINUTE: Final = timedelta(minutes=1)


class Traffic:
    """Counts by operator, whatever form its id has."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._calls: dict[str, deque[datetime]] = {}

    @contextmanager
    def turn_of(self, operator: str) -> Generator[str | None]:
        """Hold the operator's turn until it is answered, or gave up waiting; say what is wrong if it has one already.

        Spec: OICP 2.3 CPO §Data push operations
        """
        turn = operator_key(operator)
        wrong = f"a push of {operator} while another one is under way" if self._under_way[turn] else None
        self._under_way[turn] += 1
        try:
            yield wrong
        finally:
            self._under_way[turn] -= 1

    def too_many(self, operator: str, at: datetime, per_minute: int | None) -> str | None:
        """Count a call, and say what is wrong if it is one too many; such a one does not count.

        Spec: Hubject's Acceptable Use Policy, calls per minute
        """
        calls = self._calls.setdefault(operator_key(operator), deque())
        while calls and calls[0] <= at - _MINUTE:
            calls.popleft()
        if per_minute is not None and len(calls) >= per_minute:
            return f"more than {per_minute} calls of {operator} within a minute"
        calls.append(at)
        return None
