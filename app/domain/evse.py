"""An EVSE as it is registered, and what it was last heard to be doing."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from app.domain.presentation import Actual
from app.domain.status import ActualStatus, DeploymentState


class EvseCore(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """As much of an EVSE as decides what is shown of it, and to whom.

    `id` is its key in the store; `operator` the operator part of its EVSE ID (`DEABC`), `location` OCPI's location id.
    `observed_at` is when the backend saw its actual status (UTC); `object_changed_at` (UTC) when what was imported of
    it last differed.
    """

    id: int
    operator: str
    location: str | None = None
    deployment: DeploymentState = DeploymentState.STOCK
    actual_status: ActualStatus = ActualStatus.UNKNOWN
    observed_at: datetime | None = None
    object_changed_at: datetime | None = None

    def actual(self, max_age: timedelta | None) -> Actual:
        """What the charger does, believed for `max_age` after it was seen; for ever where that is `None`."""
        if max_age is None or self.observed_at is None:
            return Actual(self.actual_status)
        return Actual(self.actual_status, self.observed_at + max_age)


class Evse(EvseCore, frozen=True, kw_only=True):
    """One EVSE, whole.

    `evse_id` is the EVSE ID as registered, which imported EVSEs may lack. `country`, `party` and `uid` name it in OCPI.
    `reported` is the actual status in the word it came in. `ocpi_object` is what was imported, in OCPI's version
    `ocpi_version`.
    """

    evse_id: str | None
    key: str | None
    country: str
    party: str
    uid: str
    reported: str | None = None
    ocpi_object: dict[str, Any] | None = None
    ocpi_version: str | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime

    @property
    def location_key(self) -> tuple[str, str, str | None]:
        return (self.country, self.party, self.location)

    @property
    def address(self) -> str | None:
        """Where partners find it: country, party, location and uid, percent-encoded; `None` if no URL can hold it."""
        segments = (self.country, self.party, self.location or "", self.uid)
        if any(one in {"", ".", ".."} for one in segments):
            return None
        return "/".join(quote(one, safe="") for one in segments)


class PublishedEvse(msgspec.Struct, frozen=True, kw_only=True):
    """One EVSE as its backend publishes it.

    `evse_id` is `None` where it has none that can be used. `published` is its location's `publish`. `status` is one
    of OCPI's words, `REMOVED` among them. `observed_at` (UTC) is its `last_updated`. `ocpi_object` is the EVSE with
    its connectors as published, unknown fields included and empty strings left out; `ocpi_version` the version of
    OCPI that it is in.
    """

    evse_id: str | None
    country: str
    party: str
    uid: str
    location: str
    published: bool
    status: str
    observed_at: datetime | None
    ocpi_object: dict[str, Any]
    ocpi_version: str = "2.2.1"
