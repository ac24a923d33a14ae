"""A CPO that offers its Locations to be pulled, by the specification but for what a test twists, and who pulls them."""

from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec

from app.channels.ocpi.simulator import Emsp
from app.demo.listening import listening
from tests.contract.ocpi.given import TOKEN, StoppedClock
from tests.contract.ocpi.sending import whole_evse, whole_location


class Page(msgspec.Struct):
    """An answer before it is written. `what` is asked for: `versions`, `details` or `locations`."""

    what: str
    headers: dict[str, str]
    envelope: dict[str, Any]
    status: int = 200
    body: bytes | None = None


class Publisher:
    """`twist` makes of a right answer what a test wants; `asked` is what came in."""

    def __init__(self, version: str, locations: list[dict[str, Any]]) -> None:
        self.version = version
        self.locations = locations
        self.per_page = 2
        self.twist: Callable[[Page], None] = lambda _page: None
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        base = f"http://{headers['host']}/ocpi"
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        path = scope["path"].removeprefix("/ocpi")
        self.asked.append((path, query, headers))
        page = self._answer(path, base, query, headers)
        self.twist(page)
        body = msgspec.json.encode(page.envelope) if page.body is None else page.body
        encoded = [(name.lower().encode(), value.encode()) for name, value in page.headers.items()]
        await send({"type": "http.response.start", "status": page.status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str, base: str, query: dict[str, str], asked: dict[str, str]) -> Page:
        headers = {"Content-Type": "application/json"}
        for name in ("x-request-id", "x-correlation-id"):
            if name in asked:
                headers[name] = asked[name]
        for part in ("country-code", "party-id"):
            if (sender := asked.get(f"ocpi-from-{part}")) is not None:
                headers[f"ocpi-to-{part}"] = sender
                headers[f"ocpi-from-{part}"] = asked.get(f"ocpi-to-{part}", "XX")
        token = TOKEN if self.version == "2.1.1" else b64encode(TOKEN.encode()).decode()
        if asked.get("authorization") != f"Token {token}":
            return Page(path, headers, _envelope(None, 2000), status=401)
        if path == "/versions":
            others = [{"version": "2.0", "url": f"{base}/2.0"}]
            data: Any = [*others, {"version": self.version, "url": f"{base}/{self.version}"}]
            return Page("versions", headers, _envelope(data))
        if path == f"/{self.version}":
            roles = [{}] if self.version == "2.1.1" else [{"role": "RECEIVER"}, {"role": "SENDER"}]
            urls = [f"{base}/elsewhere", f"{base}/{self.version}/locations"][-len(roles) :]
            endpoints = [{"identifier": "locations", "url": url, **role} for url, role in zip(urls, roles, strict=True)]
            return Page("details", headers, _envelope({"version": self.version, "endpoints": endpoints}))
        return self._page(f"{base}{path}", headers, query)

    def _page(self, url: str, headers: dict[str, str], query: dict[str, str]) -> Page:
        meant = [one for one in self.locations if one["last_updated"] >= query.get("date_from", "")]
        offset = int(query.get("offset", 0))
        limit = min(int(query.get("limit", self.per_page)), self.per_page)
        headers |= {"X-Total-Count": str(len(meant)), "X-Limit": str(self.per_page)}
        if offset + limit < len(meant):
            headers["Link"] = f'<{url}?{urlencode({**query, "offset": offset + limit})}>; rel="next"'
        return Page("locations", headers, _envelope(meant[offset : offset + limit]))


def _envelope(data: Any, code: int = 1000) -> dict[str, Any]:
    return {"data": data, "status_code": code, "status_message": "words", "timestamp": "2026-11-21T08:30:00Z"}


def a_site(version: str, number: int, second: float = 1, **different: Any) -> dict[str, Any]:
    evses = [whole_evse(version, second, uid=f"{number}-{one}", **different) for one in (1, 2)]
    return whole_location(version, second, id=f"LOC{number}", evses=evses)


class Pull:
    """One side that publishes, and one that pulls from it."""

    def __init__(self, publisher: Publisher, emsp: Emsp, url: str) -> None:
        self.publisher = publisher
        self.emsp = emsp
        self.url = url

    async def __call__(self, **how: Any) -> Any:
        return await self.emsp.pull(self.url, TOKEN, **how)


@asynccontextmanager
async def pulling(version: str = "2.2.1", sites: int = 5, **different: Any) -> AsyncGenerator[Pull]:
    publisher = Publisher(version, [a_site(version, number) for number in range(sites)])
    async with listening(publisher) as base:
        emsp = Emsp(StoppedClock(), TOKEN, version=version, **different)
        yield Pull(publisher, emsp, f"{base}/ocpi/versions")


def on(what: str, twist: Callable[[Page], Any]) -> Callable[[Page], None]:
    def twisted(page: Page) -> None:
        if page.what == what:
            twist(page)

    return twisted
