"""What each answer means: HTTP 200 is not success, and not every failure is the same."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.channels.ocpi.answers import judge
from app.channels.ocpi.simulator import Emsp, Trouble
from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.channels.transport import LARGEST_ANSWER, TRIMMED, Answer
from app.demo.listening import listening
from app.domain.presentation import Gate
from app.domain.status import ActualStatus
from tests.contract.ocpi.given import NOW, TOKEN, Recorder, StoppedClock, connected, told


def said(http: int, ocpi: Any = None, *, removal: bool = False, body: bytes | None = None, **headers: str) -> Outcome:
    if body is None:
        body = b"<html>" if ocpi is None else msgspec.json.encode({"status_code": ocpi, "status_message": "words"})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(Answer(http, named, body), removal=removal, now=NOW)


@pytest.mark.parametrize(("http", "ocpi"), [(200, 1000), (200, 1999), (201, 1000), (202, 1900)])
def test_success_is_2xx_with_a_status_code_of_1xxx(http: int, ocpi: int) -> None:
    assert isinstance(said(http, ocpi), Delivered)


@pytest.mark.parametrize("body", [b'{"status_code":1000,"data":[],"new":{}}', b'{"status_code":1000}'])
def test_success_does_not_depend_on_the_rest_of_the_envelope(body: bytes) -> None:
    assert isinstance(said(200, body=body), Delivered)


@pytest.mark.parametrize("ocpi", [2000, 2001, 2002, 2004, 2900, 2999])
def test_a_no_to_this_request_rejects_this_evse(ocpi: int) -> None:
    assert said(200, ocpi) == Rejected(f"it does not accept this request (HTTP 200, OCPI {ocpi} words)")


@pytest.mark.parametrize(
    ("http", "ocpi"), [(400, None), (400, 2001), (405, None), (422, None), (422, 1000), (409, 3000)]
)
def test_other_4xx_reject_this_evse_whatever_is_inside(http: int, ocpi: int | None) -> None:
    outcome = said(http, ocpi)
    assert isinstance(outcome, Rejected)
    assert not outcome.retry_slowly


@pytest.mark.parametrize(("http", "ocpi"), [(404, None), (404, 2003), (200, 2003), (400, 2003), (404, 2001)])
def test_an_evse_that_the_partner_lacks_is_tried_again_slowly(http: int, ocpi: int | None) -> None:
    outcome = said(http, ocpi)
    assert isinstance(outcome, Rejected)
    assert outcome.retry_slowly


@pytest.mark.parametrize(("http", "ocpi"), [(404, None), (404, 2003), (200, 2003)])
def test_gone_is_delivered_where_it_never_was(http: int, ocpi: int | None) -> None:
    assert isinstance(said(http, ocpi, removal=True), Delivered)


@pytest.mark.parametrize(("http", "ocpi"), [(200, 2001), (400, None), (422, None)])
def test_gone_can_be_rejected_like_anything_else(http: int, ocpi: int | None) -> None:
    assert isinstance(said(http, ocpi, removal=True), Rejected)


def test_gone_is_not_delivered_by_a_hub_that_found_nobody() -> None:
    assert isinstance(said(404, 4001, removal=True), NotSent)


@pytest.mark.parametrize(("http", "ocpi"), [(401, None), (403, None), (401, 2001), (403, 1000)])
def test_a_token_that_is_not_accepted_refuses_every_evse(http: int, ocpi: int | None) -> None:
    assert isinstance(said(http, ocpi), Refused)


@pytest.mark.parametrize("http", [301, 302, 307, 308])
def test_a_redirect_is_refused_with_the_advice_to_use_the_advertised_url(http: int) -> None:
    outcome = said(http, 1000, location="https://elsewhere.example/")
    assert isinstance(outcome, Refused)
    assert "exactly as the partner advertises it" in outcome.reason


@pytest.mark.parametrize("http", [429, 503])
def test_asked_to_come_back_was_not_applied(http: int) -> None:
    outcome = said(http, retry_after="7")
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after == timedelta(seconds=7)
    assert isinstance(said(http), NotSent)


def test_a_date_to_come_back_at_is_counted_from_now() -> None:
    outcome = said(503, retry_after="Sat, 21 Nov 2026 08:31:00 GMT")
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after == timedelta(minutes=1)


@pytest.mark.parametrize("ocpi", [4001, 4003])
def test_a_hub_that_cannot_reach_the_partner_applied_nothing(ocpi: int) -> None:
    assert isinstance(said(200, ocpi), NotSent)


@pytest.mark.parametrize("ocpi", [4000, 4002, 4004, 4999])
def test_a_hub_that_lost_the_answer_may_have_handed_it_on(ocpi: int) -> None:
    assert isinstance(said(200, ocpi), Unknown)


@pytest.mark.parametrize(
    ("http", "ocpi"), [(500, None), (502, None), (504, 1000), (599, 2001), (408, None), (200, 3000), (200, 3999)]
)
def test_a_partner_that_failed_may_have_applied_it(http: int, ocpi: int | None) -> None:
    assert isinstance(said(http, ocpi), Unknown)


@pytest.mark.parametrize("ocpi", ["1000", True, None, 1000.5, 0, 999, 5000, -1000, 10**30, [1000]])
def test_a_status_code_that_ocpi_does_not_have_tells_nothing(ocpi: Any) -> None:
    assert isinstance(said(200, body=msgspec.json.encode({"status_code": ocpi})), Unknown)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"<html><body>It works!</body></html>",
        b'"1000"',
        b"[1000]",
        b"{}",
        b'{"status_code":1000',
        b'{"status_code":1000}trailing',
        b'{"status_code":1000,"status_message":"\xff"}',
        b'{"data":' + b"[" * 100_000,
        b'{"status_code":1000}'.ljust(LARGEST_ANSWER),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_an_answer_that_is_no_envelope_tells_nothing(body: bytes) -> None:
    assert isinstance(said(200, body=body, content_type="application/json"), Unknown)


@pytest.mark.parametrize("http", [100, 199, 600, 999])
def test_a_status_that_http_does_not_have_tells_nothing(http: int) -> None:
    assert isinstance(said(http, 1000), Unknown)


def test_the_partners_words_are_kept_short_and_fit_for_a_log() -> None:
    outcome = said(
        200, body=msgspec.json.encode({"status_code": 2001, "status_message": "bad\r\n\x1b[31m" + "x" * 9999})
    )
    assert isinstance(outcome, Rejected)
    assert outcome.reason.isprintable()
    assert "OCPI 2001 bad" in outcome.reason
    assert len(outcome.reason) < TRIMMED + 100


@pytest.mark.parametrize(
    ("fault", "outcome", "applied"),
    [
        (None, Delivered, True),
        ("401", Refused, False),
        ("429", NotSent, False),
        ("2001", Rejected, False),
        ("3000", Unknown, False),
        ("500", Unknown, False),
        ("garbage", Unknown, False),
        ("cut", Unknown, True),
        ("slow", Unknown, True),
    ],
)
async def test_what_a_misbehaving_emsp_does_is_told_for_what_it_is(
    fault: Trouble | None, outcome: Any, applied: bool
) -> None:
    emsp = Emsp(StoppedClock(), TOKEN)
    emsp.fault = fault
    async with listening(emsp.app) as base, connected(emsp.url(base), patience=0.3) as connection:
        assert isinstance(await told(connection), outcome)
    assert bool(emsp.shown) is applied
    assert emsp.wrong == []


async def test_an_emsp_that_lacks_the_evse_takes_its_removal_for_granted() -> None:
    emsp = Emsp(StoppedClock(), TOKEN, known={"XPO-LARKENAU/1001-2"})
    async with listening(emsp.app) as base, connected(emsp.url(base)) as connection:
        unknown = await told(connection, ActualStatus.AVAILABLE, 1)
        gone = await told(connection, Gate.REMOVED, 2)
        known = await told(connection, ActualStatus.AVAILABLE, 3, uid="1001-2")
    assert isinstance(unknown, Rejected)
    assert unknown.retry_slowly
    assert isinstance(gone, Delivered)
    assert isinstance(known, Delivered)
    assert emsp.shown == {"XPO-LARKENAU/1001-2": "AVAILABLE"}


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    elsewhere = Recorder()
    server = Recorder(status=307)
    async with listening(elsewhere) as other, listening(server) as base, connected(base) as connection:
        server.headers.append((b"location", other.encode()))
        assert isinstance(await told(connection), Refused)
    assert elsewhere.requests == []


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    server = Recorder(body=b'{"status_code":1000}' + b" " * 2 * LARGEST_ANSWER)
    async with listening(server) as base, connected(base) as connection:
        assert isinstance(await told(connection), Unknown)
