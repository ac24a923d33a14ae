"""HTTP towards partners. It tells what surely did not happen from what may have."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, TypeAlias

import httpcore
import httpx
import msgspec

from app.channels.connections import ERRORS, Connections
from app.channels.hearing_out import HUNG_UP, LONGEST_WAIT, hear_out
from app.channels.outcomes import NotSent, Refused, Unknown
from app.channels.tls_failures import REMEDIES, TlsFailure, tls_failure

LARGEST_ANSWER: Final = 256 * 1024  #: bytes of an answer that are read, unless more is asked for
LAST_PORT: Final = 65535
TRIMMED: Final = 500  #: characters of a partner's words that are kept
_ANSWER_CUT: Final = "complete message body"  #: in what httpcore says of an answer that began
#: Answers are small; a compressed one may unpack to anything.
_ALWAYS: Final = {b"accept": b"*/*", b"accept-encoding": b"identity", b"user-agent": b"evse-status-scheduler"}


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


class _Target(NamedTuple):
    """Where a request goes."""

    url: httpcore.URL
    host: bytes


class Transport:
    """The way to one partner, with one deadline around each whole request.

    Neither a proxy nor a .netrc of the machine decides where a partner's token goes; nor does a redirect.
    """

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
        self._connections = Connections(tls or public_authorities(), at_most=in_flight)
        # Shorter than the whole, so that a connection never made is known as such and not as a lost answer.
        self._extensions: dict[str, Any] = {"timeout": {"connect": min(timeout / 2, 5.0)}}

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Sent:
        """Send one request, once, and say what is known of it afterwards."""
        try:
            target = _address(url)
            written = _written(target.host, headers, body)
        except (httpx.InvalidURL, ValueError) as error:
            return NotSent(f"the request cannot be made: {_words(error)}")
        sent = await self._exchange(method, target.url, written, body)
        self._to_be_heard = self._presents and not isinstance(sent, Answer)
        return sent

    async def _exchange(self, method: str, url: httpcore.URL, headers: list[tuple[bytes, bytes]], body: bytes) -> Sent:
        extensions = self._extensions
        if self._to_be_heard:
            extensions = extensions | {"trace": partial(hear_out, longest=min(LONGEST_WAIT, self._timeout / 4))}
        try:
            async with asyncio.timeout(self._timeout):
                received = await self._connections.exchange(
                    method, url, headers, body, largest=self._largest, extensions=extensions
                )
        except TimeoutError:
            return Unknown(f"no answer within {self._timeout:g} s")
        except (*ERRORS, ssl.SSLError) as error:  # the latter where httpcore does not make it one of its own
            return _failed(error, url.scheme.decode(), self._remedies)
        return Answer(received.status, received.headers, received.body)

    async def close(self) -> None:
        await self._connections.close()


def _failed(error: Exception, scheme: str, remedies: Mapping[TlsFailure, str]) -> NotSent | Refused | Unknown:
    connecting = isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout)
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
    if scheme == "http" and isinstance(error, httpcore.RemoteProtocolError) and _ANSWER_CUT not in str(error):
        return Unknown(f"the connection broke: {_words(error)}; if it speaks TLS, its address begins with https://")
    return Unknown(f"the connection broke: {_words(error)}")


def _refusal(failure: TlsFailure, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message.rstrip('.')}"
    if failure is TlsFailure.TOO_OLD:
        return f"{failure} ({error.reason})"
    return f"it does not take our TLS certificate, or wants one: {error.reason}, {failure}"


@lru_cache(maxsize=1024)
def _address(url: str) -> _Target:
    """Read an address, as most requests go to one that was read before.

    Raises:
        httpx.InvalidURL: it is none.
        ValueError: it is none that requests go to.
    """
    parsed = httpx.URL(url)
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError("its address is not of the form https://host/path")
    if parsed.port is not None and not 0 < parsed.port <= LAST_PORT:
        raise ValueError(f"its address has no port from 1 to {LAST_PORT}")
    whole = httpcore.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path)
    return _Target(whole, parsed.netloc)


def _written(host: bytes, headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    """Write down the headers.

    Raises:
        ValueError: one cannot be; without repeating it, as it may be a token.
    """
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise ValueError("a header, perhaps a token, has a line break, a control character or an accent in it")
    given = {name.lower().encode("ascii"): value.encode("ascii") for name, value in headers.items()}
    return [(b"host", host), *(_ALWAYS | given).items(), (b"content-length", b"%d" % len(body))]


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()[:TRIMMED]
