"""What can go wrong with TLS towards a partner, how it is recognised, and what to do about each."""

import ssl
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from app.domain.total import total


class TlsFailure(StrEnum):
    """Why there is no TLS connection. None of them goes away by trying again, but for `NO_TLS`."""

    UNKNOWN_CA = "its certificate is of a CA that is not trusted"
    EXPIRED = "its certificate has expired"
    NOT_YET_VALID = "its certificate is not valid yet"
    WRONG_NAME = "its certificate is for another host"
    UNFIT = "its certificate is unfit otherwise"
    OURS_MISSING = "it wants a certificate of ours"
    OURS_EXPIRED = "our certificate has expired"
    OURS_OF_UNKNOWN_CA = "our certificate is of a CA that it does not know"
    OURS_REVOKED = "our certificate was revoked"
    OURS_NOT_ACCEPTED = "our certificate is not accepted"
    TURNED_AWAY = "it breaks off; before TLS 1.3 mostly as it wants a certificate of ours"
    TOO_OLD = "it speaks no version of TLS that is safe"
    NO_TLS = "it does not speak TLS"


#: For channels that have no certificates of their own to configure.
REMEDIES: Final[Mapping[TlsFailure, str]] = total(
    TlsFailure,
    {
        TlsFailure.UNKNOWN_CA: "it has to send its whole chain, up to a CA that is trusted here (SSL_CERT_FILE changes "
        "which are)",
        TlsFailure.EXPIRED: "have whoever runs it renew the certificate, unless this machine's clock is wrong",
        TlsFailure.NOT_YET_VALID: "check this machine's clock; if it is right, tell whoever runs the partner",
        TlsFailure.WRONG_NAME: "check the host in the address; if it is right, the certificate has to name it",
        TlsFailure.UNFIT: "have whoever runs it mend the certificate",
        TlsFailure.OURS_MISSING: "no client certificate is presented to it: let the address be a TLS proxy that does",
        TlsFailure.OURS_EXPIRED: "renew our client certificate",
        TlsFailure.OURS_OF_UNKNOWN_CA: "present a client certificate that its CA signed",
        TlsFailure.OURS_REVOKED: "have a new client certificate signed",
        TlsFailure.OURS_NOT_ACCEPTED: "ask whoever runs it which client certificates it takes",
        TlsFailure.TURNED_AWAY: "if it wants a client certificate, let the address be a TLS proxy that presents one; "
        "otherwise it shares no cipher with us",
        TlsFailure.TOO_OLD: "it has to speak TLS 1.2 or 1.3",
        TlsFailure.NO_TLS: "check the port; an address of plain HTTP begins with http://",
    },
)

#: By OpenSSL's numbers for what a verification found (X509_V_ERR_…).
_VERIFICATION: Final = {
    2: TlsFailure.UNKNOWN_CA,  # unable to get issuer certificate
    9: TlsFailure.NOT_YET_VALID,
    10: TlsFailure.EXPIRED,
    18: TlsFailure.UNKNOWN_CA,  # self-signed
    19: TlsFailure.UNKNOWN_CA,  # self-signed in the chain
    20: TlsFailure.UNKNOWN_CA,  # unable to get local issuer certificate
    21: TlsFailure.UNKNOWN_CA,  # unable to verify the first certificate
    62: TlsFailure.WRONG_NAME,
    64: TlsFailure.WRONG_NAME,  # an IP address
}

#: By what stands behind `ALERT_` or, for some, `TLSV1_` in OpenSSL's names. With TLS 1.3 these come after our side of
#: the handshake, as the answer to the first request; but from a partner that has not finished its own and so has not
#: read the request. Spec: RFC 8446 §4.4.2.4, §6.2
_ALERTS: Final = {
    "CERTIFICATE_REQUIRED": TlsFailure.OURS_MISSING,
    "NO_CERTIFICATE": TlsFailure.OURS_MISSING,
    "CERTIFICATE_EXPIRED": TlsFailure.OURS_EXPIRED,
    "UNKNOWN_CA": TlsFailure.OURS_OF_UNKNOWN_CA,
    "CERTIFICATE_REVOKED": TlsFailure.OURS_REVOKED,
    "BAD_CERTIFICATE": TlsFailure.OURS_NOT_ACCEPTED,
    "UNSUPPORTED_CERTIFICATE": TlsFailure.OURS_NOT_ACCEPTED,
    "CERTIFICATE_UNKNOWN": TlsFailure.OURS_NOT_ACCEPTED,
    "ACCESS_DENIED": TlsFailure.OURS_NOT_ACCEPTED,
    "DECRYPT_ERROR": TlsFailure.OURS_NOT_ACCEPTED,  # in spite of its name: our signature does not fit our certificate
    "HANDSHAKE_FAILURE": TlsFailure.TURNED_AWAY,
}

#: Certain only where the handshake was under way: afterwards they say that the connection was damaged.
_IN_THE_HANDSHAKE: Final = {
    "TLSV1_ALERT_PROTOCOL_VERSION": TlsFailure.TOO_OLD,
    "UNSUPPORTED_PROTOCOL": TlsFailure.TOO_OLD,
    "WRONG_SSL_VERSION": TlsFailure.TOO_OLD,
    "VERSION_TOO_LOW": TlsFailure.TOO_OLD,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": TlsFailure.TURNED_AWAY,
    "WRONG_VERSION_NUMBER": TlsFailure.NO_TLS,
    "RECORD_LAYER_FAILURE": TlsFailure.NO_TLS,  # OpenSSL 3.2 and later
    "PACKET_LENGTH_TOO_LONG": TlsFailure.NO_TLS,
    "HTTP_REQUEST": TlsFailure.NO_TLS,
}


def tls_failure(error: ssl.SSLError, *, in_handshake: bool) -> TlsFailure | None:
    """Recognise what keeps us apart; `None` where the partner may have read a request, or nothing is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, TlsFailure.UNFIT)
    reason = error.reason or ""
    _, alert, name = reason.rpartition("ALERT_")
    if alert and name in _ALERTS:
        return _ALERTS[name]
    return _IN_THE_HANDSHAKE.get(reason) if in_handshake else None
