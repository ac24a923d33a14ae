"""HTTP towards partners: the only module that imports httpx. It tells what surely did not happen from what may have."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final, TypeAlias

import httpx
import msgspec

from app.channels.hearing_out import HUNG_UP, LONGEST_WAIT, hear_out
from app.channels.outcomes import NotSent, Refused, Unknown
from app.channels.tls_failures import REMEDIES, TlsFailure, tls_failure

PER_CLIENT: Final = 4  #: requests in flight a client; httpx's pool slows down quadratically beyond
LARGEST_ANSWER: Final = 256 * 1024  #: bytes of an answer that are read, unless more is asked for
KEEP_ALIVE_SECONDS: Final = 90.0
LAST_PORT: Final = 65535
TRIMMED: Final = 500  #: characters of a partner's words that are kept
_ANSWER_CUT: Final = "complete message body"  #: in what httpx says of an answer that began


class Answer(msgspec.Struct, frozen=True):
    """What a partner answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or kind.endswith("+json")

    @property
    def excerpt(self) -> str:
        """The beginning of the body, fit for a log: no control characters, one line."""
        text = self.body[: TRIMMED * 4].decode("utf-8", "replace")
        return "".join(one if one.isprintable() else " " for one in text)[:TRIMMED].strip()

    def retry_after(self, now: datetime) -> timedelta | None:
        """Read `Retry-After`, in seconds or as a date; `None` where there is none that can be read."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit() and len(value) <= 9:  # noqa: PLR2004 - thirty years of seconds
            return timedelta(seconds=int(value))
        try:
            date = parsedate_to_datetime(value)
            # The forms of a date that name no zone mean UTC. Spec: RFC 9110 §5.6.7.
            return max((date if date.tzinfo else date.replace(tzinfo=UTC)) - now, timedelta())
        except (ValueError, TypeError, OverflowError):
            return None


Sent: TypeAlias = Answer | NotSent | Refused | Unknown


def public_authorities() -> ssl.SSLContext:
    """Make a context that trusts the public CAs, or those that `SSL_CERT_FILE` names."""
    return httpx.create_ssl_context()


class Transport:
    """A handful of HTTP clients towards one partner, with one deadline around each whole request."""

    def __init__(
        self,
        *,
        in_flight: int,
        timeout: float,
        tls: ssl.SSLContext | None = None,
        remedies: Mapping[TlsFailure, str] = REMEDIES,
        largest: int = LARGEST_ANSWER,
    ) -> None:
        """`timeout` is in seconds, from connecting to the last byte of the answer.

        No more than `largest` bytes of an answer are read.

        `tls` is by default one that trusts the public CAs and presents no certificate. `remedies` are total: what the
        operator is told to do about each failure of TLS, in the words of the channel's own configuration.
        """
        self._timeout = timeout
        self._remedies = remedies
        self._largest = largest
        self._presents = tls is not None
        self._to_be_heard = self._presents  #: whether the partner may have something against our certificate
        limits = httpx.Limits(
            max_connections=PER_CLIENT, max_keepalive_connections=PER_CLIENT, keepalive_expiry=KEEP_ALIVE_SECONDS
        )
        context = tls or public_authorities()
        self._clients = [
            httpx.AsyncClient(
                verify=context,
                limits=limits,
                # Shorter than the whole, so that a connection never made is known as such and not as a lost answer.
                timeout=httpx.Timeout(timeout, connect=min(timeout / 2, 5.0)),
                # Answers are small; a compressed one may unpack to anything.
                headers={"accept-encoding": "identity"},
                # Neither a proxy nor a .netrc of the machine may decide where a partner's token goes; nor a redirect.
                trust_env=False,
                follow_redirects=False,
            )
            for _ in range(-(-in_flight // PER_CLIENT))
        ]
        self._under_way = [0] * len(self._clients)

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
        """Send one request, once, and say what is known of it afterwards."""
        # The least busy client: taking turns would queue requests behind slow ones while other clients idle.
        chosen = min(range(len(self._clients)), key=self._under_way.__getitem__)
        try:
            request = self._clients[chosen].build_request(method, url, headers=dict(headers), content=body)
            if self._to_be_heard:
                request.extensions["trace"] = partial(hear_out, longest=min(LONGEST_WAIT, self._timeout / 4))
            _check(request)
        except (httpx.InvalidURL, ValueError) as error:
            return NotSent(f"the request cannot be made: {_words(error)}")
        self._under_way[chosen] += 1
        try:
            sent = await self._exchange(self._clients[chosen], request)
        finally:
            self._under_way[chosen] -= 1
        self._to_be_heard = self._presents and not isinstance(sent, Answer)
        return sent

    async def _exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> Sent:
        try:
            async with asyncio.timeout(self._timeout):
                response = await client.send(request, stream=True)
                try:
                    received = await _limited(response, self._largest)
                finally:
                    await response.aclose()
        except TimeoutError:
            return Unknown(f"no answer within {self._timeout:g} s")
        except (httpx.HTTPError, ssl.SSLError) as error:  # the latter where httpx does not make it one of its own
            return _failed(error, request.url.scheme, self._remedies)
        return Answer(response.status_code, dict(response.headers), received)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


def _failed(
    error: httpx.HTTPError | ssl.SSLError, scheme: str, remedies: Mapping[TlsFailure, str]
) -> NotSent | Refused | Unknown:
    connecting = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None and (failure := tls_failure(cause, in_handshake=connecting)) is not None:
        if failure is TlsFailure.NO_TLS:  # perhaps a page that stands in for a while; Refused is for what stays
            return NotSent(f"could not connect: {failure} ({cause.reason}); {remedies[failure]}")
        return Refused(f"{_refusal(failure, cause)}; {remedies[failure]}")
    if connecting and HUNG_UP in str(error):
        return NotSent(f"could not connect: {HUNG_UP}; if it goes on: {remedies[TlsFailure.TURNED_AWAY]}")
    if connecting:
        return NotSent(f"could not connect: {_words(error)}")
    if scheme == "http" and isinstance(error, httpx.RemoteProtocolError) and _ANSWER_CUT not in str(error):
        return Unknown(f"the connection broke: {_words(error)}; if it speaks TLS, its address begins with https://")
    return Unknown(f"the connection broke: {_words(error)}")


def _refusal(failure: TlsFailure, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message.rstrip('.')}"
    if failure is TlsFailure.TOO_OLD:
        return f"{failure} ({error.reason})"
    return f"it does not take our TLS certificate, or wants one: {error.reason}, {failure}"


async def _limited(response: httpx.Response, largest: int) -> bytes:
    received = bytearray()
    async for chunk in response.aiter_bytes():
        received += chunk
        if len(received) >= largest:
            break
    return bytes(received[:largest])


def _check(request: httpx.Request) -> None:
    """Refuse what httpx would find out too late, with errors that are not its own or that repeat a token.

    Raises:
        ValueError: the request cannot be written down.
    """
    url = request.url
    if url.scheme not in {"http", "https"}:
        raise ValueError("its address is not of the form https://host/path")
    if url.port is not None and not 0 < url.port <= LAST_PORT:
        raise ValueError(f"its address has no port from 1 to {LAST_PORT}")
    if not all(value.isprintable() for value in request.headers.values()):
        raise ValueError("a header, perhaps a token, has a line break or a control character in it")


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()[:TRIMMED]
