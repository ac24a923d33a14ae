"""One request of a partner: its path, its query, and what of its headers comes back in the answer.

Spec: OCPI 2.2.1 transport_and_format, unique message IDs, message routing.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from litestar import Request

from app.channels.ocpi.release import Party
from app.channels.ocpi.sender import Sender

PREFIX: Final = "ocpi"
_IDS: Final = ("X-Request-ID", "X-Correlation-ID")


class Asking(msgspec.Struct, frozen=True):
    """A request. `base` is our own address as the partner knows it, `path` what follows `/ocpi`, in its segments."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    base: str

    def url(self, *path: str) -> str:
        return "/".join((self.base, PREFIX, *path))

    def ids(self) -> dict[str, str]:
        """The ids of the request, repeated; demanded of nobody."""
        return {name: self.headers[name.lower()] for name in _IDS if name.lower() in self.headers}

    @property
    def asked_of(self) -> Party | None:
        return self._party("to")

    def routed(self, sender: Sender, ours: Party | None) -> dict[str, str]:
        """The parties of the answer: those of the request, swapped. `ours` is who answers, where nobody was named."""
        asked_by, asked_of = self._party("from"), self.asked_of
        if not sender.routes or (asked_by is None and asked_of is None):
            return {}
        answering = asked_of or sender.own or ours
        return _parties("to", asked_by or sender.partner) | ({} if answering is None else _parties("from", answering))

    def _party(self, side: str) -> Party | None:
        country = self.headers.get(f"ocpi-{side}-country-code")
        party = self.headers.get(f"ocpi-{side}-party-id")
        return Party(country, party) if country and party else None


def asking(request: Request[Any, Any, Any], public_url: str | None) -> Asking:
    """Read a request, by its path as it was sent: an id may hold a slash."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    segments = raw.decode("latin-1").partition("?")[0].split("/")
    # Not there where the slash after it came encoded: then it is no path of ours.
    path = segments[segments.index(PREFIX) + 1 :] if PREFIX in segments else []
    if path and not path[-1]:
        path.pop()  # some add a slash at the end
    host = request.headers.get("host") or ":".join(str(part) for part in request.scope.get("server") or ("localhost",))
    return Asking(
        request.method,
        tuple(unquote(segment) for segment in path),
        {name: values[-1] for name, values in request.query_params.dict().items()},
        request.headers,
        public_url or f"{request.scope['scheme']}://{host}",
    )


def _parties(side: str, party: Party) -> dict[str, str]:
    return {f"OCPI-{side}-country-code": party.country, f"OCPI-{side}-party-id": party.party}
