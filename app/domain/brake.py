"""The brake on the blast radius: no key below operations hides a site or an operator within minutes."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.domain.evse import Evse
from app.domain.evse_id import operator_name
from app.domain.scope import Scope, Site

LONGEST_LIFT: Final = timedelta(days=1)


class Group(msgspec.Struct, frozen=True):
    """All EVSEs of an operator, or of one site; one of the two is `None`."""

    operator: str | None = None
    site: Site | None = None

    @property
    def name(self) -> str:
        """How it is called in the store, in the API and at the command line: `operator DE*ABC`, `site DE/ABC/LOC1`."""
        return f"operator {self.id}" if self.site is None else f"site {self.id}"

    @property
    def id(self) -> str:
        """How people write it: `DE*ABC`, `DE/ABC/LOC1`."""
        return operator_name(self.operator or "") if self.site is None else "/".join(self.site)

    @property
    def scope(self) -> Scope:
        operators = () if self.operator is None else (self.operator,)
        return Scope(operators=operators, sites=() if self.site is None else (self.site,))


def groups_of(evse: Evse) -> list[Group]:
    """The groups that an EVSE belongs to, the smaller one first."""
    country, party, location = evse.location_key
    site = [] if location is None else [Group(site=(country, party, location))]
    return [*site, Group(operator=evse.operator)]


class Brake(msgspec.Struct, frozen=True, kw_only=True):
    """When it takes hold.

    Of the EVSEs in production of a site or of an operator, more than `handful` *and* more than a share would be
    overridden by keys below operations, all of it beginning within `within` of one another. Once it took hold it stays
    for `hold`, unless it is lifted.
    """

    site_share: float = 0.5
    operator_share: float = 0.2
    handful: int = 5
    within: timedelta = timedelta(minutes=5)
    hold: timedelta = timedelta(hours=1)

    def most(self, group: Group, evses: int) -> int:
        """How many of a group of `evses` may be overridden within minutes."""
        share = self.operator_share if group.site is None else self.site_share
        return max(self.handful, math.floor(share * evses))

    def near(self, begins: Iterable[tuple[int, datetime]], begin: datetime) -> set[int]:
        """The EVSEs for which something begins within minutes of `begin`, before it or after."""
        return {evse for evse, other in begins if abs(other - begin) <= self.within}


class Braked(msgspec.Struct, frozen=True, kw_only=True):
    """How the brake of one group stands. Times are UTC.

    `tripped_by` is the key whose call it refused first; `evses` of `of` EVSEs would have been overridden by it;
    `refused` calls since then.
    """

    group: Group
    tripped_at: datetime | None = None
    tripped_by: str | None = None
    evses: int = 0
    of: int = 0
    refused: int = 0
    held_until: datetime | None = None
    lifted_until: datetime | None = None
    lifted_by: str | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether it refuses everything at `at`; what it did far ahead of that was done by a wrong clock."""
        if self.tripped_at is None or self.held_until is None or self.is_lifted(at):
            return False
        return abs(at - self.tripped_at) < self.held_until - self.tripped_at

    def is_lifted(self, at: datetime) -> bool:
        """Tell whether nothing is counted at `at`; nobody lifts it for so long that it is lifted far ahead of that."""
        return self.lifted_until is not None and timedelta() < self.lifted_until - at <= LONGEST_LIFT

    def tripped(self, at: datetime, by: str, evses: int, of: int, hold: timedelta) -> "Braked":
        """Return it as it took hold."""
        return msgspec.structs.replace(
            self,
            tripped_at=at,
            tripped_by=by,
            evses=evses,
            of=of,
            refused=1,
            held_until=at + hold,
            lifted_until=None,
            lifted_by=None,
        )

    def refused_again(self) -> "Braked":
        return msgspec.structs.replace(self, refused=self.refused + 1)

    def let_go(self) -> "Braked":
        """Return it as it no longer holds, and counts anew."""
        return msgspec.structs.replace(self, held_until=None)

    def lifted(self, by: str, until: datetime) -> "Braked":
        """Return it let go: nothing holds, and nothing is counted until then."""
        return msgspec.structs.replace(self, held_until=None, lifted_by=by, lifted_until=until)
