"""Requests as a CPO sends them to a Locations receiver: right ones, but for what a test says is different."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from app.channels.ocpi.simulator import Emsp
from app.demo.listening import listening
from tests.contract.ocpi.given import TOKEN, StoppedClock

VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
PLACE = "/DE/XPO/XPO-LARKENAU"
HERE = f"{PLACE}/1001-1"
KEY = "XPO-LARKENAU/1001-1"
WHEN = "2026-11-21T08:30:00.000Z"
BODY: dict[str, Any] = {"status": "AVAILABLE", "last_updated": WHEN}
HEADERS = {
    "Authorization": f"Token {b64encode(TOKEN.encode()).decode()}",
    "Content-Type": "application/json",
    "X-Request-ID": "request-1",
    "X-Correlation-ID": "correlation-1",
    "OCPI-from-country-code": "DE",
    "OCPI-from-party-id": "XPO",
    "OCPI-to-country-code": "DE",
    "OCPI-to-party-id": "EMS",
}
HEADERS_2_1_1 = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}


def a_patch(second: float = 0, **said: Any) -> dict[str, Any]:
    """As of so many seconds after half past eight."""
    return {**(said or {"status": "AVAILABLE"}), "last_updated": at(second)}


def at(second: float) -> str:
    return f"2026-11-21T08:{30 + int(second // 60):02d}:{second % 60:06.3f}Z"


def a_period(begin: str = "09:00", end: str | None = "10:00", status: str = "INOPERATIVE") -> dict[str, Any]:
    """A period of the schedule, from and to these times of that day."""
    period = {"period_begin": f"2026-11-21T{begin}:00Z", "status": status}
    return period if end is None else {**period, "period_end": f"2026-11-21T{end}:00Z"}


def whole_evse(version: str = "2.2.1", second: float = 0, **different: Any) -> dict[str, Any]:
    measured = {"voltage": 400, "amperage": 32} if version == "2.1.1" else {"max_voltage": 400, "max_amperage": 32}
    connector = {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        **measured,
        "last_updated": at(0),
    }
    return {
        "uid": "1001-1",
        "evse_id": "DE*XPO*E1001*1",
        "status": "AVAILABLE",
        "connectors": [connector],
        "last_updated": at(second),
        **different,
    }


def whole_location(version: str = "2.2.1", second: float = 0, **different: Any) -> dict[str, Any]:
    by_version: dict[str, Any] = {
        "country_code": "DE",
        "party_id": "XPO",
        "publish": True,
        "time_zone": "Europe/Berlin",
    }
    if version == "2.1.1":
        by_version = {"type": "ON_STREET", "postal_code": "12345"}
    return {
        **by_version,
        "id": "XPO-LARKENAU",
        "address": "Larkenauer Weg 1",
        "city": "Larkenau",
        "country": "DEU",
        "coordinates": {"latitude": "52.520000", "longitude": "13.400000"},
        "last_updated": at(second),
        **different,
    }


class Sender:
    """Sends right requests, but for what a test says is different."""

    def __init__(self, emsp: Emsp, base: str, client: httpx.AsyncClient, version: str = "2.2.1") -> None:
        self.emsp = emsp
        self.version = version
        self._url = emsp.url(base)
        self._client = client
        self._count = 0

    async def send(
        self,
        method: str = "PATCH",
        path: str = HERE,
        headers: dict[str, str | None] | None = None,
        body: bytes | dict[str, Any] = BODY,
    ) -> httpx.Response:
        self._count += 1
        numbered: dict[str, str | None] = {**HEADERS_2_1_1}
        if self.version != "2.1.1":
            numbered = {**HEADERS, "X-Request-ID": f"request-{self._count}"}
        numbered |= headers or {}
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        kept = {name: value for name, value in numbered.items() if value is not None}
        return await self._client.request(method, self._url + path, headers=kept, content=content)

    async def patch(self, second: float = 0, path: str = HERE, **said: Any) -> httpx.Response:
        return await self.send(path=path, body=a_patch(second, **said))

    async def put_evse(self, second: float = 0, path: str = HERE, **different: Any) -> httpx.Response:
        return await self.send("PUT", path, body=whole_evse(self.version, second, **different))

    async def put_location(self, second: float = 0, path: str = PLACE, **different: Any) -> httpx.Response:
        return await self.send("PUT", path, body=whole_location(self.version, second, **different))

    async def get(self, path: str = HERE) -> httpx.Response:
        return await self.send("GET", path, {"Content-Type": None}, b"")


@asynccontextmanager
async def sending(version: str = "2.2.1", **different: Any) -> AsyncGenerator[Sender]:
    """Send to an eMSP without a socket: that it listens on one is for the tests of faults and of the channel."""
    emsp = Emsp(StoppedClock(), TOKEN, version=version, **different)
    app: Any = emsp.app  # Litestar types ASGI more narrowly than httpx
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        yield Sender(emsp, "http://emsp", client, version)


@asynccontextmanager
async def sending_over_a_socket(**different: Any) -> AsyncGenerator[Sender]:
    emsp = Emsp(StoppedClock(), TOKEN, **different)
    async with listening(emsp.app) as base, httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield Sender(emsp, base, client)


def said(answer: httpx.Response) -> tuple[int, int]:
    """HTTP status and OCPI status code."""
    return answer.status_code, answer.json()["status_code"]


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nothing to wait for tells
            await asyncio.sleep(0.005)


async def hang_up(sender: Sender, **request: Any) -> None:
    """Send something, and do not wait for the answer."""
    sent = asyncio.create_task(sender.send(**request))
    await until(lambda: sender.emsp.under_way)
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
