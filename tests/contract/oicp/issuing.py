"""Certificates that `trustme` does not make: for one purpose only, with short keys, CAs that run out."""

from datetime import UTC, datetime

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

FROM = datetime(2020, 1, 1, tzinfo=UTC)
TO = datetime(2090, 1, 1, tzinfo=UTC)


def issue(
    name: str,
    *,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    by: trustme.CA | None = None,
    valid: tuple[datetime, datetime] = (FROM, TO),
    purpose: x509.ObjectIdentifier | None = None,
) -> dict[str, str]:
    """Issue a certificate, signed by itself or `by` a CA, as an operator configures it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.load_pem_x509_certificate(by.cert_pem.bytes()).subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    signing = load_pem_private_key(by.private_key_pem.bytes(), None) if by else key
    certificate = builder.sign(signing, SHA256())  # type: ignore[arg-type]  # what CAs have can sign
    return {
        "clientCertificate": certificate.public_bytes(Encoding.PEM).decode(),
        "clientKey": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    }


def encrypted(given: dict[str, str], password: str) -> dict[str, str]:
    """Put the key of an identity under a password."""
    key = load_pem_private_key(given["clientKey"].encode(), None)
    under = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    return {**given, "clientKey": under.decode(), "clientKeyPassword": password}
