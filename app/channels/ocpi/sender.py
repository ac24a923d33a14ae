"""What a partner that asks is told of a Location: in the same words as it is pushed. Pure.

Spec: OCPI 2.2.1 mod_locations, CPO interface (Sender).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from app.channels.ocpi.converting import evse_object, location_object
from app.channels.ocpi.partner_release import release_of
from app.channels.ocpi.periods import periods
from app.channels.ocpi.release import Party, Release
from app.channels.ocpi.settings import OcpiSettings
from app.domain.delivery import Notice
from app.domain.location import Location
from app.domain.partner import Partner

#: The version whose requests are routed by the token alone, and whose ids go by their case.
UNROUTED: Final = "2.1.1"


class Sender(msgspec.Struct, frozen=True):
    """How one partner is answered. `own` is the party that speaks to it, `None` for that of each location."""

    release: Release
    partner: Party
    own: Party | None
    schedule: bool

    @property
    def version(self) -> str:
        return self.release.version

    @property
    def routes(self) -> bool:
        return self.version != UNROUTED

    @property
    def ids_have_case(self) -> bool:
        return self.version == UNROUTED

    def endpoints(self, url: str) -> list[dict[str, str]]:
        """The modules of the version; which side of them we are is said from 2.2 on."""
        role = {"role": "SENDER"} if self.version != UNROUTED else {}
        return [{"identifier": "locations", **role, "url": f"{url}/locations"}]

    def location(self, location: Location, notices: Sequence[Notice], last_updated: datetime) -> dict[str, Any] | None:
        """Write a Location with its EVSEs; `None` where the version cannot say it, or any of them.

        Without `notices` it is one that its EVSEs have left.
        """
        evses = [one for one in map(self._evse, notices) if one is not None]
        if notices and not evses:
            return None
        return location_object(self.release, location, last_updated=last_updated, evses=evses)

    def part(self, written: dict[str, Any], path: Sequence[str]) -> dict[str, Any] | None:
        """Choose from a Location, as it was written, itself or the EVSE or the Connector that `path` names."""
        chosen: dict[str, Any] | None = written
        for name, (field, key) in zip(path, (("evses", "uid"), ("connectors", "id")), strict=False):
            chosen = None if chosen is None else self._named(chosen[field], key, name)
        return chosen

    def _evse(self, notice: Notice) -> dict[str, Any] | None:
        return evse_object(
            self.release,
            notice.evse,
            status=self.release.status(notice.presentation.what),
            schedule=periods(self.release, notice.announced) if self.schedule else (),
            last_updated=notice.last_updated,
        )

    def _named(self, objects: Sequence[dict[str, Any]], key: str, name: str) -> dict[str, Any] | None:
        exactly = [one for one in objects if one[key] == name]
        if self.ids_have_case:
            return exactly[0] if exactly else None
        alike = [one for one in objects if one[key].lower() == name.lower()]
        return (exactly + alike)[0] if alike else None


def sender_for(partner: Partner) -> Sender:
    """Read how a partner is to be answered, for which none of its secrets is needed."""
    settings = msgspec.convert({**partner.configuration, "token": ""}, OcpiSettings)
    return Sender(release_of(settings), settings.receiver, settings.sender, partner.gets_schedule)
