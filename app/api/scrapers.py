"""Keys that scraped lately: while the database is away nobody can be asked about them, and metrics matter most."""

from typing import Final

import msgspec

from app.clock import Clock
from app.domain.principal import Principal

TRUSTED_FOR: Final = 3600.0  #: seconds after the database last said that the key is good
MOST: Final = 16  #: keys remembered


_From = tuple[str, str | None]  # digest and address: a key may be good from some addresses only


class _Scraper(msgspec.Struct, frozen=True):
    principal: Principal
    until: float


class Scrapers:
    """Remembers them by the digest of the key and where it came from, on the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[_From, _Scraper] = {}

    def note(self, came: _From, principal: Principal) -> None:
        """The database says that this key is good from there, for `principal`."""
        self._known.pop(came, None)
        self._known[came] = _Scraper(principal, self._clock.monotonic() + TRUSTED_FOR)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def forget(self, came: _From) -> None:
        """The database says that this key is not good from there."""
        self._known.pop(came, None)

    def find(self, came: _From) -> Principal | None:
        """Return whose key this was when the database could last be asked, if that is not too long ago."""
        one = self._known.get(came)
        return None if one is None or one.until <= self._clock.monotonic() else one.principal
