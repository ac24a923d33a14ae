"""What httpcore reads from and writes to: its own way with anyio, but with a request in one piece.

httpcore writes head and body one after the other, each as a packet with a turn of the event loop. Here they wait for
one another until the answer is asked for.
"""

import contextlib
import select
import ssl
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream

_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)


class Stream(httpcore.AsyncNetworkStream):
    """One connection."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._socket = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - no SQL
        self._poll: select.poll | None = None
        self._unsent = b""

    # The signatures are httpcore's.
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        self._unsent += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Send what was written, and wait for an answer to it.

        Raises:
            httpcore.ReadTimeout: for so many seconds there was none.
            httpcore.ReadError: the connection broke.
        """
        try:
            if timeout is None:
                return await self._exchange(max_bytes)
            with anyio.fail_after(timeout):
                return await self._exchange(max_bytes)
        except anyio.EndOfStream:
            return b""
        except TimeoutError as error:
            raise httpcore.ReadTimeout(error) from error
        except _GONE as error:
            raise httpcore.ReadError(error) from error

    async def _exchange(self, max_bytes: int) -> bytes:
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            with contextlib.suppress(*_GONE):  # it may have answered before it hung up
                await self._stream.send(unsent)
        return await self._stream.receive(max_bytes)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> "Stream":
        """Speak TLS from here on.

        Raises:
            httpcore.ConnectTimeout: it took longer than so many seconds.
            httpcore.ConnectError: it came to nothing.
        """
        try:
            with anyio.fail_after(timeout):
                wrapped = await TLSStream.wrap(
                    self._stream, ssl_context=ssl_context, hostname=server_hostname, standard_compatible=False
                )
        except Exception as error:
            await self.aclose()
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout(error) from error
            if isinstance(error, anyio.BrokenResourceError | anyio.EndOfStream | ssl.SSLError):
                raise httpcore.ConnectError(error) from error
            raise
        return Stream(wrapped)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._is_readable()
        return self._stream.extra(TLSAttribute.ssl_object, None) if info == "ssl_object" else None  # noqa: S610

    async def aclose(self) -> None:
        await self._stream.aclose()

    def _is_readable(self) -> bool:
        """Whether something has come unasked, of which the partner's hanging up is the usual."""
        if self._socket.fileno() < 0:
            return True
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLIN)
        return bool(self._poll.poll(0))


class Network(httpcore.AsyncNetworkBackend):
    """Where connections come from."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - we have none
    ) -> Stream:
        """Connect.

        Raises:
            httpcore.ConnectTimeout: it took longer than so many seconds.
            httpcore.ConnectError: it came to nothing.
        """
        try:
            with anyio.fail_after(timeout):
                return Stream(await anyio.connect_tcp(host, port, local_host=local_address))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(error) from error
        except (OSError, anyio.BrokenResourceError) as error:
            raise httpcore.ConnectError(error) from error
