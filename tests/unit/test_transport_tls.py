"""Certificates that do not fit concern every EVSE: the partner is refused, or refuses us, as a whole."""

import socket
import ssl
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
import trustme

from app.channels.outcomes import Refused
from app.channels.transport import Answer, Sent, Transport

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextmanager
def tls_partner(context: ssl.SSLContext) -> Generator[str]:
    """A partner in a thread: asyncio's own server hangs up before it has said what it objects to."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:
        answering = thread.submit(answer_one, listener, context)
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
        answering.result()


def answer_one(listener: socket.socket, context: ssl.SSLContext) -> None:
    accepted, _ = listener.accept()
    accepted.settimeout(10)
    with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as connection:
        try:
            connection.do_handshake()
            received = b""
            while not received.endswith(b"hello"):
                received += connection.recv(4096) or b"hello"
            connection.sendall(ANSWER)
        except ssl.SSLError:
            # Left unread, what the other side has sent would reset the connection, and with it the alert.
            while socket.socket.recv(connection, 4096):
                pass


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our side trusts the partner's authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: context)


def served_by(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def send(url: str) -> Sent:
    transport = Transport(in_flight=1, timeout=10)
    try:
        return await transport.send("POST", url, headers={}, body=b"hello")
    finally:
        await transport.close()


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_that_fits_is_answered(authority: trustme.CA) -> None:
    with tls_partner(served_by(authority)) as url:
        assert await send(url) == Answer(200, {"content-length": "2"}, b"ok")


async def test_a_certificate_that_nobody_vouches_for_refuses_the_partner(authority: trustme.CA) -> None:
    with tls_partner(served_by(authority)) as url:
        sent = await send(url)
    assert isinstance(sent, Refused)
    assert sent.reason.startswith("its certificate is not to be trusted: unable to get local issuer certificate")


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_for_another_name_refuses_the_partner(authority: trustme.CA) -> None:
    with tls_partner(served_by(authority, "elsewhere.example")) as url:
        sent = await send(url)
    assert isinstance(sent, Refused)
    assert "IP address mismatch" in sent.reason


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_partner_that_wants_a_certificate_of_ours_refuses_us(
    authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    context = served_by(authority)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with tls_partner(context) as url:
        sent = await send(url)
    assert isinstance(sent, Refused), sent
    assert sent.reason.startswith("it does not take our TLS certificate, or wants one: ")
