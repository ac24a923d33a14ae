"""Keys that scraped lately: while the database is away nobody can be asked about them, and metrics matter most."""

from typing import Final

import msgspec

from app.clock import Clock
from app.domain.principal import Principal

TRUSTED_FOR: Final = 3600.0  #: seconds after the database last said that the key is good
MOST: Final = 16  #: keys remembered


class _Scraper(msgspec.Struct, frozen=True):
    principal: Principal
    until: float


class Scrapers:
    """Remembers them by the digest of the key, on the monotonic clock, as long as the process lives."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, _Scraper] = {}

    def note(self, digest: str, principal: Principal) -> None:
        """The database says that this key is good, for `principal`."""
        self._known.pop(digest, None)
        self._known[digest] = _Scraper(principal, self._clock.monotonic() + TRUSTED_FOR)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def forget(self, digest: str) -> None:
        """The database says that this key is not good."""
        self._known.pop(digest, None)

    def find(self, digest: str) -> Principal | None:
        """Return whose key this was when the database could last be asked, if that is not too long ago."""
        one = self._known.get(digest)
        return None if one is None or one.until <= self._clock.monotonic() else one.principal
