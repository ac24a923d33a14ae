"""A list of Locations while it is read page by page, and whether its pages fit together."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from app.channels.ocpi.emsp_pages import PageHeaders
from app.channels.ocpi.emsp_view import View, read_time

#: How much earlier than asked for a Location may be: what was dated before and committed after has to be found.
OVERLAP: Final = timedelta(minutes=1)


class Reading:
    """Locations by their id, without their EVSEs, and EVSEs by `{location}/{uid}`, in the order in which they came.

    A list may change while it is read: then a Location may move from one page to another, which nobody is to blame
    for. So the pages are held against each other only where all have the same X-Total-Count.
    """

    def __init__(
        self, faults_of: Callable[[Any], list[str]], *, date_from: str | None = None, limit: int | None = None
    ) -> None:
        self.locations: dict[str, dict[str, Any]] = {}
        self.evses: dict[str, dict[str, Any]] = {}
        self.location_of: dict[str, str] = {}
        self._faults_of = faults_of
        self._date_from = date_from
        self._limit = limit
        self._totals: set[int | None] = set()
        self._twice: list[str] = []
        self._came = 0

    def add(self, page: list[Any], headers: PageHeaders, wrong: list[str]) -> None:
        """Take in one page, and add what is wrong with it."""
        self._totals.add(headers.total)
        self._came += len(page)
        most = min(one for one in (headers.limit, self._limit, len(page)) if one is not None)
        if len(page) > most:
            wrong.append(f"{len(page)} Locations on a page, more than {most}")
        if not page and headers.next is not None:
            wrong.append("an empty page that is not the last")
        for location in page:
            if found := self._faults_of(location):
                wrong += [f"Location {_id(location)}: {one}" for one in found]
            if _usable(location):
                self._take(location, wrong)

    def finish(self, wrong: list[str]) -> None:
        """Say what is wrong with all of it, now that no page is left."""
        if len(self._totals) != 1 or None in self._totals:
            return
        wrong += [f"Location {one} is there twice" for one in self._twice]
        (total,) = self._totals
        if self._came != total:
            wrong.append(f"{self._came} Locations came, and X-Total-Count is {total}")

    def view(self) -> View:
        return View.of(self.locations, self.evses, self.location_of)

    def _take(self, location: dict[str, Any], wrong: list[str]) -> None:
        name = location["id"]
        if name in self.locations:
            self._twice.append(name)
            for key in [key for key, home in self.location_of.items() if home == name]:
                del self.evses[key], self.location_of[key]
        if self._date_from is not None and read_time(location["last_updated"]) < read_time(self._date_from) - OVERLAP:
            wrong.append(f"Location {name} is of {location['last_updated']}, before date_from {self._date_from}")
        self.locations[name] = {field: value for field, value in location.items() if field != "evses"}
        for evse in location.get("evses") or ():
            self.evses[f"{name}/{evse['uid']}"] = evse
            self.location_of[f"{name}/{evse['uid']}"] = name


def _id(location: Any) -> str:
    return f"{location.get('id')}" if isinstance(location, dict) else f"{location!r:.60}"


def _usable(location: Any) -> bool:
    """Whether it can be kept at all: with a name and a time, and EVSEs that have them too."""
    if not isinstance(location, dict) or not _dated(location, "id"):
        return False
    evses = location.get("evses") or []
    return isinstance(evses, list) and all(isinstance(one, dict) and _dated(one, "uid") for one in evses)


def _dated(one: dict[str, Any], name: str) -> bool:
    try:
        read_time(one["last_updated"])
    except (KeyError, AttributeError, TypeError, ValueError):
        return False
    return isinstance(one.get(name), str)
