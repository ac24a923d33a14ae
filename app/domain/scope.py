"""For which EVSEs a key is good: whole operators, whole sites, or EVSEs one by one. Never a prefix of an EVSE ID."""

from typing import TypeAlias

import msgspec

from app.domain.evse import Evse

#: Country, party and location id, as in OCPI.
Site: TypeAlias = tuple[str, str, str]


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The EVSEs of these operators, at these sites, and these; all there are where nothing is said.

    `operators` are operator keys as in `Evse.operator` (`DEABC`, `49*810`). `evses` are keys of the registry and no
    texts, since without its separators an EVSE ID may fit several chargers.
    """

    operators: tuple[str, ...] = ()
    sites: tuple[Site, ...] = ()
    evses: tuple[int, ...] = ()

    @property
    def is_everything(self) -> bool:
        return not (self.operators or self.sites or self.evses)

    def covers(self, evse: Evse) -> bool:
        return (
            self.is_everything
            or evse.operator in self.operators
            or evse.location_key in self.sites
            or evse.id in self.evses
        )

    def includes(self, other: "Scope") -> bool:
        """Tell whether `other` surely reaches no further, by what they say and not by where the EVSEs are now."""
        if self.is_everything:
            return True
        return not other.is_everything and all(
            set(theirs) <= set(ours)
            for theirs, ours in (
                (other.operators, self.operators),
                (other.sites, self.sites),
                (other.evses, self.evses),
            )
        )


EVERYTHING = Scope()
