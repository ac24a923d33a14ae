"""TLS at our end of a socket, and what the other end proved about itself, for the application to read."""

import asyncio
import ssl
import tempfile
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION: Final = "tls"  #: where in the scope's `extensions` it stands. Spec: ASGI TLS extension 0.2
_VERSIONS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


class ServerTls(msgspec.Struct, frozen=True, kw_only=True):
    """What a server shows, and whom it lets in; all PEM.

    `certificate` may be followed by intermediate ones. With `client_authority` a client certificate that it did not
    sign is turned away by TLS itself; so is having none, unless `client_may_have_none` leaves that to the application.
    """

    certificate: str
    key: str
    client_authority: str | None = None
    client_may_have_none: bool = False

    def __repr__(self) -> str:
        """Leave the key out: this may be printed."""
        return f"ServerTls(client_authority={self.client_authority is not None})"


def context_of(tls: ServerTls) -> ssl.SSLContext:
    """Make the server's side of TLS 1.2 or newer.

    Raises:
        ssl.SSLError: certificate and key do not fit each other, or are none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # OpenSSL reads a chain and its key from files only.
    with tempfile.TemporaryDirectory(prefix="evse-status-tls-") as folder:
        chain = Path(folder) / "server.pem"
        chain.touch(mode=0o600)
        chain.write_text(f"{tls.key}\n{tls.certificate}")
        context.load_cert_chain(chain)
    if tls.client_authority is not None:
        context.load_verify_locations(cadata=tls.client_authority)
        context.verify_mode = ssl.CERT_OPTIONAL if tls.client_may_have_none else ssl.CERT_REQUIRED
    return context


class TlsProtocol(HttpToolsProtocol):
    """Tells the application which certificate the client showed, as the ASGI TLS extension has it; uvicorn does not.

    Only a verified one is told: without a `client_authority` TLS asks for none.
    """

    _told: dict[object, object]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._told = told_of(transport.get_extra_info("ssl_object"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, dict[object, object]] = dict(self.scope.get("extensions") or {})
        extensions[EXTENSION] = dict(self._told)
        self.scope["extensions"] = extensions


def told_of(connection: ssl.SSLObject) -> dict[object, object]:
    """Return the members of the ASGI TLS extension for one connection."""
    shown = connection.getpeercert(binary_form=True)
    return {
        "server_cert": None,
        "client_cert_chain": [] if shown is None else [ssl.DER_cert_to_PEM_cert(shown)],
        "client_cert_name": None if shown is None else x509.load_der_x509_certificate(shown).subject.rfc4514_string(),
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(connection.version() or ""),
        "cipher_suite": None,
    }
