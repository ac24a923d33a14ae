"""How many requests about one EVSE the simulated eMSP sees at the same time, and which ids they had."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager


class Traffic:
    """Counts by EVSE, or by Location where that is what a request is about."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._request_ids: set[str] = set()

    @property
    def under_way(self) -> int:
        """The number of requests that are not answered yet."""
        return self._under_way.total()

    @contextmanager
    def turn_of(self, key: str) -> Generator[str | None]:
        """Hold the turn until the request is answered, or its sender hung up; say what is wrong if it is taken."""
        wrong = f"{key}: two requests under way at once" if self._under_way[key] else None
        self._under_way[key] += 1
        try:
            yield wrong
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]

    def used_before(self, request_id: str | None) -> bool:
        """Note the id of a request; 2.1.1 has none."""
        if request_id is None:
            return False
        used = request_id in self._request_ids
        self._request_ids.add(request_id)
        return used
