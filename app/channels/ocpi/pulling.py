"""An eMSP that pulls: from the versions of the other side to its Locations, page by page, judging every answer."""

from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from app.channels.ocpi.emsp_history import history_faults, merged
from app.channels.ocpi.emsp_pages import PullFailed, envelope_data, link_faults, location_faults, page_headers
from app.channels.ocpi.emsp_reading import Reading
from app.channels.ocpi.emsp_view import View
from app.channels.ocpi.fields import LONGEST_URL, Objects
from app.channels.ocpi.judging import in_base64
from app.channels.ocpi.release import Party
from app.channels.transport import Answer, Transport

__all__ = ["PullFailed", "Puller"]

LARGEST_PAGE: Final = 64 * 1024 * 1024  #: bytes
TIMEOUT: Final = 60.0  #: seconds for one page
_UNROUTED: Final = "2.1.1"  #: the version without ids and parties in headers, and without roles


class Puller:
    """One eMSP that speaks one version, with the token that the other side gave it.

    `wrong` is what it had to object to. `to` is whom it asks, where the other side has several parties. `passes` are
    the names of fields that may be there though the version does not have them.
    """

    def __init__(
        self,
        version: str,
        objects: Objects,
        token: str,
        party: Party,
        *,
        to: Party | None = None,
        passes: set[str] | None = None,
    ) -> None:
        self.wrong: list[str] = []
        self._version = version
        self._objects = objects
        self._token = token if version == _UNROUTED else in_base64(token)
        self._party = party
        self._to = to
        self._passes = passes or set()
        self._transport = Transport(in_flight=1, timeout=TIMEOUT, largest=LARGEST_PAGE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def pull(self, versions_url: str, *, since: View | None = None, limit: int | None = None) -> View:
        """Read all Locations, or those that changed `since` and what else is known from then.

        A full pull is the new truth: what is in none of its pages is no longer valid.

        Raises:
            PullFailed: an answer did not come, or cannot be read.
        """
        return await self.locations(await self.locations_url(versions_url), since=since, limit=limit)

    async def locations_url(self, versions_url: str) -> str:
        """Find the Locations of our version.

        Raises:
            PullFailed: it does not offer them.
        """
        versions = self._list(await self._data(versions_url), versions_url)
        ours = [one for one in versions if one.get("version") == self._version]
        if len(ours) != 1:
            raise PullFailed(f"{versions_url} names OCPI {self._version} {len(ours)} times")
        details_url = self._url(ours[0].get("url"), versions_url)
        details = await self._data(details_url)
        if not isinstance(details, dict) or details.get("version") != self._version:
            raise PullFailed(f"{details_url} gives the details of something else")
        endpoints = [
            one
            for one in self._list(details.get("endpoints"), details_url)
            if one.get("identifier") == "locations" and (self._version == _UNROUTED or one.get("role") == "SENDER")
        ]
        if len(endpoints) != 1:
            raise PullFailed(f"{details_url} names {len(endpoints)} endpoints to pull locations from")
        return self._url(endpoints[0].get("url"), details_url)

    async def locations(self, url: str, *, since: View | None = None, limit: int | None = None) -> View:
        """Read the Locations at `url`, which is the endpoint's own.

        Raises:
            PullFailed: an answer did not come, or cannot be read.
        """
        asked = {}
        if since is not None and since.latest is not None:
            asked["date_from"] = since.latest
        if limit is not None:
            asked["limit"] = str(limit)
        reading = Reading(self._faults_of, date_from=asked.get("date_from"), limit=limit)
        onward: str | None = f"{url}?{urlencode(asked)}" if asked else url
        visited: set[str] = set()
        while onward is not None:
            if onward in visited:
                raise PullFailed(f"the pages go round in a circle, back to {onward}")
            visited.add(onward)
            onward = await self._page(onward, asked, reading)
        wrong: list[str] = []
        reading.finish(wrong)
        read = reading.view()
        if since is not None:
            wrong += history_faults(since, read)
        self.wrong += [f"GET {url}: {one}" for one in wrong]
        return read if since is None else merged(since, read)

    async def _page(self, url: str, asked: dict[str, str], reading: Reading) -> str | None:
        answer = await self._get(url, functional=True)
        wrong: list[str] = []
        locations = envelope_data(answer, wrong)
        headers = page_headers(answer, wrong)
        if not isinstance(locations, list):
            raise PullFailed(f"GET {url}: no list of Locations")
        reading.add(locations, headers, wrong)
        if headers.next is not None:
            wrong += link_faults(url, headers.next, asked)
            if urlsplit(headers.next).netloc != urlsplit(url).netloc:
                raise PullFailed(f"GET {url}: the next page is at {headers.next}, where our token is not for")
        self.wrong += [f"GET {url}: {one}" for one in wrong]
        return headers.next

    async def _data(self, url: str) -> Any:
        wrong: list[str] = []
        data = envelope_data(await self._get(url, functional=False), wrong)
        self.wrong += [f"GET {url}: {one}" for one in wrong]
        return data

    async def _get(self, url: str, *, functional: bool) -> Answer:
        headers = {"Authorization": f"Token {self._token}"}
        repeated = {}
        if self._version != _UNROUTED:
            repeated = {"x-request-id": str(uuid4()), "x-correlation-id": str(uuid4())}
            headers |= repeated
            if functional:  # whom it is from and for has no place in the configuration modules
                headers |= {"OCPI-from-country-code": self._party.country, "OCPI-from-party-id": self._party.party}
                repeated |= {"ocpi-to-country-code": self._party.country, "ocpi-to-party-id": self._party.party}
                if self._to is not None:
                    headers |= {"OCPI-to-country-code": self._to.country, "OCPI-to-party-id": self._to.party}
                    repeated |= {"ocpi-from-country-code": self._to.country, "ocpi-from-party-id": self._to.party}
        sent = await self._transport.send("GET", url, headers=headers, body=b"")
        if not isinstance(sent, Answer):
            raise PullFailed(f"GET {url}: {sent}")
        if len(sent.body) >= LARGEST_PAGE:
            raise PullFailed(f"GET {url}: a page without end")
        for name, value in repeated.items():
            if sent.headers.get(name) != value:
                self.wrong.append(f"GET {url}: {name} is {sent.headers.get(name)!r} in the answer instead of {value}")
        return sent

    def _faults_of(self, location: Any) -> list[str]:
        return location_faults(self._version, self._objects, location, self._passes)

    def _list(self, given: Any, url: str) -> list[dict[str, Any]]:
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise PullFailed(f"GET {url}: {given!r:.60} where a list of objects belongs")
        return given

    def _url(self, given: Any, where: str) -> str:
        if not isinstance(given, str) or urlsplit(given).scheme not in {"http", "https"} or len(given) > LONGEST_URL:
            raise PullFailed(f"GET {where}: {given!r:.300} is no URL")
        return given
