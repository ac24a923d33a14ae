"""A private certificate authority, as Hubject has one, made in memory and gone with the process."""

from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID: Final = timedelta(days=90)
#: Python 3.13 and later takes no authority that does not say so.
_SIGNS: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_CLOCKS_DIFFER: Final = timedelta(hours=1)


class Credentials(msgspec.Struct, frozen=True):
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        """Leave the key out: this may be printed."""
        return "Credentials()"


class Authority:
    """Signs the certificates of a server on this machine and of its clients. Its own is `certificate` (PEM)."""

    def __init__(self, now: datetime, name: str = "Demo authority") -> None:
        """`now` (UTC) is about when what it signs begins to be valid."""
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._begun(self._name, self._key.public_key(), now + _VALID).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        own = own.add_extension(_SIGNS, critical=True)
        self.certificate = _pem(own.sign(self._key, hashes.SHA256()))

    def server(self, *, ends: datetime | None = None) -> Credentials:
        """Sign a certificate for `localhost` and 127.0.0.1. `ends` (UTC) is when it expires."""
        here = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        return self._issued(subject, ends, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), here)

    def client(self, *partner_ids: str, ends: datetime | None = None) -> Credentials:
        """Sign a certificate for the partner that has these operator (or provider) ids. `ends` (UTC) is its expiry.

        They are its common names, which is where the simulated Hubject looks; the real one does not say.
        """
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one) for one in partner_ids])
        return self._issued(subject, ends, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))

    def _issued(self, subject: x509.Name, ends: datetime | None, *extensions: x509.ExtensionType) -> Credentials:
        key = ec.generate_private_key(ec.SECP256R1())
        begun = self._begun(subject, key.public_key(), ends or self._now + _VALID)
        begun = begun.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        for one in extensions:
            begun = begun.add_extension(one, critical=False)
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Credentials(_pem(begun.sign(self._key, hashes.SHA256())), plain.decode())

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, ends: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(self._now, ends) - _CLOCKS_DIFFER)
            .not_valid_after(ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
