"""Invented EVSEs, partners and answers that the tests of this channel share."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from app.channels.channel import Means
from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.connection import OicpConnection
from app.channels.transport import Answer
from app.clock import SystemClock
from app.domain.delivery import Notice
from app.domain.evse import Evse
from app.domain.partner import Partner
from app.domain.presentation import Presentation, What
from app.domain.status import DeploymentState
from tests.clock import FrozenClock

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
OPERATOR = "DE*ABC"
EVSE_ID = "DE*ABC*E840*6487"
PATH = "/api/oicp/evsepush/v21/operators/DE%2AABC/status-records"


def notice(what: What, evse_id: str | None = EVSE_ID, version: int = 1) -> Notice:
    evse = Evse(
        id=1,
        evse_id=evse_id,
        key=None,
        operator="DEABC",
        country="DE",
        party="ABC",
        uid="840-6487",
        deployment=DeploymentState.PRODUCTION,
        created_by="test",
        created_at=NOW,
        updated_at=NOW,
    )
    return Notice(evse, Presentation(what), version, NOW)


def configuration(base_url: str = "https://hub.example", **more: Any) -> dict[str, Any]:
    return {"baseUrl": base_url, "operatorId": OPERATOR, **more}


@asynccontextmanager
async def opened(
    base_url: str, *, seconds: float = 5.0, accepted_at: datetime | None = None, **more: Any
) -> AsyncGenerator[OicpConnection]:
    """Open a connection with a configuration that was accepted and stored, as the service does it."""
    channel = OicpChannel(None if accepted_at is None else FrozenClock(accepted_at))
    accepted = channel.accept(configuration(base_url, **more))
    partner = Partner(
        id=1,
        name="hubject",
        channel=channel.name,
        configuration=accepted.configuration,
        secrets=accepted.secrets,
        audience=accepted.audience,
        created_by="test",
        created_at=NOW,
        updated_at=NOW,
    )
    connection = channel.connect(partner.with_secrets(), Means(SystemClock(), seconds))
    try:
        yield connection
    finally:
        await connection.close()


def answer(status: int, body: bytes | str, kind: str = "application/json;charset=utf-8", **headers: str) -> Answer:
    named: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": kind, **named}, body.encode() if isinstance(body, str) else body)
