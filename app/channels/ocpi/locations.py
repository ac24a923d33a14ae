"""Reading what a charging backend publishes: an OCPI Locations document, with the faults that real ones have.

Read permissively, and report what was odd: an operator should see every EVSE that is not as it should be.
Spec: OCPI 2.1.1, 2.2.1 and 2.3.0 mod_locations, Location and EVSE objects.
"""

import re
from collections import Counter
from datetime import datetime
from typing import Any, Final

import msgspec

from app.channels.ocpi.release import Party
from app.channels.ocpi.status import Status
from app.domain.errors import MalformedEvseId, MalformedInstant
from app.domain.evse import PublishedEvse
from app.domain.evse_id import parse_evse_id
from app.domain.instant import parse_instant
from app.domain.location import PublishedLocation

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SUCCESS: Final = range(1000, 2000)
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_PARTY: Final = re.compile(r"[A-Za-z0-9]{3}")
_WHOLE_PARTY: Final = re.compile(rf"({_COUNTRY.pattern})[*-]?({_PARTY.pattern})")
#: Says neither whose a Location is nor whether it is published.
_TERSE: Final = "2.1.1"


class LocationsUnreadable(ValueError):
    """The document is not JSON, or not an OCPI Locations document."""


class Quirk(msgspec.Struct, frozen=True):
    """Something odd: where in the document, and what was made of it."""

    where: str
    what: str


class Read(msgspec.Struct, frozen=True):
    """The EVSEs and the locations of a document in its order, and everything that was odd about it."""

    evses: tuple[PublishedEvse, ...]
    quirks: tuple[Quirk, ...]
    locations: tuple[PublishedLocation, ...] = ()


def read_locations(data: bytes, version: str = "2.2.1", party: Party | None = None) -> Read:
    """Read a JSON array of Locations in that version of OCPI, or a response that holds one as its `data`.

    `party` is whose those Locations are that do not say it, as none in 2.1.1 does.

    Raises:
        LocationsUnreadable: it is neither, the response says that something failed, or in 2.1.1 the party is missing.
    """
    reader = _Reader(version, party)
    for index, location in enumerate(_locations(data)):
        reader.read_location(f"location {index + 1}", location)
    return reader.result()


def parse_party(text: str) -> Party:
    """Read a country code and a party id, written as in an EVSE ID: `DE*XPO`.

    Raises:
        ValueError: it is no such thing.
    """
    if not (match := _WHOLE_PARTY.fullmatch(text)):
        raise ValueError("a country code of two letters and a party id of three letters or digits, such as DE*XPO")
    return Party(match[1].upper(), match[2].upper())


def _locations(data: bytes) -> list[Any]:
    try:
        document = msgspec.json.decode(data.removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, RecursionError) as error:
        raise LocationsUnreadable(f"not JSON: {error}") from None
    if isinstance(document, dict) and "status_code" in document:
        code = document["status_code"]
        if not (isinstance(code, int) and code in _SUCCESS):
            raise LocationsUnreadable(
                f"this is an OCPI answer that says no, with status_code {code}: {document.get('status_message')}"
            )
    locations = document.get("data") if isinstance(document, dict) else document
    if not isinstance(locations, list):
        raise LocationsUnreadable(
            "not an OCPI Locations document: expected a JSON array of Locations, or an OCPI response with one in `data`"
        )
    return locations


class _Site(msgspec.Struct, frozen=True):
    """What an EVSE takes from its location."""

    country: str
    party: str
    id: str
    published: bool


class _Reader:
    """Goes through one document, remembering what it has seen and what was odd."""

    def __init__(self, version: str, party: Party | None) -> None:
        self._version = version
        self._party = party
        self._locations: dict[tuple[str, str, str], PublishedLocation] = {}
        self._evses: list[PublishedEvse] = []
        self._quirks: list[Quirk] = []
        self._empty: Counter[str] = Counter()
        self._uids: set[tuple[str, str, str]] = set()
        self._evse_ids: set[str] = set()

    def result(self) -> Read:
        empty = [
            Quirk(field, f"empty instead of left out, {count} times; left out of what is kept")
            for field, count in self._empty.items()
        ]
        return Read(tuple(self._evses), (*self._quirks, *empty), tuple(self._locations.values()))

    def read_location(self, where: str, location: Any) -> None:
        if not isinstance(location, dict):
            return self._note(where, "not an object; skipped")
        if not (location_id := _text(location, "id")):
            return self._note(where, "has no id, so that its EVSEs cannot be addressed; skipped")
        where = f"location {location_id}"
        if (party := self._party_of(where, location)) is None:
            return self._note(
                where,
                "needs a country_code of two letters and a party_id of three letters or digits, or the import a "
                "--party; skipped",
            )
        published = location.get("publish", True if self._version == _TERSE else None)
        if not isinstance(published, bool):
            self._note(where, "does not say in `publish` whether it may be published; taken as false")
        evses = location.get("evses")
        if not isinstance(evses, list | None):
            return self._note(where, "its evses are not a list; skipped")
        site = _Site(party.country, party.party, location_id, published is True)
        self._keep_location(where, site, location)
        for index, evse in enumerate(evses or ()):
            self._read_evse(f"{where}, EVSE {index + 1}", site, evse)
        return None

    def _party_of(self, where: str, location: dict[str, Any]) -> Party | None:
        country, party = _text(location, "country_code"), _text(location, "party_id")
        if self._party is not None:
            country, party = country or self._party.country, party or self._party.party
        elif self._version == _TERSE and not (country and party):
            raise LocationsUnreadable(
                f"{where} does not say whose it is, as in OCPI {_TERSE} none does: name its country code and party id "
                "with --party, such as --party DE*XPO"
            )
        if country and party and _COUNTRY.fullmatch(country) and _PARTY.fullmatch(party):
            return Party(country, party)
        return None

    def _keep_location(self, where: str, site: _Site, location: dict[str, Any]) -> None:
        key = (site.country, site.party, site.id)
        if key in self._locations:
            return self._note(
                where, "occurs twice; its EVSEs are read, and what the first one says of the place counts"
            )
        without_evses = {field: value for field, value in location.items() if field != "evses"}
        self._locations[key] = PublishedLocation(
            country=site.country,
            party=site.party,
            id=site.id,
            ocpi_object=self._without_empty(without_evses, "Location"),
            ocpi_version=self._version,
        )
        return None

    def _read_evse(self, where: str, site: _Site, evse: Any) -> None:
        if not isinstance(evse, dict):
            return self._note(where, "not an object; skipped")
        if not (uid := _text(evse, "uid")):
            return self._note(where, "has no uid, so that it cannot be told apart; skipped")
        where = f"location {site.id}, EVSE {uid}"
        # Compared without regard to case, as OCPI compares ids since 2.2.
        key = (site.country.upper(), site.party.upper(), uid.upper())
        if key in self._uids:
            return self._note(where, "its uid occurs twice; skipped, the first one counts")
        self._uids.add(key)
        status = self._status(where, evse)
        one = PublishedEvse(
            evse_id=self._evse_id(where, evse, status),
            country=site.country,
            party=site.party,
            uid=uid,
            location=site.id,
            published=site.published,
            status=status.value,
            observed_at=self._observed_at(where, evse),
            ocpi_object=self._without_empty(evse, "EVSE"),
            ocpi_version=self._version,
        )
        self._evses.append(one)
        return None

    def _status(self, where: str, evse: dict[str, Any]) -> Status:
        word = evse.get("status")
        try:
            return Status(str(word))
        except ValueError:
            self._note(
                where, f"{word!r:.60} is no OCPI status; taken as UNKNOWN" if word else "no status; taken as UNKNOWN"
            )
            return Status.UNKNOWN

    def _evse_id(self, where: str, evse: dict[str, Any], status: Status) -> str | None:
        written = evse.get("evse_id")
        if written is None or written == "":
            if status is not Status.REMOVED:  # which may drop it, so that the printed id can be used again
                self._note(where, "has no evse_id; kept, but only its uid names it")
            return None
        try:
            parsed = parse_evse_id(written if isinstance(written, str) else "")
        except MalformedEvseId:
            self._note(where, f"{written!r:.60} is no EVSE ID; kept without it")
            return None
        if status is Status.REMOVED:
            return parsed.written
        if parsed.written.upper() in self._evse_ids:
            self._note(where, f"its evse_id {written} occurs twice; kept without it, the first one counts")
            return None
        self._evse_ids.add(parsed.written.upper())
        return parsed.written

    def _observed_at(self, where: str, evse: dict[str, Any]) -> datetime | None:
        written = evse.get("last_updated")
        if isinstance(written, str):
            # OCPI's times are UTC, and may leave out the Z that says so.
            for text in (written, f"{written}Z"):
                try:
                    return parse_instant(text)
                except MalformedInstant:
                    continue
        self._note(where, f"last_updated {written!r:.60} cannot be read; taken as not known")
        return None

    def _without_empty(self, value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [self._without_empty(one, path) for one in value]
        if not isinstance(value, dict):
            return value
        kept = {}
        for field, one in value.items():
            if one == "":
                self._empty[f"{path}.{field}"] += 1
            else:
                kept[field] = self._without_empty(one, f"{path}.{field}")
        return kept

    def _note(self, where: str, what: str) -> None:
        self._quirks.append(Quirk(where, what))


def _text(source: dict[str, Any], field: str) -> str | None:
    """Return an identifier, or `None` where there is none: missing, empty, no text, or with control characters."""
    value = source.get(field)
    return value if isinstance(value, str) and value.isprintable() and value.strip() else None
