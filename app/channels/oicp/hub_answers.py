"""The answers of the simulated Hubject: its own, those of the proxy in front of it, and answers that never arrive."""

import asyncio
import contextlib
from typing import Final
from uuid import uuid4

import msgspec
from litestar.types import Receive, Send

from app.channels.oicp.hub_behaviour import Trouble
from app.channels.oicp.hub_rules import OPERATOR_REFUSALS, acknowledged, fault

HUGE: Final = 2 * 1024 * 1024  #: characters in an answer without end
BUSY: Final = "The push of data is already in progress."

NO_CERTIFICATE: Final = "No required SSL certificate was sent"
BAD_CERTIFICATE: Final = "The SSL certificate error"
PLAIN_HTTP: Final = "The plain HTTP request was sent to HTTPS port"


class Answer(msgspec.Struct, frozen=True):
    """What the hub answers; `cut` leaves out the second half of the body, `lost` all of it."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=utf-8"
    cut: bool = False
    lost: bool = False
    retry_after: int | None = None


def said(body: msgspec.Struct, status: int = 200) -> Answer:
    """Answer as Hubject itself."""
    return Answer(status, msgspec.json.encode(body))


def page(status: int, title: str, text: str = "", *, retry_after: int | None = None) -> Answer:
    """Answer as the proxy in front of Hubject, which knows no OICP and gives no Process-ID."""
    heading = f"{status} {text or title}"
    body = (
        f"<html>\r\n<head><title>{heading}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n"
        f"<center>{text}</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, body.encode(), "text/html", retry_after=retry_after)


def too_many(retry_after: int | None) -> Answer:
    return page(429, "Too Many Requests", retry_after=retry_after)


def instead(trouble: Trouble | None, retry_after: int | None = None) -> Answer | None:
    """Return what is answered in place of performing the push; `None` where it is performed, now or later."""
    match trouble:
        case "500":
            return said(fault("001", "Unexpected error checking partners: null"), 500)
        case "017" | "210" | "300":
            status, body = OPERATOR_REFUSALS[trouble]
            return said(body, status)
        case "009":
            return said(acknowledged("009", "Data transaction error"))
        case "busy":
            return said(acknowledged("009", "Data transaction error", BUSY))
        case "429":
            return too_many(retry_after)
        case "403":
            return page(403, "Forbidden")
        case "502":
            return page(502, "Bad Gateway")
        case "certificate":
            return page(400, "Bad Request", BAD_CERTIFICATE)
        case "garbage":
            return Answer(200, b"<html><body>Back soon</body></html>", "text/html")
        case _:
            return None


def performed(trouble: Trouble | None) -> Answer:
    """Return what is answered to a push that was applied, or will be."""
    match trouble:
        case "huge":
            return said(acknowledged("000", "Success", "x" * HUGE))
        case "late-504":
            return page(504, "Gateway Time-out")
        case _:
            body = msgspec.json.encode(acknowledged())
            return Answer(200, body, cut=trouble == "cut", lost=trouble == "late")


async def pause(seconds: float, receive: Receive) -> None:
    """Wait, but no longer than the client does."""
    if seconds <= 0:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _gone(receive)


async def wait_for(event: asyncio.Event, receive: Receive) -> None:
    """Wait for it, but no longer than the client does."""
    waiting = {asyncio.create_task(event.wait()), asyncio.create_task(_gone(receive))}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_answer(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if answer.content_type.startswith("application/json"):
        headers.append((b"process-id", str(uuid4()).encode()))
    if answer.retry_after is not None:
        headers.append((b"retry-after", str(answer.retry_after).encode()))
    incomplete = answer.cut or answer.lost
    body = answer.body[: 0 if answer.lost else len(answer.body) // 2] if incomplete else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    # Short of what was announced and with no more to come, the server can only hang up.
    await send({"type": "http.response.body", "body": body, "more_body": incomplete})
