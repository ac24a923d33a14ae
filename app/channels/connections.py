"""Connections to one partner that are kept open, each with one request at a time.

They are httpcore's, which httpx is made of. Its client and its pool cost more than the request itself does, and the
pool ever more the more requests are in flight: here nothing is shared, so there is nothing to look through.
"""

import ssl
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import httpcore
import httpx
import msgspec

from app.channels.streams import Network

KEEP_ALIVE_SECONDS: Final = 90.0
_SWEEP_SECONDS: Final = 10.0  #: between looks for connections that the partner has closed, or that are kept too long

#: All that may go wrong with a request that could be written down, but for what TLS itself raises.
ERRORS: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpx.DecodingError,
)


class _Unshared:
    """Stands in for httpcore's locks: each turns the event loop once, three times a request, and nobody shares ours."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


_UNSHARED: Final = _Unshared()


class Received(msgspec.Struct, frozen=True):
    """An answer as it came in."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """As many as there were requests in flight at once, and `at_most` of them while there are none."""

    def __init__(self, context: ssl.SSLContext, *, at_most: int) -> None:
        self._context = context
        self._at_most = at_most
        self._network = Network()
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._swept_at = time.monotonic()

    async def exchange(
        self,
        method: str,
        url: httpcore.URL,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        largest: int,
        extensions: Mapping[str, Any],
    ) -> Received:
        """Send one request, and read no more than `largest` bytes of the answer.

        Raises:
            ERRORS: and what `ssl` raises.
        """
        connection = await self._free(url.origin)
        try:
            request = httpcore.Request(method, url, headers=headers, content=body, extensions=dict(extensions))
            response = await connection.handle_async_request(request)
            connection._connection._state_lock = _UNSHARED  # type: ignore[union-attr]  # noqa: SLF001 - see there
            try:
                received = await _received(response, largest)
            finally:
                await response.aclose()
        except BaseException:
            await connection.aclose()
            raise
        if connection.is_available() and len(self._idle) < self._at_most:
            self._idle.append(connection)
        else:
            await connection.aclose()
        return received

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().aclose()

    async def _free(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        await self._sweep()
        while self._idle:
            # The latest: those that are not needed any more run out.
            latest = self._idle.pop()
            if latest.can_handle_request(origin) and not latest.has_expired():
                return latest
            await latest.aclose()
        made = httpcore.AsyncHTTPConnection(origin, self._context, KEEP_ALIVE_SECONDS, network_backend=self._network)
        made._request_lock = _UNSHARED  # type: ignore[assignment]  # noqa: SLF001 - see there
        return made

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept_at < _SWEEP_SECONDS:
            return
        self._swept_at = time.monotonic()
        expired = [one for one in self._idle if one.has_expired()]
        self._idle = [one for one in self._idle if one not in expired]
        for one in expired:
            await one.aclose()


async def _received(response: httpcore.Response, largest: int) -> Received:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("ascii").lower(), value.decode("utf-8", "replace")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    body = response.aiter_stream() if "content-encoding" not in headers else _unpacked(response)
    received = bytearray()
    async for chunk in body:
        received += chunk
        if len(received) >= largest:
            break
    return Received(response.status, headers, bytes(received[:largest]))


class _Stream(httpx.AsyncByteStream):
    """What httpx takes the body of an answer from."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk


def _unpacked(response: httpcore.Response) -> Any:
    """Read the body of a partner that compressed it although it was told not to."""
    return httpx.Response(response.status, headers=response.headers, stream=_Stream(response)).aiter_bytes()
