"""An OCPI partner that keeps what it is told, behind the real channel, without a socket."""

from typing import Any

import msgspec

from app.channels.channel import Means
from app.channels.ocpi.channel import OcpiChannel
from app.channels.ocpi.connection import OcpiConnection
from app.channels.transport import Answer
from app.domain.partner import Partner

CONFIGURATION: dict[str, Any] = {
    "url": "https://emsp.example/l",
    "token": "token",
    "pullToken": "a-pull-token-of-16",
    "countryCode": "NL",
    "partyId": "EMS",
}
OBJECT: dict[str, Any] = {
    "uid": "3256",
    "evse_id": "DE*ABC*E1",
    "status": "AVAILABLE",
    "connectors": [
        {
            "id": "1",
            "standard": "IEC_62196_T2",
            "format": "SOCKET",
            "power_type": "AC_3_PHASE",
            "max_voltage": 230,
            "max_amperage": 32,
            "last_updated": "2026-01-01T00:00:00Z",
        }
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}


class Keeping:
    """`says` maps a method to the (HTTP status, OCPI code) that it is answered with; else it is applied."""

    def __init__(self) -> None:
        self.evses: dict[str, dict[str, Any]] = {}
        self.says: dict[str, tuple[int, int]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def status(self) -> str:
        (one,) = self.evses.values()
        return str(one["status"])

    async def send(self, method: str, url: str, *, headers: Any, body: bytes) -> Answer:  # noqa: ARG002
        said = msgspec.json.decode(body)
        self.asked.append((method, said))
        http, code = self.says.get(method, (200, 1000))
        if (http, code) == (200, 1000):
            self.evses[url] = {**self.evses.get(url, {}), **said} if method == "PATCH" else said
        return Answer(http, {}, msgspec.json.encode({"status_code": code, "timestamp": "2026-01-01T00:00:00Z"}))

    async def close(self) -> None: ...


class Channel(OcpiChannel):
    def __init__(self, partner: Keeping) -> None:
        self._keeping = partner

    def connect(self, partner: Partner, means: Means) -> OcpiConnection:
        connection = super().connect(partner, means)
        connection._transport = self._keeping  # type: ignore[assignment]
        return connection
