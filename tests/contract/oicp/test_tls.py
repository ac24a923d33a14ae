"""Mutual TLS with Hubject on real sockets: who is let in, and what the operator is told when nobody is.

Wherever the outcome says that nothing was applied, the hub has the last word on that.
"""

import json
import socket
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID

from app.channels import transport
from app.channels.hearing_out import hear_out
from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Unknown
from app.domain.status import Kind
from tests.contract.oicp.issuing import encrypted, issue
from tests.contract.oicp.samples import notice, opened
from tests.contract.oicp.tls_hub import (
    VERSIONS,
    TlsHub,
    identity,
    pem,
    server_side,
    serving_plainly,
    serving_tls,
    tls_hub,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
OVER = datetime(2021, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(2090, 1, 1, tzinfo=UTC)
versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


class Certificates:
    """Hubject's private CA, the intermediate below it, the CA it signs partners with, and what they signed."""

    def __init__(self) -> None:
        self.root = trustme.CA()
        self.intermediate = self.root.create_child_ca()
        self.of_partners = trustme.CA()
        self.stranger = trustme.CA()
        self.server = self.intermediate.issue_cert("127.0.0.1")
        self.ours = self.of_partners.issue_cert(common_name="DE*ABC")

    def configured(self, **more: Any) -> dict[str, Any]:
        return {"caBundle": pem(self.root.cert_pem), **identity(self.ours), **more}


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a hub takes its time to object."""
    monkeypatch.setattr(transport, "LONGEST_WAIT", 10.0)


async def push(hub: TlsHub, times: int = 1, /, **more: Any) -> Outcome:
    """Push a status to `hub` as an operator that configured `more`; return the last outcome."""
    async with opened(hub.url, seconds=20, **more) as connection:
        for _ in range(times):
            outcome = await connection.deliver(connection.translate(notice(Kind.BLOCKED)))
    return outcome


@versions
async def test_both_sides_know_each_other_and_the_status_arrives(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    with tls_hub(serving_tls(server_side(certificates.server, version, certificates.of_partners))) as hub:
        assert isinstance(await push(hub, 3, **certificates.configured()), Delivered)
    assert [json.loads(body)["ActionType"] for body in hub.applied] == ["update"] * 3
    assert hub.greeted == 1


async def test_a_hub_that_hands_out_no_session_tickets_is_waited_for_until_it_has_answered_once(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    async def counted(event: str, told: Any, **more: Any) -> None:
        if event == "connection.start_tls.complete":
            heard.append(event)
        await hear_out(event, told, **more)

    monkeypatch.setattr(transport, "hear_out", counted)
    monkeypatch.setattr(transport, "LONGEST_WAIT", 0.1)
    context = server_side(certificates.server, ssl.TLSVersion.TLSv1_3, certificates.of_partners, num_tickets=0)
    with tls_hub(serving_tls(context, closing=True)) as hub:
        async with opened(hub.url, seconds=20, **certificates.configured()) as connection:
            message = connection.translate(notice(Kind.BLOCKED))
            for _ in range(3):
                assert isinstance(await connection.deliver(message), Delivered)
            assert (hub.greeted, len(heard)) == (3, 1)


async def test_a_hub_that_comes_to_object_to_our_certificate_is_heard_out_after_the_first_failure(
    certificates: Certificates,
) -> None:
    contexts = [
        server_side(certificates.server, ssl.TLSVersion.TLSv1_3, wanted)
        for wanted in (certificates.of_partners, certificates.stranger)
    ]
    current = contexts[0]

    def serve(accepted: socket.socket, applied: list[bytes]) -> None:
        serving_tls(current, abrupt=True, closing=True)(accepted, applied)

    with tls_hub(serve) as hub:
        async with opened(hub.url, seconds=20, **certificates.configured()) as connection:
            message = connection.translate(notice(Kind.BLOCKED))
            assert isinstance(await connection.deliver(message), Delivered)
            current = contexts[1]
            await connection.deliver(message)  # it may or may not be known why this one fails
            assert isinstance(await connection.deliver(message), Refused)
        assert len(hub.applied) == 1


async def test_an_encrypted_key_and_a_chain_are_presented_as_well(certificates: Certificates) -> None:
    below = certificates.of_partners.create_child_ca().issue_cert(common_name="DE*ABC")
    assert len(below.cert_chain_pems) == 2
    with tls_hub(serving_tls(server_side(certificates.server, wants=certificates.of_partners))) as hub:
        outcome = await push(hub, **{**certificates.configured(), **encrypted(identity(below), "pass wörd")})
    assert isinstance(outcome, Delivered)


async def test_an_intermediate_ca_alone_is_trust_enough(certificates: Certificates) -> None:
    with tls_hub(serving_tls(server_side(certificates.server))) as hub:
        assert isinstance(await push(hub, caBundle=pem(certificates.intermediate.cert_pem)), Delivered)


@pytest.mark.parametrize("abrupt", [False, True], ids=["lingering", "abrupt"])
@versions
async def test_a_certificate_of_ours_from_an_unknown_ca_is_refused(
    certificates: Certificates, version: ssl.TLSVersion, abrupt: bool
) -> None:
    context = server_side(certificates.server, version, certificates.stranger)
    with tls_hub(serving_tls(context, abrupt=abrupt)) as hub:
        outcome = await push(hub, **certificates.configured())
    assert_refused(outcome, hub, "TLSV1_ALERT_UNKNOWN_CA", "see that clientCertificate was signed by Hubject")


@versions
async def test_a_missing_certificate_of_ours_is_refused(certificates: Certificates, version: ssl.TLSVersion) -> None:
    context = server_side(certificates.server, version, certificates.of_partners)
    with tls_hub(serving_tls(context, abrupt=True)) as hub:
        outcome = await push(hub, caBundle=pem(certificates.root.cert_pem))
    alert = "CERTIFICATE_REQUIRED" if version is ssl.TLSVersion.TLSv1_3 else "HANDSHAKE_FAILURE"
    assert_refused(outcome, hub, alert, "clientCertificate and clientKey")


@versions
async def test_an_expired_certificate_of_ours_is_refused(certificates: Certificates, version: ssl.TLSVersion) -> None:
    expired = certificates.of_partners.issue_cert(common_name="DE*ABC", not_before=LONG_AGO, not_after=OVER)
    context = server_side(certificates.server, version, certificates.of_partners)
    with tls_hub(serving_tls(context, abrupt=True)) as hub:
        while_valid = OVER - timedelta(days=100)
        outcome = await push(hub, accepted_at=while_valid, **{**certificates.configured(), **identity(expired)})
    assert_refused(outcome, hub, "our certificate has expired; have Hubject sign a new CSR")


@versions
async def test_a_certificate_of_ours_for_another_purpose_is_refused(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    ours = issue("DE*ABC", by=certificates.of_partners, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    context = server_side(certificates.server, version, certificates.of_partners)
    with tls_hub(serving_tls(context, abrupt=True)) as hub:
        outcome = await push(hub, **certificates.configured(**ours))
    assert_refused(outcome, hub, "it does not take our TLS certificate", "see that clientCertificate is what Hubject")


@versions
@pytest.mark.parametrize("bundled", ["nothing", "another"])
async def test_a_server_of_an_unknown_ca_is_refused(
    certificates: Certificates, version: ssl.TLSVersion, bundled: str
) -> None:
    settings = certificates.configured(caBundle=pem(certificates.stranger.cert_pem) if bundled == "another" else None)
    with tls_hub(serving_tls(server_side(certificates.server, version, certificates.of_partners))) as hub:
        outcome = await push(hub, **settings)
    assert_refused(outcome, hub, "its certificate is not to be trusted", "put Hubject's CA chain", "into caBundle")


async def test_public_cas_are_not_trusted_next_to_the_bundle(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    # `SSL_CERT_FILE` makes the CA of the server one of the public ones.
    certificates.root.cert_pem.write_to_path(tmp_path / "public.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
    with tls_hub(serving_tls(server_side(certificates.server))) as hub:
        assert isinstance(await push(hub, **identity(certificates.ours)), Delivered)
    with tls_hub(serving_tls(server_side(certificates.server))) as hub:
        assert_refused(await push(hub, caBundle=pem(certificates.stranger.cert_pem)), hub, "caBundle")


@versions
@pytest.mark.parametrize(
    ("name", "valid", "hints"),
    [
        ("127.0.0.1", (LONG_AGO, OVER), ["certificate has expired", "caBundle", "clock"]),
        ("127.0.0.1", (FAR_AHEAD, FAR_AHEAD + timedelta(days=9)), ["not yet valid", "clock"]),
        ("service.hubject.example", (None, None), ["not valid for '127.0.0.1'", "check the host in baseUrl"]),
    ],
)
async def test_a_server_certificate_that_does_not_fit_is_refused(
    certificates: Certificates,
    version: ssl.TLSVersion,
    name: str,
    valid: tuple[datetime | None, datetime | None],
    hints: list[str],
) -> None:
    leaf = certificates.intermediate.issue_cert(name, not_before=valid[0], not_after=valid[1])
    with tls_hub(serving_tls(server_side(leaf, version, certificates.of_partners))) as hub:
        outcome = await push(hub, **certificates.configured())
    assert_refused(outcome, hub, "its certificate is not to be trusted", *hints)


async def test_a_server_that_speaks_only_an_old_tls_is_refused(certificates: Certificates) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = server_side(certificates.server, ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with tls_hub(serving_tls(context)) as hub:
        outcome = await push(hub, **certificates.configured())
    assert_refused(outcome, hub, "no version of TLS that is safe", "TLS 1.2 and 1.3")


async def test_plain_http_on_the_port_was_not_sent(certificates: Certificates) -> None:
    with tls_hub(serving_plainly) as hub:
        outcome = await push(hub, **certificates.configured())
    assert isinstance(outcome, NotSent), outcome
    assert "it does not speak TLS" in outcome.reason
    assert "check the port in baseUrl" in outcome.reason
    assert hub.applied == []


async def test_tls_on_a_port_that_is_taken_for_plain_http_is_told_and_applies_nothing(
    certificates: Certificates,
) -> None:
    with tls_hub(serving_tls(server_side(certificates.server))) as hub:
        hub.url = hub.url.replace("https:", "http:")
        outcome = await push(hub)
    # A few bytes that are no HTTP might come from anything.
    assert isinstance(outcome, Unknown), outcome
    assert "if it speaks TLS, its address begins with https://" in outcome.reason
    assert hub.applied == []


async def test_a_hub_that_hangs_up_on_our_certificate_without_a_word_was_not_sent_anything(
    certificates: Certificates,
) -> None:
    context = server_side(certificates.server, ssl.TLSVersion.TLSv1_3, num_tickets=0)

    def serve(accepted: Any, applied: list[bytes]) -> None:
        context.wrap_socket(accepted, server_side=True).close()

    with tls_hub(serve) as hub:
        outcome = await push(hub, **certificates.configured())
    assert isinstance(outcome, NotSent), outcome
    assert "it hung up as soon as it had seen" in outcome.reason


@versions
async def test_an_answer_that_is_no_tls_is_unknown_as_the_request_before_it_may_be_applied(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    context = server_side(certificates.server, version)

    def serve(accepted: Any, applied: list[bytes]) -> None:
        with context.wrap_socket(accepted, server_side=True) as connection:
            received = b""
            while b"EvseStatusRecord" not in received:
                received += connection.recv(65536)
            applied.append(received)
            # What is no record of TLS, on the bare socket: a connection damaged under way, and never "no TLS".
            below = connection.detach()
        with socket.socket(fileno=below) as bare:
            bare.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with tls_hub(serve) as hub:
        outcome = await push(hub, **certificates.configured())
    assert isinstance(outcome, Unknown), outcome
    assert len(hub.applied) == 1


def assert_refused(outcome: Outcome, hub: TlsHub, *hints: str) -> None:
    assert isinstance(outcome, Refused), outcome
    for hint in hints:
        assert hint in outcome.reason
    assert hub.applied == []
