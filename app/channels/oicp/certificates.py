"""The certificates between us and Hubject: ours, which is how it knows us, and those of its private CA."""

import ssl
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from app.channels.certificates import (
    Certificate,
    PrivateKey,
    UnfitPem,
    WrongPassword,
    check_belongs,
    day,
    read_certificates,
    read_key,
    subject,
)
from app.channels.tls import tls_context
from app.domain.errors import InvalidPartner

#: Characters. Together, with a backslash for each of their line breaks, they fit a request of 64 KiB to our API.
LONGEST_CERTIFICATE: Final = 16 * 1024
LONGEST_KEY: Final = 8 * 1024
LONGEST_CA_BUNDLE: Final = 24 * 1024
LONGEST_PASSWORD: Final = 200

WARNED_BEFORE: Final = timedelta(days=30)

_CERTIFICATE: Final = "clientCertificate"
_KEY: Final = "clientKey"
_PASSWORD: Final = "clientKeyPassword"  # noqa: S105 - the name of a field
_BUNDLE: Final = "caBundle"

_Read = TypeVar("_Read")


def check_certificates(certificate: str | None, key: str | None, password: str | None, ca_bundle: str | None) -> None:
    """Check what can be said of them at any time.

    Raises:
        InvalidPartner: naming the field at fault.
    """
    for value, longest, field in (
        (certificate, LONGEST_CERTIFICATE, _CERTIFICATE),
        (key, LONGEST_KEY, _KEY),
        (password, LONGEST_PASSWORD, _PASSWORD),
        (ca_bundle, LONGEST_CA_BUNDLE, _BUNDLE),
    ):
        if value is not None and not 1 <= len(value) <= longest:
            raise _invalid(f"it has 1 to {longest} characters; null is none", field)
    if key is None and password is not None:
        raise _invalid(
            "it is the password of a clientKey, and there is none: add the key, or make this null", _PASSWORD
        )
    if certificate is None and key is not None:
        raise _invalid("the certificate of clientKey is needed: add it, or make clientKey null", _CERTIFICATE)
    if certificate is not None and key is None:
        raise _invalid("the key of clientCertificate is needed", _KEY)
    _identity(certificate, key, password)
    _authorities(ca_bundle)


def check_validity(certificate: str | None, ca_bundle: str | None, at: datetime) -> None:
    """Check that they can be used at `at` (UTC).

    A bundle may hold a CA that expired, next to the one that took its place.

    Raises:
        InvalidPartner: naming the field at fault.
    """
    ours = [] if certificate is None else _read(_CERTIFICATE, lambda: read_certificates(certificate))
    for one in ours:
        if one.not_valid_after_utc < at:
            raise _invalid(
                f"{subject(one)} expired on {day(one.not_valid_after_utc)}: have Hubject sign a new CSR", _CERTIFICATE
            )
        if one.not_valid_before_utc > at:
            raise _invalid(f"{subject(one)} is valid only from {day(one.not_valid_before_utc)} on", _CERTIFICATE)
    authorities = _authorities(ca_bundle) or []
    if authorities and all(one.not_valid_after_utc < at for one in authorities):
        last = max(one.not_valid_after_utc for one in authorities)
        raise _invalid(f"all of it has expired, the last on {day(last)}: ask Hubject for its CA chain", _BUNDLE)


def hubject_tls(
    certificate: str | None, key: str | None, password: str | None, ca_bundle: str | None
) -> ssl.SSLContext | None:
    """Make the context to talk to Hubject with; `None` where nothing is configured and the ordinary one will do.

    Raises:
        InvalidPartner: naming the field at fault.
    """
    if certificate is None and ca_bundle is None:
        return None
    presented, private = _identity(certificate, key, password)
    trusted = _authorities(ca_bundle)
    try:
        return tls_context(trusted=trusted, presented=presented, key=private)
    except ssl.SSLError as error:
        field = _BUNDLE if certificate is None else _CERTIFICATE
        raise _invalid(f"OpenSSL does not take it: {error.reason}; have Hubject sign a stronger one", field) from None
    except OSError as error:
        raise _invalid(f"no temporary file could be written, see TMPDIR: {error.strerror}", _KEY) from None


def no_certificate_concerns(configuration: Mapping[str, Any]) -> list[str]:
    """Say that Hubject itself is to be told, which takes nothing without a client certificate. Never raises."""
    host = urlsplit(str(configuration.get("baseUrl", ""))).hostname or ""
    if configuration.get(_CERTIFICATE) is not None or not f".{host}".endswith(".hubject.com"):
        return []
    return [f"Hubject takes statuses only with a client certificate: configure {_CERTIFICATE} and {_KEY}."]


def expiry_concerns(configuration: Mapping[str, Any], at: datetime) -> list[str]:
    """Say which certificates run out soon, as seen at `at` (UTC), or have. Never raises."""
    concerns = []
    for one in _readable(configuration.get(_CERTIFICATE)):
        named, until = f"The certificate {subject(one)} in {_CERTIFICATE}", day(one.not_valid_after_utc)
        remedy = f"have Hubject sign a new CSR, and change {_CERTIFICATE} and {_KEY}."
        if one.not_valid_after_utc < at:
            concerns.append(f"{named} expired on {until}, and Hubject takes no status: {remedy}")
        elif one.not_valid_after_utc - at <= WARNED_BEFORE:
            concerns.append(f"{named} expires on {until}, and Hubject will take no status: {remedy}")
    for one in _readable(configuration.get(_BUNDLE)):
        named, until = f"The CA {subject(one)} in {_BUNDLE}", day(one.not_valid_after_utc)
        if one.not_valid_after_utc < at:
            remedy = "put the one that took its place there, or take it out if that is there already."
            concerns.append(f"{named} expired on {until}: {remedy}")
        elif one.not_valid_after_utc - at <= WARNED_BEFORE:
            concerns.append(f"{named} expires on {until}: ask Hubject for its new CA chain, and add that before.")
    return concerns


def _identity(
    certificate: str | None, key: str | None, password: str | None
) -> tuple[list[Certificate] | None, PrivateKey | None]:
    if certificate is None or key is None:
        return None, None
    presented = _read(_CERTIFICATE, lambda: read_certificates(certificate))
    try:
        private = read_key(key, password)
        check_belongs(private, presented)
    except WrongPassword as error:
        raise _invalid(str(error), _PASSWORD) from None
    except UnfitPem as error:
        raise _invalid(str(error), _KEY) from None
    return presented, private


def _authorities(ca_bundle: str | None) -> list[Certificate] | None:
    return None if ca_bundle is None else _read(_BUNDLE, lambda: read_certificates(ca_bundle))


def _read(field: str, read: Callable[[], _Read]) -> _Read:
    try:
        return read()
    except UnfitPem as error:
        raise _invalid(str(error), field) from None


def _readable(pem: object) -> list[Certificate]:
    try:
        return read_certificates(pem) if isinstance(pem, str) else []
    except UnfitPem:
        return []


def _invalid(message: str, field: str) -> InvalidPartner:
    return InvalidPartner(message, field=f"configuration.{field}")
