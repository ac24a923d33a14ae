"""Where an EVSE and its location are found at a partner that has a Locations receiver.

Spec: OCPI 2.2.1 mod_locations, eMSP interface: `{url}/{country_code}/{party_id}/{location_id}/{evse_uid}`.
"""

import re
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from app.domain.evse import Evse

_HEADER_SAFE: Final = re.compile(r"[!-~]+")


class Unaddressed(msgspec.Struct, frozen=True):
    """An EVSE that has no address at an OCPI partner, and what to do about it."""

    reason: str


def evse_url(receiver: str, evse: Evse) -> str:
    """Return the EVSE's URL below the receiver's, each segment percent-encoded."""
    return _below(receiver, evse.country, evse.party, evse.location or "", evse.uid)


class Former(msgspec.Struct, frozen=True):
    """An address at which an EVSE was told before, in its parts."""

    country: str
    party: str
    location: str
    uid: str

    @classmethod
    def read(cls, address: str) -> "Former":
        """Read an `Evse.address`."""
        return cls(*map(unquote, address.split("/")))


def former_url(receiver: str, address: str) -> str:
    """Return the URL of what was told at that `Evse.address`, which is encoded already."""
    return f"{receiver.rstrip('/')}/{address}"


def location_url(receiver: str, evse: Evse) -> str:
    """Return the URL of the location where the EVSE stands."""
    return _below(receiver, evse.country, evse.party, evse.location or "")


def unaddressed(evse: Evse) -> Unaddressed | None:
    """Say why an EVSE has no address, if it has none."""
    name = evse.evse_id or f"the EVSE with uid {evse.uid}"
    if not evse.location:
        return Unaddressed(
            f"{name} has no OCPI location: set it with PUT /v2/evses/{{evseId}} (locationId), or import the locations"
        )
    segments = (evse.country, evse.party, evse.location, evse.uid)
    # No way to write these in a URL: "." and ".." mean other resources, and would change a whole location or more.
    if any(one in {"", ".", ".."} for one in segments):
        return Unaddressed(f"{name} cannot be addressed in OCPI: {'/'.join(segments)} is not a usable path")
    if not (_HEADER_SAFE.fullmatch(evse.country) and _HEADER_SAFE.fullmatch(evse.party)):
        return Unaddressed(f"{name} cannot be addressed in OCPI: country code and party id must be printable ASCII")
    return None


def _below(receiver: str, *segments: str) -> str:
    return "/".join([receiver.rstrip("/"), *(quote(one, safe="") for one in segments)])
