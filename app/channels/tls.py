"""TLS towards a partner that wants a client certificate, or whose own certificate no public CA signed."""

import secrets
import ssl
from tempfile import NamedTemporaryFile

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from app.channels.certificates import Certificate, PrivateKey
from app.channels.transport import public_authorities


def tls_context(
    *,
    trusted: list[Certificate] | None = None,
    presented: list[Certificate] | None = None,
    key: PrivateKey | None = None,
) -> ssl.SSLContext:
    """Make the context of TLS 1.2 or later that trusts only `trusted`, instead of the public CAs, and presents us.

    `presented` is our certificate, which `key` belongs to, and its chain.

    Raises:
        ssl.SSLError: OpenSSL wants nothing to do with one of them, such as a key that is too short.
        OSError: there is no place for a temporary file.
    """
    context = public_authorities() if trusted is None else _trusting(trusted)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if presented and key is not None:
        _present(context, presented, key)
    return context


def _trusting(authorities: list[Certificate]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # names and certificates are checked
    # The same on every Python: 3.13 made partial chains the default, so that an intermediate CA alone is enough, and
    # with them a pedantry about the form of certificates that private CAs tend to fail.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=b"".join(one.public_bytes(Encoding.DER) for one in authorities))
    return context


def _present(context: ssl.SSLContext, certificates: list[Certificate], key: PrivateKey) -> None:
    # Python reads a key from a file only. It lies there for a moment, for us alone, and encrypted with a password that
    # never leaves this process: should it stay behind, nobody can use it.
    password = secrets.token_urlsafe(32)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    with NamedTemporaryFile(prefix="evse-status-", suffix=".pem") as file:
        file.write(b"".join(one.public_bytes(Encoding.PEM) for one in certificates) + encrypted)
        file.flush()
        context.load_cert_chain(file.name, password=password)
