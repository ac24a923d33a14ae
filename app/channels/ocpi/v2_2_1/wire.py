"""How OCPI 2.2.1 looks on the wire: the headers of a request, and the body that changes a status."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from app.channels.ocpi.release import Party
from app.channels.ocpi.status import Status
from app.domain.instant import rfc3339


class StatusPatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of an EVSE has changed.

    `last_updated` must go with every PATCH; `uid` stands in the URL already and is repeated only for servers that
    insist on it.

    Spec: OCPI 2.2.1 mod_locations, eMSP interface, PATCH method.
    """

    status: Status
    last_updated: str
    uid: str | None = None


def status_patch(uid: str | None, status: Status, last_updated: datetime) -> bytes:
    """Write the body. `DateTime` is UTC with `Z`, at most 25 characters. Spec: OCPI 2.2.1 types, DateTime type."""
    return msgspec.json.encode(StatusPatch(status, rfc3339(last_updated), uid))


class SchedulePatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """The whole new schedule: a list that is patched replaces the one before. Spec: as for a status."""

    status_schedule: Sequence[Mapping[str, Any]]
    last_updated: str
    uid: str | None = None


def schedule_patch(uid: str | None, periods: Sequence[Mapping[str, Any]], last_updated: datetime) -> bytes:
    return msgspec.json.encode(SchedulePatch(periods, rfc3339(last_updated), uid))


def headers(authorization: str, sender: Party, receiver: Party) -> dict[str, str]:
    """Write the headers of one request; each request has ids of its own.

    Spec: OCPI 2.2.1 transport_and_format, Authorization header, unique message IDs, message routing.
    """
    return {
        "Authorization": authorization,
        "Content-Type": "application/json",
        "X-Request-ID": str(uuid4()),
        "X-Correlation-ID": str(uuid4()),
        "OCPI-from-country-code": sender.country,
        "OCPI-from-party-id": sender.party,
        "OCPI-to-country-code": receiver.country,
        "OCPI-to-party-id": receiver.party,
    }
