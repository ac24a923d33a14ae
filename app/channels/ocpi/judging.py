"""What a strict eMSP demands of a request that changes the status of an EVSE. Pure, for the simulator.

`last_updated` is demanded in 2.1.1 too, which only advises it.

Spec: OCPI 2.2.1 transport_and_format; mod_locations, eMSP interface; types, DateTime type.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from app.channels.ocpi.release import Party
from app.channels.ocpi.status import Status
from app.domain.errors import MalformedInstant
from app.domain.instant import parse_instant

#: The fields of an EVSE. Spec: OCPI 2.2.1 mod_locations, EVSE object.
FIELDS: Final = frozenset(
    {
        *("uid", "evse_id", "status", "status_schedule", "capabilities", "connectors", "floor_level", "coordinates"),
        *("physical_reference", "directions", "parking_restrictions", "images", "last_updated"),
    }
)
LONGEST_TIME: Final = 25  #: characters of a DateTime
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)
_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+", re.ASCII)
_IDS: Final = frozenset({"x-request-id", "x-correlation-id"})
_NEWLINE: Final = "\n"
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}", re.ASCII)
_PARTY: Final = re.compile(r"[A-Za-z0-9]{3}", re.ASCII)


class Expected(msgspec.Struct, frozen=True):
    """What the eMSP gave out: its version, its token, its party, the path of its Locations receiver."""

    version: str
    token: str
    receiver: Party
    path: str

    @property
    def routes(self) -> bool:
        """Whether requests have ids, and say from whom and for whom they are. Not in 2.1.1."""
        return self.version != "2.1.1"


class Change(msgspec.Struct, frozen=True):
    """What a right request says. `key` names the EVSE as `{location}/{uid}`; 2.1.1 has no `request_id`."""

    key: str
    status: str
    last_updated: str
    request_id: str | None


class Wrong(Exception):
    """The request is wrong: in what, and with which HTTP status and OCPI status code it is answered."""

    def __init__(self, what: str, http: int, ocpi: int) -> None:
        super().__init__(what)
        self.what = what
        self.http = http
        self.ocpi = ocpi


def judged(
    expected: Expected, *, method: str, path: str, query: bytes, headers: Iterable[tuple[str, str]], body: bytes
) -> Change:
    """Read a request, whose `path` is still percent-encoded.

    Raises:
        Wrong: anything about it is not as OCPI has it.
    """
    given = [(name.lower(), value) for name, value in headers]
    _check_token(_header(given, "authorization"), expected)
    if method != "PATCH":
        raise Wrong(f"{method} instead of PATCH", 405, 2000)
    country, party, location, uid = _segments(expected.path, path)
    if query:
        raise Wrong("a query after the EVSE's URL", 404, 2001)
    if not (_COUNTRY.fullmatch(country) and _PARTY.fullmatch(party)):
        raise Wrong(f"{country}/{party} is no country code and party id", 404, 2001)
    if _header(given, "content-type") != "application/json":
        raise Wrong("Content-Type is not application/json", 415, 2001)
    request_id = None
    if expected.routes:
        _check_routing(given, expected.receiver)
        request_id = _header(given, "x-request-id")
    elif strange := sorted({name for name, _ in given if name.startswith("ocpi-") or name in _IDS}):
        raise Wrong(f"{', '.join(strange)}, which OCPI {expected.version} does not have", 200, 2001)
    status, last_updated = _body(body, uid)
    return Change(f"{location}/{uid}", status, last_updated, request_id)


def _header(given: list[tuple[str, str]], name: str) -> str:
    values = [value for one, value in given if one == name]
    if name == "authorization" and len(values) != 1:
        raise Wrong(f"{len(values)} Authorization headers", 401, 2000)
    if len(values) != 1 or not values[0]:
        raise Wrong(f"{len(values)} {name} headers with something in them, instead of one", 400, 2001)
    return values[0]


def _check_token(given: str, expected: Expected) -> None:
    token, in_base64 = expected.token, expected.version != "2.1.1"
    if compare_digest(given.encode(), f"Token {_base64(token) if in_base64 else token}".encode()):
        return
    if given == f"Token {token if in_base64 else _base64(token)}":
        raise Wrong(f"the token is {'not ' if in_base64 else ''}in base64", 401, 2000)
    if given == f"Token {_base64(token + _NEWLINE)}":
        raise Wrong("a newline was encoded with the token", 401, 2000)
    raise Wrong("another token", 401, 2000)


def _base64(token: str) -> str:
    return b64encode(token.encode()).decode()


def _segments(receiver: str, path: str) -> list[str]:
    if not path.startswith(f"{receiver}/"):
        raise Wrong(f"not below {receiver}/", 404, 2001)
    segments = path.removeprefix(f"{receiver}/").split("/")
    if len(segments) != 4:  # noqa: PLR2004 - country code, party id, location id, EVSE uid
        raise Wrong("not {country_code}/{party_id}/{location_id}/{evse_uid}", 404, 2001)
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise Wrong(f"the segment {segment!r} is empty or not percent-encoded", 404, 2001)
    return [unquote(segment, errors="strict") for segment in segments]


def _check_routing(given: list[tuple[str, str]], receiver: Party) -> None:
    _header(given, "x-request-id")
    _header(given, "x-correlation-id")
    to = Party(_header(given, "ocpi-to-country-code"), _header(given, "ocpi-to-party-id"))
    if to != receiver:
        raise Wrong(f"addressed to {to.country} {to.party}, not to {receiver.country} {receiver.party}", 200, 2001)
    sender = Party(_header(given, "ocpi-from-country-code"), _header(given, "ocpi-from-party-id"))
    if not (_COUNTRY.fullmatch(sender.country) and _PARTY.fullmatch(sender.party)):
        raise Wrong(f"{sender.country} {sender.party} is no party to come from", 200, 2001)


def _body(body: bytes, uid: str) -> tuple[str, str]:
    try:
        given: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise Wrong("the body is not JSON", 400, 2001) from None
    if not isinstance(given, dict):
        raise Wrong("the body is not an object", 200, 2001)
    if unknown := given.keys() - FIELDS:
        raise Wrong(f"unknown fields {', '.join(sorted(unknown))}", 200, 2001)
    if given.get("uid", uid) != uid:
        raise Wrong("the uid in the body is not the one in the URL", 200, 2001)
    if given.get("status") not in {one.value for one in Status}:
        raise Wrong(f"status {given.get('status')!r} is none of OCPI's", 200, 2001)
    return given["status"], _last_updated(given.get("last_updated"))


def _last_updated(given: Any) -> str:
    if not isinstance(given, str):
        raise Wrong("no last_updated, which is mandatory", 200, 2001)
    if len(given) > LONGEST_TIME or not _TIME.fullmatch(given):
        raise Wrong(f"last_updated {given} is not UTC with Z in at most {LONGEST_TIME} characters", 200, 2001)
    try:
        parse_instant(given)
    except MalformedInstant as error:
        raise Wrong(f"last_updated {given}: {error}", 200, 2001) from None
    return given
