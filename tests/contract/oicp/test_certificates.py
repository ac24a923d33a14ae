"""Which certificates an operator may configure, where their secrets end up, and when they are said to run out."""

import io
import logging
import ssl
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from app.channels.channel import Accepted
from app.channels.configuring import checked
from app.channels.oicp.certificates import LONGEST_CA_BUNDLE, LONGEST_CERTIFICATE, LONGEST_KEY, LONGEST_PASSWORD
from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.settings import OicpSettings
from app.domain.errors import InvalidPartner
from app.domain.partner import Partner
from app.main import LARGEST_BODY
from tests.clock import FrozenClock
from tests.contract.oicp.issuing import encrypted, issue
from tests.contract.oicp.samples import configuration
from tests.contract.oicp.tls_hub import identity, pem

AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ours(authority: trustme.CA) -> dict[str, str]:
    return identity(authority.issue_cert(common_name="DE*ABC"))


def accept(at: datetime = AT, /, **more: Any) -> Accepted:
    return OicpChannel(FrozenClock(at)).accept(configuration(**more))


def refusal(at: datetime = AT, /, **more: Any) -> tuple[str, str]:
    with pytest.raises(InvalidPartner) as refused:
        accept(at, **more)
    assert refused.value.field is not None
    return refused.value.field.removeprefix("configuration."), str(refused.value)


def padded(text: str, length: int) -> str:
    """Make a PEM longer by lines before it, which say nothing."""
    return "\n" * (length - len(text)) + text


def test_the_key_and_its_password_are_secrets_and_the_certificates_are_not(
    authority: trustme.CA, ours: dict[str, str]
) -> None:
    given = encrypted(ours, "open sesame")

    accepted = accept(caBundle=pem(authority.cert_pem), **given)

    assert accepted.secrets == {"clientKey": given["clientKey"], "clientKeyPassword": "open sesame"}
    assert "clientKey" not in accepted.configuration
    assert "clientKeyPassword" not in accepted.configuration
    assert accepted.configuration["clientCertificate"] == ours["clientCertificate"]
    assert accepted.configuration["caBundle"] == pem(authority.cert_pem)
    assert accepted.issued(given) == {}


def test_what_was_accepted_is_accepted_again_with_its_secrets(authority: trustme.CA, ours: dict[str, str]) -> None:
    once = accept(caBundle=pem(authority.cert_pem), **encrypted(ours, "open sesame"))

    assert OicpChannel(FrozenClock(AT)).accept({**once.secrets, **once.configuration}) == once


def test_the_secrets_of_a_partner_without_certificates_are_none() -> None:
    assert accept().secrets == {}


def test_the_key_is_shown_nowhere(ours: dict[str, str]) -> None:
    given = configuration(**encrypted(ours, "open sesame"))
    settings = checked(given, OicpSettings)

    for shown in (repr(settings), str(settings), f"{settings!r}"):
        assert "KEY" not in shown
        assert "sesame" not in shown


@pytest.mark.parametrize("broken", ["clientKey", "clientKeyPassword", "clientCertificate", "caBundle"])
def test_no_refusal_repeats_a_key(ours: dict[str, str], broken: str) -> None:
    given = {**encrypted(ours, "open sesame"), "caBundle": ours["clientCertificate"]}
    cut = given[broken].strip()[: len(given[broken]) // 2]
    with pytest.raises(InvalidPartner) as refused:
        accept(**{**given, broken: cut})

    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    for line in (*given["clientKey"].splitlines(), "open sesame", "open s"):
        assert line not in str(refused.value)


def test_connecting_prints_and_logs_nothing_of_a_key_and_leaves_no_file_behind(
    ours: dict[str, str], caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with caplog.at_level(logging.DEBUG), redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        assert checked(configuration(**ours), OicpSettings).tls is not None

    assert list(tmp_path.iterdir()) == []
    assert (out.getvalue(), err.getvalue(), caplog.text) == ("", "", "")


def test_a_key_lies_in_a_file_only_encrypted_and_for_us_alone(
    ours: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    loading = ssl.SSLContext.load_cert_chain

    def watched(context: ssl.SSLContext, path: str, *rest: Any, **more: Any) -> None:
        seen.append((Path(path).read_text(), Path(path).stat().st_mode & 0o777))
        loading(context, path, *rest, **more)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    _ = checked(configuration(**ours), OicpSettings).tls

    [(text, mode)] = seen
    assert mode == 0o600
    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    assert ours["clientKey"].splitlines()[1] not in text


def test_a_folder_for_temporary_files_that_is_not_there_is_named(
    ours: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    field, why = refusal(**ours)

    assert field == "clientKey"
    assert "TMPDIR" in why


def test_what_is_no_pem_is_refused_with_its_field(ours: dict[str, str]) -> None:
    without_breaks = ours["clientCertificate"].replace("\n", "\\n")
    for text in ("certificate.pem", without_breaks, ours["clientCertificate"].replace("MII", "???"), "\ud800", "\0"):
        assert refusal(**{**ours, "clientCertificate": text})[0] == "clientCertificate"
        assert refusal(**ours, caBundle=text)[0] == "caBundle"
        field, why = refusal(**{**ours, "clientKey": text})
        assert field == "clientKey"
        assert "BEGIN PRIVATE KEY" in why


def test_line_breaks_of_windows_and_words_around_the_blocks_are_fine(
    authority: trustme.CA, ours: dict[str, str]
) -> None:
    talkative = {field: f"Bag Attributes: ä\n{text}".replace("\n", "\r\n") for field, text in ours.items()}

    accept(**talkative, caBundle=f"Würzburg\n{pem(authority.cert_pem)}".strip())


@pytest.mark.parametrize("field", ["clientCertificate", "caBundle"])
def test_a_key_among_certificates_is_refused_as_it_would_be_shown(ours: dict[str, str], field: str) -> None:
    where, why = refusal(**{**ours, field: ours["clientCertificate"] + ours["clientKey"]})

    assert where == field
    assert "private key" in why


def test_a_key_or_a_certificate_alone_is_refused_and_so_is_a_password(ours: dict[str, str]) -> None:
    assert refusal(clientKey=ours["clientKey"])[0] == "clientCertificate"
    assert refusal(clientCertificate=ours["clientCertificate"])[0] == "clientKey"
    assert refusal(clientKeyPassword="x")[0] == "clientKeyPassword"


def test_a_key_of_another_certificate_is_refused(ours: dict[str, str]) -> None:
    field, why = refusal(**{**ours, "clientKey": issue("DE*ABC")["clientKey"]})

    assert field == "clientKey"
    assert "not the key of the certificate" in why


def test_a_chain_before_the_certificate_is_refused_with_what_to_do(authority: trustme.CA, ours: dict[str, str]) -> None:
    turned = {**ours, "clientCertificate": pem(authority.cert_pem) + ours["clientCertificate"]}

    assert refusal(**turned)[1] == ("it is the key of certificate no. 2: put that one first, and its chain after it")


@pytest.mark.parametrize(
    ("password", "says"), [("wrong", "cannot be decrypted"), (None, "its password is needed"), ("", "1 to 200")]
)
def test_a_wrong_or_missing_password_is_refused(ours: dict[str, str], password: str | None, says: str) -> None:
    field, why = refusal(**{**encrypted(ours, "open sesame"), "clientKeyPassword": password})

    assert field == "clientKeyPassword"
    assert says in why


def test_a_password_that_is_left_from_an_older_key_is_refused_with_what_to_do(ours: dict[str, str]) -> None:
    field, why = refusal(**ours, clientKeyPassword="of the old key")

    assert field == "clientKeyPassword"
    assert "make it null" in why


def test_an_address_without_tls_is_refused_next_to_certificates(authority: trustme.CA, ours: dict[str, str]) -> None:
    for given in (ours, {"caBundle": pem(authority.cert_pem)}):
        field, why = refusal(baseUrl="http://proxy.example", **given)
        assert field == "baseUrl"
        assert "https://" in why


def test_a_key_that_is_too_short_for_openssl_is_refused() -> None:
    weak = issue("DE*ABC", key=rsa.generate_private_key(65537, 1024))

    assert refusal(**weak)[0] == "clientCertificate"
    assert "stronger" in refusal(**weak)[1]


@pytest.mark.parametrize(
    ("field", "longest"),
    [("clientCertificate", LONGEST_CERTIFICATE), ("clientKey", LONGEST_KEY), ("caBundle", LONGEST_CA_BUNDLE)],
)
def test_a_pem_may_be_as_long_as_documented_and_no_longer(ours: dict[str, str], field: str, longest: int) -> None:
    given = {"caBundle": ours["clientCertificate"], **ours}

    accept(**{**given, field: padded(given[field], longest)})
    where, why = refusal(**{**given, field: padded(given[field], longest + 1)})
    assert (where, str(longest) in why) == (field, True)
    assert refusal(**{**given, field: ""})[0] == field


def test_a_password_may_be_as_long_as_documented_and_no_longer(ours: dict[str, str]) -> None:
    accept(**encrypted(ours, "ä" * LONGEST_PASSWORD))
    assert refusal(**encrypted(ours, "a" * (LONGEST_PASSWORD + 1)))[0] == "clientKeyPassword"


def test_the_longest_of_all_fit_one_request_to_the_api() -> None:
    lines = {
        field: "\n".join(["x" * 64] * (longest // 65))
        for field, longest in {
            "clientCertificate": LONGEST_CERTIFICATE,
            "clientKey": LONGEST_KEY,
            "caBundle": LONGEST_CA_BUNDLE,
            "clientKeyPassword": LONGEST_PASSWORD * 4,
        }.items()
    }
    assert len(msgspec.json.encode(lines)) < LARGEST_BODY - 8 * 1024


def test_a_certificate_is_accepted_from_its_first_to_its_last_instant() -> None:
    short = issue("DE*ABC", valid=(AT, AT + MINUTE))

    accept(AT, **short)
    accept(AT + MINUTE, **short)
    field, why = refusal(AT + MINUTE + timedelta(milliseconds=1), **short)
    assert field == "clientCertificate"
    assert "CN=DE*ABC expired on 2026-11-21 08:31 UTC" in why.replace("\\", "")
    field, why = refusal(AT - timedelta(milliseconds=1), **short)
    assert field == "clientCertificate"
    assert "valid only from 2026-11-21 08:30 UTC" in why


def test_a_bundle_may_hold_an_expired_ca_next_to_its_successor_but_not_alone() -> None:
    expired = issue("Old CA", valid=(AT - 9 * MINUTE, AT - MINUTE))["clientCertificate"]
    current = issue("New CA")["clientCertificate"]

    accept(caBundle=expired + current)
    field, why = refusal(caBundle=expired)
    assert field == "caBundle"
    assert "2026-11-21 08:29 UTC" in why


def test_an_expired_certificate_still_connects_so_that_hubject_may_judge() -> None:
    expired = issue("DE*ABC", valid=(datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)))

    assert checked(configuration(**expired), OicpSettings).tls is not None


def concerns(at: datetime, /, **more: Any) -> list[str]:
    partner = Partner(
        id=1,
        name="hubject",
        channel="oicp",
        configuration=configuration(**more),
        created_by="test",
        created_at=AT,
        updated_at=AT,
    )
    return OicpChannel().concerns(partner, at)


def test_a_certificate_that_is_good_for_long_concerns_nobody(authority: trustme.CA) -> None:
    in_time = issue("DE*ABC", valid=(AT, AT + timedelta(days=30)))["clientCertificate"]

    assert concerns(AT) == []
    assert concerns(AT - timedelta(milliseconds=1), clientCertificate=in_time, caBundle=in_time) == []


def test_our_certificate_is_named_from_thirty_days_before_it_expires_and_ever_after() -> None:
    certificate = issue("ours", valid=(AT, AT + timedelta(days=30)))["clientCertificate"]
    remedy = "have Hubject sign a new CSR, and change clientCertificate and clientKey."

    for at in (AT, AT + timedelta(days=30)):
        [soon] = concerns(at, clientCertificate=certificate)
        assert soon.startswith("The certificate CN=ours in clientCertificate expires on 2026-12-21 08:30 UTC, and ")
        assert soon.endswith(f"will take no status: {remedy}")
    [over] = concerns(AT + timedelta(days=30, seconds=1), clientCertificate=certificate)
    assert over.startswith("The certificate CN=ours in clientCertificate expired on 2026-12-21 08:30 UTC, and ")
    assert over.endswith(f"takes no status: {remedy}")


def test_each_ca_of_the_bundle_is_named_by_itself() -> None:
    bundle = [issue(name, valid=(AT, AT + timedelta(days=days))) for name, days in (("A", 10), ("B", 20), ("C", 90))]
    text = "".join(one["clientCertificate"] for one in bundle)

    over, soon = concerns(AT + timedelta(days=15), caBundle=text)
    assert over.startswith("The CA CN=A in caBundle expired on 2026-12-01 08:30 UTC: ")
    assert over.endswith("take it out if that is there already.")
    assert soon.startswith("The CA CN=B in caBundle expires on 2026-12-11 08:30 UTC: ask Hubject for its new CA chain")


@pytest.mark.parametrize("nonsense", ["", "x", "\ud800", 7, None, [], {"a": 1}])
def test_what_cannot_be_read_concerns_nobody_and_raises_nothing(nonsense: Any) -> None:
    assert concerns(AT, clientCertificate=nonsense, caBundle=nonsense) == []
