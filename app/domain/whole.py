"""A whole part of the fleet, as it is named to say one thing about all of it: an operator, or a location."""

from typing import Final

import msgspec

from app.domain.evse import Evse
from app.domain.evse_id import operator_name
from app.domain.status import DeploymentState

MOST_IN_BATCH: Final = 5000  #: EVSEs that one call is about


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """All EVSEs of an operator, or at a location of OCPI's, but for deprecated ones.

    `operator` is a key as in `Evse.operator`. A `location` may leave `country` and `party` out.
    """

    operator: str | None = None
    location: str | None = None
    country: str | None = None
    party: str | None = None

    @property
    def name(self) -> str:
        """How it is called, for people: `operator DE*ABC`, `location DE/ABC/LOC1`, `location LOC1`."""
        if self.operator is not None:
            return f"operator {operator_name(self.operator)}"
        return "location " + "/".join(one for one in (self.country, self.party, self.location) if one is not None)

    def covers(self, evse: Evse) -> bool:
        """Tell whether an EVSE belongs to it."""
        if evse.deployment is DeploymentState.DEPRECATED:
            return False
        if self.operator is not None:
            return evse.operator == self.operator
        named = ((self.location, evse.location), (self.country, evse.country), (self.party, evse.party))
        return all(said is None or said == has for said, has in named)
