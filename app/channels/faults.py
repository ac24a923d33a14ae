"""The trouble that a simulated partner is told to make: by script, always, or by chance."""

import random
from collections import deque
from collections.abc import Mapping
from typing import Generic, TypeVar

Trouble = TypeVar("Trouble", bound=str)


class Faults(Generic[Trouble]):
    """Which trouble comes next: what was scripted, else what is `always` so, else what is drawn."""

    def __init__(self) -> None:
        self.always: Trouble | None = None
        self._scripted: deque[Trouble | None] = deque()
        self._dice = random.Random()  # noqa: S311 - trouble, not secrets
        self._weights: Mapping[Trouble | None, float] = {}

    @property
    def silent(self) -> bool:
        """Whether nothing was asked of it."""
        return not (self._scripted or self.always or self._weights)

    def script(self, *troubles: Trouble | None) -> None:
        """Have the next requests go like this, one each. `None` lets one go well."""
        self._scripted.extend(troubles)

    def draw(self, weights: Mapping[Trouble | None, float], seed: int) -> None:
        """Draw the trouble for every request from now on; the same each time for the same seed and order."""
        self._dice = random.Random(seed)  # noqa: S311 - trouble, not secrets
        self._weights = dict(weights)

    def peace(self) -> None:
        """Let everything go well from now on."""
        self.always = None
        self._scripted.clear()
        self._weights = {}

    def next(self) -> Trouble | None:
        if self._scripted:
            return self._scripted.popleft()
        if self.always is not None or not self._weights:
            return self.always
        return self._dice.choices(list(self._weights), weights=list(self._weights.values()))[0]
