"""Which failures of TLS are known for certain, by the names that OpenSSL gives them."""

import ssl

import pytest

from app.channels.tls_failures import TlsFailure, tls_failure


def named(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", TlsFailure.OURS_MISSING),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", TlsFailure.OURS_EXPIRED),
        ("SSL/TLS_ALERT_CERTIFICATE_EXPIRED", TlsFailure.OURS_EXPIRED),  # as newer versions of OpenSSL spell it
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", TlsFailure.OURS_REVOKED),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", TlsFailure.OURS_NOT_ACCEPTED),
        ("SSLV3_ALERT_BAD_CERTIFICATE", TlsFailure.OURS_NOT_ACCEPTED),
        ("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", TlsFailure.OURS_NOT_ACCEPTED),
        ("TLSV1_ALERT_UNKNOWN_CA", TlsFailure.OURS_OF_UNKNOWN_CA),
        ("TLSV1_ALERT_ACCESS_DENIED", TlsFailure.OURS_NOT_ACCEPTED),
        ("TLSV1_ALERT_DECRYPT_ERROR", TlsFailure.OURS_NOT_ACCEPTED),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", TlsFailure.TURNED_AWAY),
    ],
)
def test_an_alert_about_our_certificate_is_certain_whenever_it_comes(reason: str, failure: TlsFailure) -> None:
    assert tls_failure(named(reason), in_handshake=True) is failure
    assert tls_failure(named(reason), in_handshake=False) is failure


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", TlsFailure.TOO_OLD),
        ("UNSUPPORTED_PROTOCOL", TlsFailure.TOO_OLD),
        ("WRONG_VERSION_NUMBER", TlsFailure.NO_TLS),
        ("RECORD_LAYER_FAILURE", TlsFailure.NO_TLS),
    ],
)
def test_what_damage_may_look_like_as_well_is_certain_in_the_handshake_only(reason: str, failure: TlsFailure) -> None:
    assert tls_failure(named(reason), in_handshake=True) is failure
    assert tls_failure(named(reason), in_handshake=False) is None


@pytest.mark.parametrize("reason", ["TLSV1_ALERT_INTERNAL_ERROR", "SSLV3_ALERT_BAD_RECORD_MAC", "DECRYPT_ERROR", ""])
def test_anything_else_is_not(reason: str) -> None:
    assert tls_failure(named(reason), in_handshake=True) is None
    assert tls_failure(named(reason), in_handshake=False) is None
