"""A Hubject of real TLS sockets that remembers what it applied, and the certificates around it."""

import socket
import ssl
import struct
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import trustme

from app.channels.oicp.hub_rules import acknowledged

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
PATIENCE = 30  #: seconds
Serve = Callable[[socket.socket, list[bytes]], None]


def pem(*parts: trustme.Blob) -> str:
    return "".join(part.bytes().decode("ascii") for part in parts)


def identity(leaf: trustme.LeafCert) -> dict[str, str]:
    """What an operator configures to be known by `leaf`."""
    return {"clientCertificate": pem(*leaf.cert_chain_pems), "clientKey": pem(leaf.private_key_pem)}


class TlsHub:
    """`applied` are the bodies of the requests that were read to the end; `greeted` counts connections."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.applied: list[bytes] = []
        self.greeted = 0


@contextmanager
def tls_hub(serve: Serve) -> Generator[TlsHub]:
    """Serve every connection, one after the other, in a thread: asyncio's own TLS server swallows alerts."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:
        port = listener.getsockname()[1]
        hub = TlsHub(f"https://127.0.0.1:{port}")

        def serving() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(PATIENCE)
                    if connection.recv(1, socket.MSG_PEEK) == b"":
                        return  # it is us, to say that this is all
                    hub.greeted += 1
                    serve(connection, hub.applied)

        served = thread.submit(serving)
        try:
            yield hub
        finally:
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
            served.result()


def serving_tls(context: ssl.SSLContext, *, abrupt: bool = False, closing: bool = False) -> Serve:
    """Serve requests until the other side hangs up; `closing`: one a connection.

    `abrupt`: after a failed handshake hang up at once, with whatever was sent unread, as most servers do; what the
    other side may then read of the alert is a matter of luck, unless it waited for it.
    """

    def serve(accepted: socket.socket, applied: list[bytes]) -> None:
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as connection:
            try:
                connection.do_handshake()
                answer_all(connection, applied, closing=closing)
            except ssl.SSLError:
                if abrupt:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
                    return
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_WR)
                    while socket.socket.recv(connection, 4096):
                        pass
            except ConnectionError:
                pass

    return serve


def serving_plainly(accepted: socket.socket, applied: list[bytes]) -> None:
    """Serve HTTP without TLS, to which a handshake is an ill-formed request."""
    with suppress(ConnectionError):
        accepted.recv(4096)
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        accepted.shutdown(socket.SHUT_WR)
        while accepted.recv(4096):
            pass


def answer_all(connection: socket.socket, applied: list[bytes], *, closing: bool) -> None:
    received = b""
    while more := connection.recv(65536):
        received += more
        head, _, body = received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if length and len(body) == int(length):
            applied.append(body)
            answer = msgspec.json.encode(acknowledged())
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(answer)
            connection.sendall(head + (b"connection: close\r\n\r\n" if closing else b"\r\n") + answer)
            if closing:
                return
            received = b""


def server_side(
    leaf: trustme.LeafCert, version: ssl.TLSVersion | None = None, wants: trustme.CA | None = None, **more: Any
) -> ssl.SSLContext:
    """Make the hub's side: it presents `leaf`, and takes only clients that `wants` vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if wants is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        wants.configure_trust(context)
    for name, value in more.items():
        setattr(context, name, value)
    return context
