"""The brake on the blast radius: no key below operations hides a site or an operator within minutes."""

import math
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
    overridden by keys below operations, all of it beginning within `within` of one another. Then it refuses. A key that
    has more than a handful of that itself, and more than a quarter of what may be, is held back there for `hold`,
    unless the brake is lifted.
    """

    site_share: float = 0.5
    operator_share: float = 0.2
    handful: int = 5
    within: timedelta = timedelta(minutes=5)
    hold: timedelta = timedelta(minutes=30)

    def most(self, group: Group, evses: int) -> int:
        """How many of a group of `evses` may be overridden within minutes."""
        share = self.operator_share if group.site is None else self.site_share
        return max(self.handful, math.floor(share * evses))

    def is_at_fault(self, own: int, most: int) -> bool:
        """Tell whether a key with so many of it is to be held back, and not one that only comes when all is taken."""
        return own > max(self.handful, most // 4)

    def is_near(self, one: datetime, other: datetime) -> bool:
        """Tell whether what begins then is counted together."""
        return abs(one - other) <= self.within


class Hold(msgspec.Struct, frozen=True):
    """From when until when one key is held back."""

    since: datetime
    until: datetime

    def lasts(self, at: datetime) -> bool:
        """Tell whether it holds at `at`; what began far ahead of that was done by a wrong clock."""
        return abs(at - self.since) < self.until - self.since


class Braked(msgspec.Struct, frozen=True, kw_only=True):
    """How the brake of one group stands. Times are UTC.

    `tripped_by` is the key whose call it refused when it last took hold, as `evses` of `of` EVSEs would have been
    overridden; `refused` calls since then. `held` are the keys that it holds back, and no others: whoever has little to
    do with it goes on as soon as there is room.
    """

    group: Group
    tripped_at: datetime | None = None
    tripped_by: str | None = None
    evses: int = 0
    of: int = 0
    refused: int = 0
    held: dict[str, Hold] = {}
    lifted_until: datetime | None = None
    lifted_by: str | None = None

    def holds_back(self, key: str, at: datetime) -> bool:
        return key in self.holding(at)

    def holding(self, at: datetime) -> dict[str, Hold]:
        """The keys that it holds back at `at`; none while it is lifted."""
        return {} if self.is_lifted(at) else {key: hold for key, hold in self.held.items() if hold.lasts(at)}

    def holds_until(self, at: datetime) -> datetime | None:
        """Until when the last of them is held back, if any is at `at`."""
        return max((hold.until for hold in self.holding(at).values()), default=None)

    def is_lifted(self, at: datetime) -> bool:
        """Tell whether nothing is counted at `at`; nobody lifts it for so long that it is lifted far ahead of that."""
        return self.lifted_until is not None and timedelta() < self.lifted_until - at <= LONGEST_LIFT

    def tripped(self, at: datetime, by: str, evses: int, of: int, hold: timedelta) -> "Braked":
        """Return it as it took hold of a key."""
        held = {**self.holding(at), by: Hold(at, at + hold)}
        known = {"tripped_at": at, "tripped_by": by, "evses": evses, "of": of, "refused": 1}
        return msgspec.structs.replace(self, **known, held=held, lifted_until=None, lifted_by=None)

    def refused_again(self) -> "Braked":
        return msgspec.structs.replace(self, refused=self.refused + 1)

    def lifted(self, by: str, until: datetime) -> "Braked":
        """Return it let go: nobody is held back, and nothing is counted until then."""
        return msgspec.structs.replace(self, held={}, lifted_by=by, lifted_until=until)
