"""What the tests of the OCPI channel start from."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.channels.channel import Means
from app.channels.ocpi.channel import OcpiChannel
from app.channels.ocpi.connection import OcpiConnection
from app.channels.outcomes import Outcome
from app.domain.delivery import Notice
from app.domain.evse import Evse
from app.domain.partner import Partner
from app.domain.presentation import Presentation, What
from app.domain.status import ActualStatus

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
TOKEN = "t0ken-~!with:punctuation"
CONFIGURATION: dict[str, Any] = {
    "url": "https://emsp.example/ocpi/locations",
    "token": TOKEN,
    "countryCode": "DE",
    "partyId": "EMS",
}


class StoppedClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def an_evse(**different: Any) -> Evse:
    return Evse(
        **{
            "id": 7,
            "evse_id": "DE*XPO*E1001*1",
            "key": "DEXPOE10011",
            "operator": "DEXPO",
            "country": "DE",
            "party": "XPO",
            "uid": "1001-1",
            "location": "XPO-LARKENAU",
            "created_by": "test",
            "created_at": NOW,
            "updated_at": NOW,
            **different,
        }
    )


def a_notice(what: What = ActualStatus.AVAILABLE, version: int = 1, **different: Any) -> Notice:
    """The version is also the number of seconds after `NOW`."""
    return Notice(an_evse(**different), Presentation(what), version, NOW + timedelta(seconds=version))


@asynccontextmanager
async def connected(url: str | None, *, patience: float = 5.0, **different: Any) -> AsyncGenerator[OcpiConnection]:
    """Open the channel towards `url`, through the same checks as a partner that an operator adds.

    Without a `url` it is a partner that only pulls.
    """
    channel = OcpiChannel()
    raw = {**CONFIGURATION, "url": url, **different}
    if url is None:
        del raw["url"], raw["token"]
    accepted = channel.accept(raw)
    partner = Partner(
        id=1,
        name="an eMSP",
        channel="ocpi",
        configuration={**accepted.configuration, **accepted.secrets},
        audience=accepted.audience,
        created_by="test",
        created_at=NOW,
        updated_at=NOW,
    )
    connection = channel.connect(partner, Means(StoppedClock(), patience))
    try:
        yield connection
    finally:
        await connection.close()


async def told(
    connection: OcpiConnection, what: What = ActualStatus.AVAILABLE, version: int = 1, /, **of: Any
) -> Outcome:
    return await connection.deliver(connection.translate(a_notice(what, version, **of)))


class Recorder:
    """A server that writes down what comes in, to the byte, and gives prepared answers: `first` in turn, then one."""

    def __init__(
        self, body: bytes = b'{"status_code":1000,"timestamp":"2026-11-21T08:30:00Z"}', status: int = 200
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.first: list[tuple[int, int]] = []  #: HTTP status and OCPI status code
        self.status = status
        self.body = body
        self.headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.requests.append(
            {
                "method": scope["method"],
                "path": scope["raw_path"].decode(),
                "query": scope["query_string"],
                "headers": [(name.decode(), value.decode()) for name, value in scope["headers"]],
                "body": body,
            }
        )
        status, answer = self.status, self.body
        if self.first:
            status, code = self.first.pop(0)
            answer = b'{"status_code":%d,"timestamp":"2026-11-21T08:30:00Z"}' % code
        await send({"type": "http.response.start", "status": status, "headers": self.headers})
        await send({"type": "http.response.body", "body": answer})

    @property
    def said(self) -> list[tuple[str, str]]:
        """Method and path of each request."""
        return [(one["method"], one["path"]) for one in self.requests]

    def bodies(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(one["body"]) for one in self.requests]
