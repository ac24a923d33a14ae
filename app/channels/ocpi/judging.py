"""What a strict eMSP demands of a request to its Locations receiver, up to its body. Pure, for the simulator.

Spec: OCPI 2.2.1 transport_and_format; mod_locations, eMSP interface.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from hmac import compare_digest
from typing import Final
from urllib.parse import unquote

import msgspec

from app.channels.ocpi.release import Party

_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+", re.ASCII)
_IDS: Final = frozenset({"x-request-id", "x-correlation-id"})
_NEWLINE: Final = "\n"
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}", re.ASCII)
_PARTY: Final = re.compile(r"[A-Za-z0-9]{3}", re.ASCII)
#: What is asked of what: how many segments the URL has below the receiver's. A PATCH of a Location is allowed too, but
#: says nothing that the PATCH of an EVSE does not say better; Connectors have nothing that changes with time.
_DEPTHS: Final = {"PATCH": (4,), "PUT": (3, 4), "GET": (3, 4, 5)}
_SHAPES: Final = {
    3: "{country_code}/{party_id}/{location_id}",
    4: "{country_code}/{party_id}/{location_id}/{evse_uid}",
    5: "{country_code}/{party_id}/{location_id}/{evse_uid}/{connector_id}",
}


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


class Address(msgspec.Struct, frozen=True):
    """What a URL names: a Location, an EVSE in it, or a Connector of that."""

    country: str
    party: str
    location: str
    uid: str | None = None
    connector: str | None = None

    @property
    def key(self) -> str:
        """`{location}` or `{location}/{uid}`."""
        return self.location if self.uid is None else f"{self.location}/{self.uid}"


class Asked(msgspec.Struct, frozen=True):
    """A request that is right as far as its body; 2.1.1 has no `request_id`."""

    method: str
    address: Address
    request_id: str | None
    body: bytes


class Wrong(Exception):
    """The request is wrong: in what, and with which HTTP status and OCPI status code it is answered."""

    def __init__(self, what: str, http: int, ocpi: int) -> None:
        super().__init__(what)
        self.what = what
        self.http = http
        self.ocpi = ocpi


def judged(
    expected: Expected, *, method: str, path: str, query: bytes, headers: Iterable[tuple[str, str]], body: bytes
) -> Asked:
    """Read a request, whose `path` is still percent-encoded.

    Raises:
        Wrong: anything about it is not as OCPI has it.
    """
    given = [(name.lower(), value) for name, value in headers]
    _check_token(_header(given, "authorization"), expected)
    if method not in _DEPTHS:
        raise Wrong(f"{method}, which a Locations receiver does not have", 405, 2000)
    address = _address(method, expected.path, path)
    if query:
        raise Wrong("a query after the URL of an object", 404, 2001)
    if not (_COUNTRY.fullmatch(address.country) and _PARTY.fullmatch(address.party)):
        raise Wrong(f"{address.country}/{address.party} is no country code and party id", 404, 2001)
    if method == "GET":
        if body:
            raise Wrong("a GET with a body", 400, 2001)
    elif _header(given, "content-type") != "application/json":
        raise Wrong("Content-Type is not application/json", 415, 2001)
    request_id = None
    if expected.routes:
        _check_routing(given, expected.receiver)
        request_id = _header(given, "x-request-id")
    elif strange := sorted({name for name, _ in given if name.startswith("ocpi-") or name in _IDS}):
        raise Wrong(f"{', '.join(strange)}, which OCPI {expected.version} does not have", 200, 2001)
    return Asked(method, address, request_id, body)


def _header(given: list[tuple[str, str]], name: str) -> str:
    values = [value for one, value in given if one == name]
    if name == "authorization" and len(values) != 1:
        raise Wrong(f"{len(values)} Authorization headers", 401, 2000)
    if len(values) != 1 or not values[0]:
        raise Wrong(f"{len(values)} {name} headers with something in them, instead of one", 400, 2001)
    return values[0]


def _check_token(given: str, expected: Expected) -> None:
    token, encoded = expected.token, expected.version != "2.1.1"
    if compare_digest(given.encode(), f"Token {in_base64(token) if encoded else token}".encode()):
        return
    if given == f"Token {token if encoded else in_base64(token)}":
        raise Wrong(f"the token is {'not ' if encoded else ''}in base64", 401, 2000)
    if given == f"Token {in_base64(token + _NEWLINE)}":
        raise Wrong("a newline was encoded with the token", 401, 2000)
    raise Wrong("another token", 401, 2000)


def in_base64(token: str) -> str:
    """Write a token as it goes out from 2.2 on.

    Spec: OCPI 2.2.1 transport_and_format, Authorization header.
    """
    return b64encode(token.encode()).decode()


def _address(method: str, receiver: str, path: str) -> Address:
    if not path.startswith(f"{receiver}/"):
        raise Wrong(f"not below {receiver}/", 404, 2001)
    segments = path.removeprefix(f"{receiver}/").split("/")
    if len(segments) not in _DEPTHS[method]:
        shapes = " or ".join(_SHAPES[one] for one in _DEPTHS[method])
        raise Wrong(f"{method} of something that is not {shapes}", 404, 2001)
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise Wrong(f"the segment {segment!r} is empty or not percent-encoded", 404, 2001)
    try:
        return Address(*(unquote(segment, errors="strict") for segment in segments))
    except UnicodeDecodeError:
        raise Wrong("a segment is not UTF-8", 404, 2001) from None


def _check_routing(given: list[tuple[str, str]], receiver: Party) -> None:
    _header(given, "x-request-id")
    _header(given, "x-correlation-id")
    to = Party(_header(given, "ocpi-to-country-code"), _header(given, "ocpi-to-party-id"))
    if to != receiver:
        raise Wrong(f"addressed to {to.country} {to.party}, not to {receiver.country} {receiver.party}", 200, 2001)
    sender = Party(_header(given, "ocpi-from-country-code"), _header(given, "ocpi-from-party-id"))
    if not (_COUNTRY.fullmatch(sender.country) and _PARTY.fullmatch(sender.party)):
        raise Wrong(f"{sender.country} {sender.party} is no party to come from", 200, 2001)
