"""An id for every request and a line of the log for its answer: never a header, a body or what stands in the path."""

import re
import secrets
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final, cast

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

HEADER: Final = b"x-request-id"
NOWHERE: Final = "none"  #: the route of a path that does not exist
MOUNTED: Final = "/ocpi"  #: the route of whatever the one mounted application answers
_SANE: Final = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")
_QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})  #: asked all day long

log = structlog.get_logger(__name__)


class Requests:
    """Stands in front of the whole application, so that what no route answers has an id as well."""

    def __init__(
        self, app: ASGIApp, answered: Callable[[str, str, int, float], None], streaming: Callable[[int], None]
    ) -> None:
        """`answered` hears the route, method and status (0: none) of each answer, and after how many seconds it began.

        `streaming` hears 1 when an event stream is opened and -1 when it is over.
        """
        self._app = app
        self._answered = answered
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        request_id = given if _SANE.fullmatch(given) else secrets.token_hex(16).encode()
        began = perf_counter()
        status, head, streams = 0, 0.0, False

        async def answer(message: Message) -> None:
            nonlocal status, head, streams
            if message["type"] == "http.response.start":
                status, head = int(message["status"]), perf_counter() - began
                headers = list(message["headers"])
                if not any(name.lower() == HEADER for name, _ in headers):  # OCPI repeats its own
                    message["headers"] = [*headers, (HEADER, request_id)]
                if streams := any(value.startswith(b"text/event-stream") for _, value in headers):
                    self._streaming(1)
            await send(message)

        bound = bind_contextvars(request_id=request_id.decode("ascii"))
        try:
            await self._app(scope, receive, answer)
        finally:
            took = perf_counter() - began
            # What is mounted has no template of its own: the framework leaves it empty. Nor is it to be read off the
            # path: whatever begins like it is its, and would be a series of its own.
            template = cast("str | None", scope.get("path_template"))
            route = NOWHERE if template is None else template or MOUNTED
            if streams:
                self._streaming(-1)
            self._answered(route, scope["method"], status, head or took)
            _tell(scope, route, status, took)
            reset_contextvars(**bound)


def _tell(scope: Any, route: str, status: int, took: float) -> None:
    say = log.debug if route in _QUIET and status < 400 else log.info  # noqa: PLR2004
    key = None if (user := scope.get("user")) is None else user.id
    address = None if (client := scope.get("client")) is None else client[0]
    ms = round(took * 1000, 1)
    say("request", method=scope["method"], route=route, status=status or None, ms=ms, key=key, address=address)
