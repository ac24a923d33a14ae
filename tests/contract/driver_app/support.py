"""An EVSE, a partner and a receiver that writes down what it gets."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from litestar import Litestar, Request, post
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp

from app.channels.channel import Connection, Means
from app.channels.driver_app.channel import DriverAppChannel
from app.clock import Clock
from app.demo.listening import listening
from app.domain.delivery import Notice
from app.domain.evse import Evse
from app.domain.partner import Partner
from app.domain.presentation import Presentation, What
from app.domain.status import ActualStatus
from tests.clock import FrozenClock

AT = datetime(2026, 11, 21, 8, 0, 0, 250_000, tzinfo=UTC)
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_SECRET = "whsec_OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk="


def clock_at(at: datetime = AT) -> FrozenClock:
    return FrozenClock(at)


class Recorder:
    """Answers as told, and keeps the requests with their headers and bodies."""

    def __init__(self, status: int = 204, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.status, self.headers, self.body = status, headers, body
        self.requests: list[tuple[dict[str, str], bytes]] = []

        @post("/hook")
        async def hook(request: Request[Any, Any, Any]) -> ASGIApp:
            self.requests.append((dict(request.headers), await request.body()))
            return ASGIResponse(status_code=self.status, headers=self.headers, body=self.body, media_type="text/plain")

        self.app = Litestar([hook], openapi_config=None, logging_config=None)


def evse(evse_id: str | None = "DE*ABC*E1234*1", key: int = 1) -> Evse:
    return Evse(
        id=key,
        evse_id=evse_id,
        key=evse_id,
        operator="DEABC",
        country="DE",
        party="ABC",
        uid="1234-1",
        created_by="test",
        created_at=AT,
        updated_at=AT,
    )


def notice(
    what: What = ActualStatus.AVAILABLE,
    version: int = 1,
    *,
    until: datetime | None = None,
    last_updated: datetime = AT,
    about: Evse | None = None,
) -> Notice:
    return Notice(about or evse(), Presentation(what, None, until), version, last_updated)


def partner(url: str, *, generation: int = 1, **configuration: Any) -> Partner:
    accepted = DriverAppChannel().accept({"url": url, "secret": SECRET, **configuration})
    return Partner(
        id=7,
        name="an app",
        channel="driver_app",
        configuration=accepted.configuration,
        secrets=accepted.secrets,
        generation=generation,
        created_by="test",
        created_at=AT,
        updated_at=AT,
    ).with_secrets()


@asynccontextmanager
async def connected(
    url: str, clock: Clock, *, seconds: float = 5.0, **configuration: Any
) -> AsyncGenerator[Connection]:
    connection = DriverAppChannel().connect(partner(url, **configuration), Means(clock, timeout=seconds))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def recording(recorder: Recorder, clock: Clock, **configuration: Any) -> AsyncGenerator[Connection]:
    async with listening(recorder.app) as base, connected(f"{base}/hook", clock, **configuration) as connection:
        yield connection
