"""Everything below `/ocpi`: who asks, for what, and an answer in OCPI's envelope whatever happens.

Mounted as one application: a path that does not exist and a method that is not offered are answered in the envelope as
well, which the framework's own routing would answer in its way.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, asgi
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from app.api.context import Context
from app.api.ocpi import locations, versions
from app.api.ocpi.asking import PREFIX, Asking, asking
from app.api.ocpi.caller import caller
from app.api.ocpi.envelope import CLIENT_ERROR, SERVER_ERROR, Answer, Refused, refused
from app.channels.ocpi.sender import sender_for
from app.store.failures import DatabaseUnavailable

_DEEPEST = 5  #: segments: version, module, location, EVSE, connector

log = structlog.get_logger(__name__)


@asgi(f"/{PREFIX}", is_mount=True, copy_scope=True)
async def ocpi(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a partner."""
    if scope["type"] != ScopeType.HTTP:
        await send({"type": "websocket.close", "code": 1008, "reason": "OCPI is HTTP"})
        return
    request: Request[Any, Any, Any] = Request(scope, receive, send)
    context: Context = request.app.state.context
    asked = asking(request, context.settings.public_url)
    try:
        answer = await _answer(context, asked)
    except Refused as refusal:
        answer = refused(refusal, context.clock.now())
    except DatabaseUnavailable as error:
        away = Refused(HTTPStatus.SERVICE_UNAVAILABLE, SERVER_ERROR, str(error), {"Retry-After": "1"})
        answer = refused(away, context.clock.now())
    except Exception:
        log.exception("a request failed", method=request.method, path=request.url.path)
        failed = Refused(HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_ERROR, "something went wrong here; it is logged")
        answer = refused(failed, context.clock.now())
    await _send(send, answer, asked.ids())


async def _answer(context: Context, asked: Asking) -> Answer:
    async with context.database.read() as connection:
        partner = await caller(connection, asked.headers.get("authorization", ""))
        sender, at = sender_for(partner), context.clock.now()
        match asked.path:
            case ("versions",):
                _only_get(asked)
                return versions.versions(asked, sender, at)
            case (_,):
                versions.only_its_own(asked, sender)
                _only_get(asked)
                return versions.details(asked, sender, at)
            case (_, "locations", *rest) if len(asked.path) <= _DEEPEST:
                versions.only_its_own(asked, sender)
                _only_get(asked)
                answers = locations.part if rest else locations.locations
                return await answers(connection, partner, asked, sender, at)
    raise Refused(HTTPStatus.NOT_FOUND, CLIENT_ERROR, f"there is nothing here: {asked.url('versions')} says what is")


def _only_get(asked: Asking) -> None:
    if asked.method != "GET":
        message = f"{asked.method} is not for this side of the interface"
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, CLIENT_ERROR, message, {"Allow": "GET"})


async def _send(send: Send, answer: Answer, headers: Mapping[str, str]) -> None:
    everything = {
        "Content-Type": "application/json",
        "Content-Length": str(len(answer.body)),
        **answer.headers,
        **headers,
    }
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in everything.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
