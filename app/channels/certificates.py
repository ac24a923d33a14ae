"""Certificates and private keys as somebody pasted them: read, and judged before anything is sent with them."""

from datetime import datetime
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

Certificate: TypeAlias = x509.Certificate
PrivateKey: TypeAlias = PrivateKeyTypes

LONGEST_SUBJECT: Final = 100  #: characters of it that are told


class UnfitPem(ValueError):
    """It cannot be used, in words for whoever pasted it; never with a part of it."""


def read_certificates(pem: str) -> list[Certificate]:
    """Read one or more certificates.

    Raises:
        UnfitPem: there is none, one cannot be read, or a private key is among them, which would then be shown.
    """
    if "PRIVATE KEY" in pem:
        raise UnfitPem("it has a private key in it: only certificates belong here")
    try:
        found = x509.load_pem_x509_certificates(_bytes(pem))
        for one in found:  # its parts are read only when they are asked for
            subject(one), one.not_valid_before_utc, one.not_valid_after_utc
    except (ValueError, UnsupportedAlgorithm):
        raise UnfitPem(
            "not certificates in PEM: -----BEGIN CERTIFICATE-----, base64 in lines, -----END CERTIFICATE-----, each "
            "on lines of their own"
        ) from None
    return found


def read_key(pem: str, password: str | None) -> PrivateKey:
    """Read a private key, decrypted if it is encrypted.

    Raises:
        UnfitPem: it cannot be read.
        WrongPassword: the password is missing, wrong, or one too many.
    """
    try:
        return _read_key(pem, None if password is None else password.encode("utf-8", "replace"))
    except TypeError:
        if password is None:
            raise WrongPassword("the key is encrypted: its password is needed") from None
        raise WrongPassword("the key is not encrypted: leave the password out, or make it null") from None
    except (ValueError, UnsupportedAlgorithm):
        if password is not None and "ENCRYPTED" in pem:
            raise WrongPassword("the key cannot be decrypted with this password") from None
        raise UnfitPem(
            "not a private key in PEM: -----BEGIN PRIVATE KEY-----, base64 in lines, -----END PRIVATE KEY-----, each "
            "on lines of their own"
        ) from None


class WrongPassword(UnfitPem):
    """The key and its password do not go together."""


def check_belongs(key: PrivateKey, certificates: list[Certificate]) -> None:
    """Check that `key` is that of the first certificate, which is the one that is presented.

    Raises:
        UnfitPem: it is not.
    """
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fitting = [position for position, one in enumerate(certificates, start=1) if _public_key(one) == public]
    if not fitting:
        raise UnfitPem("it is not the key of the certificate, but of another one")
    if fitting[0] != 1:
        raise UnfitPem(f"it is the key of certificate no. {fitting[0]}: put that one first, and its chain after it")


def subject(certificate: Certificate) -> str:
    """Name whom it was issued to, fit for a sentence."""
    text = certificate.subject.rfc4514_string()
    return "".join(one if one.isprintable() else " " for one in text)[:LONGEST_SUBJECT]


def day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _read_key(pem: str, password: bytes | None) -> PrivateKey:
    return load_pem_private_key(_bytes(pem), password)


def _public_key(certificate: Certificate) -> bytes | None:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _bytes(pem: str) -> bytes:
    return pem.encode("utf-8", "replace")
