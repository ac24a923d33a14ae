"""Every answer of ours in OCPI's envelope, a refusal too.

Spec: OCPI 2.2.1 transport_and_format, response format; status_codes.
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.instant import rfc3339

SUCCESS: Final = 1000
CLIENT_ERROR: Final = 2000
WRONG_PARAMETER: Final = 2001
UNKNOWN_LOCATION: Final = 2003
SERVER_ERROR: Final = 3000
UNSUPPORTED_VERSION: Final = 3002


class Envelope(msgspec.Struct, frozen=True):
    """What stands around the data."""

    status_code: int
    status_message: str
    timestamp: str
    data: Any | UnsetType = UNSET


class Answer(msgspec.Struct, frozen=True):
    """An answer that is ready to go out."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Refused(Exception):
    """A request is not granted: with which HTTP status and OCPI status code it is answered, and why."""

    def __init__(self, http: HTTPStatus, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.http = http
        self.code = code
        self.headers = headers or {}


def wrong_parameter(name: str, what: str) -> Refused:
    """A request that reached us in good order is answered with HTTP 200, whatever is wrong with it."""
    return Refused(HTTPStatus.OK, WRONG_PARAMETER, f"{name}: {what}")


def granted(data: Any, at: datetime, headers: Mapping[str, str] | None = None) -> Answer:
    envelope = Envelope(SUCCESS, "Success", rfc3339(at), data)
    return Answer(HTTPStatus.OK, msgspec.json.encode(envelope), headers or {})


def refused(refusal: Refused, at: datetime) -> Answer:
    envelope = Envelope(refusal.code, str(refusal), rfc3339(at))
    return Answer(refusal.http, msgspec.json.encode(envelope), refusal.headers)
