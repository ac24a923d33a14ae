"""A web application on a real socket of this machine, for as long as somebody wants it there."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from app.serving import serving
from app.serving_tls import ServerTls


def free_port() -> int:
    """Find a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def listening(app: Any, port: int | None = None, *, tls: ServerTls | None = None) -> AsyncGenerator[str]:
    """Serve the ASGI application `app` on 127.0.0.1, and give its base URL, without a slash at the end."""
    port = port or free_port()
    async with serving(app, "127.0.0.1", port, grace=1, tls=tls):
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
