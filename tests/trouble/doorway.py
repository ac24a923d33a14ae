"""A socket in front of an ASGI application, which can be shut and opened again, and hang up on a caller."""

import asyncio
import contextlib
import socket
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tests.ports import steady_port

HANG_UP: Final = "hang_up"  #: where in the scope an application finds how to drop the connection


class _Protocol(HttpToolsProtocol):
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # ASGI lets a server add to it
        scope[HANG_UP] = self.transport.abort


class Doorway:
    """Where an application listens; `url` stays the same however often it goes away."""

    def __init__(self, app: Any) -> None:
        self._port = steady_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._config = uvicorn.Config(app, http=_Protocol, log_config=None, access_log=False, lifespan="off")
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def open(self) -> None:
        """Listen, again or for the first time."""
        if self._server is not None:
            return
        # With nothing to wait for until it is noted, as whoever opens may be cancelled, or another may open as well.
        listener = socket.create_server(("127.0.0.1", self._port))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        self._server = server = await loop.create_server(self._connected, sock=listener, start_serving=False)
        await server.start_serving()

    async def shut(self) -> None:
        """Go away: no connection survives, none comes about. What was taken in is still worked on."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for connection in list(self._state.connections):
                with contextlib.suppress(AttributeError):  # accepted, but not yet introduced
                    connection.transport.abort()
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Go away for good, once everything that was taken in has come to its end."""
        await self.shut()
        while self._state.tasks:
            await asyncio.wait(self._state.tasks)

    def _connected(self) -> asyncio.Protocol:
        return _Protocol(self._config, self._state, {})
