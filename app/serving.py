"""An HTTP server inside a program that has work of its own to finish: signals stay the program's."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn

from app.serving_abort import AbortableProtocol
from app.serving_tls import ServerTls, TlsProtocol, context_of

GRACE_SECONDS: Final = 20  #: how long requests may go on after the server was told to stop


class CannotListen(Exception):
    """The address is taken, or not ours to listen on."""


class Server(uvicorn.Server):
    """Leaves signals alone: uvicorn would raise SIGTERM again when it is done, before anything else is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(
    app: Any,
    host: str,
    port: int,
    *,
    grace: int = GRACE_SECONDS,
    tls: ServerTls | None = None,
    proxies: Sequence[str] = (),
) -> AsyncGenerator[Server]:
    """Serve the ASGI application `app` until the block is left; then finish the requests under way.

    With `tls` by https, and the application finds in its scope who the client proved to be. What `proxies`, addresses
    and networks, say of whom they call for is believed; of anybody else it is not.

    Raises:
        CannotListen: nothing can listen there.
    """
    context = None if tls is None else context_of(tls)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=AbortableProtocol if context is None else TlsProtocol,
        ssl_context_factory=None if context is None else lambda *_: context,
        log_config=None,
        access_log=False,
        # Said outright: left out, uvicorn believes whoever connects from this machine, or what the environment says.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=grace,
    )
    server = Server(config)
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port"
        ) from None
    # asyncio does this only for sockets that it made itself. Without, an answer's body waits until its head was
    # acknowledged: 40 ms each time.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    task = asyncio.create_task(server.serve(sockets=[listener]), name=f"serving {port}")
    while not server.started:
        if task.done():
            await task
            raise RuntimeError("the server did not start")
        await asyncio.sleep(0.005)
    try:
        yield server
    finally:
        server.should_exit = True
        await task
        listener.close()


async def stop_asked() -> signal.Signals:
    """Wait until somebody asks the process to stop, with SIGTERM or Ctrl-C."""
    asked: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, _set, asked, one)
    return await asked


def stop_at_once_when_asked_again() -> None:
    """From now on SIGTERM and Ctrl-C end the process there and then, as kill -9 would."""
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, os._exit, 128 + one)


def _set(asked: "asyncio.Future[signal.Signals]", received: signal.Signals) -> None:
    if not asked.done():
        asked.set_result(received)
