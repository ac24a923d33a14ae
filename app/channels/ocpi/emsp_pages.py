"""What a strict eMSP demands of the answers that it pulls: the envelope, the headers of a page, the Locations in it.

Spec: OCPI 2.2.1 transport_and_format, response format and pagination; mod_locations, CPO interface.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from app.channels.ocpi.emsp_body import TOLERANT, check_evses
from app.channels.ocpi.emsp_fields import unknown_fields
from app.channels.ocpi.emsp_schedule import Unreadable, read_time
from app.channels.ocpi.fields import Moment, Objects, fault, faults
from app.channels.transport import Answer

_SUCCESS: Final = range(1000, 2000)
_ENVELOPE: Final = frozenset({"data", "status_code", "status_message", "timestamp"})
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?(?:\s*[;,]|\s*$)', re.IGNORECASE)
_OK: Final = 200


class PullFailed(Exception):
    """There was no answer that can be read: why, in words."""


def envelope_data(answer: Answer, wrong: list[str]) -> Any:
    """Return what is in the envelope, and add what is wrong with it.

    Raises:
        PullFailed: it is not one, or it says no.
    """
    try:
        envelope: Any = msgspec.json.decode(answer.body)
    except (ValueError, RecursionError):
        raise PullFailed(f"HTTP {answer.status}, and no JSON: {answer.excerpt}") from None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("status_code"), int):
        raise PullFailed(f"HTTP {answer.status}, and no envelope: {answer.excerpt}")
    if answer.status != _OK or envelope["status_code"] not in _SUCCESS:
        raise PullFailed(f"HTTP {answer.status}, OCPI {envelope['status_code']} {envelope.get('status_message')}")
    if not answer.is_json:
        wrong.append(f"Content-Type is {answer.headers.get('content-type')}")
    if problem := fault(Moment(), envelope.get("timestamp")):
        wrong.append(f"timestamp: {problem}")
    if not isinstance(envelope.get("status_message", ""), str):
        wrong.append("status_message is not a string")
    if strange := sorted(envelope.keys() - _ENVELOPE):
        wrong.append(f"the envelope has {', '.join(strange)}")
    if "data" not in envelope:
        raise PullFailed("an envelope with no data")
    return envelope["data"]


class PageHeaders(msgspec.Struct, frozen=True):
    """What the headers of a page say: how many there are in all, how many a page may have, where it goes on."""

    total: int | None
    limit: int | None
    next: str | None


def page_headers(answer: Answer, wrong: list[str]) -> PageHeaders:
    """Read them, and add what is wrong with them."""
    link = answer.headers.get("link")
    onward = None
    if link is not None:
        if match := _NEXT.search(link):
            onward = match[1]
        else:
            wrong.append(f"Link {link} leads to no next page")
    return PageHeaders(_number(answer, "X-Total-Count", 0, wrong), _number(answer, "X-Limit", 1, wrong), onward)


def _number(answer: Answer, name: str, least: int, wrong: list[str]) -> int | None:
    written = answer.headers.get(name.lower(), "")
    if written.isascii() and written.isdigit() and int(written) >= least:
        return int(written)
    wrong.append(f"{name} is {written!r}" if written else f"no {name}")
    return None


def link_faults(here: str, onward: str, asked: Mapping[str, str]) -> Iterator[str]:
    """Say in what the link to the next page is not one, or does not keep what was asked for."""
    at, to = urlsplit(here), urlsplit(onward)
    if (at.scheme, at.netloc, at.path) != (to.scheme, to.netloc, to.path):
        yield f"Link leads elsewhere: {onward}"
    kept = parse_qs(to.query)
    for name, value in asked.items():
        if name != "offset" and kept.get(name) != [value]:
            yield f"Link {onward} loses {name}={value}"
    if kept.get("offset", ["0"]) == parse_qs(at.query).get("offset", ["0"]):
        yield f"Link {onward} leads to the page itself"


def location_faults(version: str, objects: Objects, location: Any, passes: Collection[str]) -> list[str]:
    """List in what a Location, with its EVSEs, is not as the version has it."""
    if found := faults(objects.location, location, unknown_tolerated=True):
        return found
    if version not in TOLERANT:
        unknown = sorted(set(unknown_fields(objects.location, location)))
        found = [f"unknown field {one}" for one in unknown if one.rpartition(".")[2] not in passes]
    try:
        read_time(location["last_updated"], "last_updated")
        check_evses(location)
    except Unreadable as problem:
        found.append(str(problem))
    return found
