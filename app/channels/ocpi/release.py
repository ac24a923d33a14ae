"""What differs from one version of OCPI to the next. A further version is one more of these."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from app.channels.ocpi.fields import Objects
from app.channels.ocpi.status import Status
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind


class Party(msgspec.Struct, frozen=True):
    """A party on either side: its ISO 3166-1 alpha-2 country code and its party id."""

    country: str
    party: str

    def is_same(self, other: "Party | None") -> bool:
        """Tell whether it is that party: ids go by no case. Spec: OCPI 2.2.1 types, CiString type."""
        if other is None:
            return False
        return (self.country.upper(), self.party.upper()) == (other.country.upper(), other.party.upper())


#: Writes the headers of one request: what proves who we are, from which party, to which.
WritesHeaders: TypeAlias = Callable[[str, Party, Party], dict[str, str]]
#: Writes the body that changes a status: the uid where it is to be repeated, the status, its `last_updated` (UTC).
WritesStatus: TypeAlias = Callable[[str | None, Status, datetime], bytes]
#: Writes the body that changes a schedule: the uid where it is to be repeated, the periods, `last_updated` (UTC).
WritesSchedule: TypeAlias = Callable[[str | None, Sequence[Mapping[str, Any]], datetime], bytes]


class Release(msgspec.Struct, frozen=True):
    """One version of OCPI: its status table, how it is written on the wire, and what its objects look like.

    `base64_token`: whether the token goes out in base64. Many partners do it as the other version has it.
    """

    version: str
    base64_token: bool
    kinds: Mapping[Kind, Status]
    actual: Mapping[ActualStatus, Status]
    objects: Objects
    headers: WritesHeaders
    status_patch: WritesStatus
    schedule_patch: WritesSchedule

    def status(self, what: What) -> Status:
        """Say what is shown in OCPI's word. An EVSE behind the gate is gone: OCPI knows no other way to hide it."""
        # Told apart by type, never by one table for all: `Kind.BLOCKED` and `ActualStatus.BLOCKED` are equal strings.
        match what:
            case Kind():
                return self.kinds[what]
            case ActualStatus():
                return self.actual[what]
            case Gate():
                return Status.REMOVED
