"""The partner's side: two receivers at each of its addresses, one that compares versions and one that does not."""

from collections.abc import Container


class Receivers:
    """What the partner shows, at each address it ever had."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], str] = {}
        self._newest: dict[tuple[int, int], tuple[int, str]] = {}

    def apply(self, address: int, evse: int, version: int, words: str) -> None:
        key = (address, evse)
        self._last[key] = words
        known = self._newest.get(key)
        if known is None or version >= known[0]:
            self._newest[key] = (version, words)

    def forget(self, evses: Container[int]) -> None:
        """Lose what it knew of them, wherever."""
        for key in [key for key in self._last if key[1] in evses]:
            del self._last[key], self._newest[key]

    def last_written(self, address: int, evse: int) -> str | None:
        """What is shown by one that keeps whatever was written last."""
        return self._last.get((address, evse))

    def newest(self, address: int, evse: int) -> str | None:
        """What is shown by one that drops what is older than what it has."""
        known = self._newest.get((address, evse))
        return None if known is None else known[1]
