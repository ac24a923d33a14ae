"""What a partner's answer means. HTTP 200 alone means nothing: OCPI says no with it.

Success is HTTP 2xx *and* JSON *and* a `status_code` of OCPI's own between 1000 and 1999.
Spec: OCPI 2.2.1 transport_and_format, Response format; status_codes.
"""

from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

import msgspec

from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.channels.transport import LARGEST_ANSWER, TRIMMED, Answer


class Verdict(Enum):
    """What one line of the tables says of a request."""

    DONE = auto()
    NOT_KNOWN = auto()  #: the partner lacks this EVSE; when told that it is gone, that is all we wanted
    REJECTED = auto()
    REFUSED = auto()
    LATER = auto()  #: surely not applied
    UNCLEAR = auto()
    ASK_OCPI = auto()  #: HTTP leaves it to the status code of OCPI


class Row(msgspec.Struct, frozen=True):
    """From `first` to `last`, both included: the verdict, and what an operator should make of it."""

    first: int
    last: int
    verdict: Verdict
    advice: str = ""


#: Read from the top; the first line that holds the HTTP status decides.
HTTP: Final = (
    Row(200, 299, Verdict.ASK_OCPI),
    Row(300, 399, Verdict.REFUSED, "it redirects: enter the receiver URL exactly as the partner advertises it"),
    Row(401, 401, Verdict.REFUSED, "it does not accept our token"),
    Row(403, 403, Verdict.REFUSED, "it does not accept our token, or does not let us write"),
    Row(408, 408, Verdict.UNCLEAR, "it gave up waiting for the request"),
    Row(429, 429, Verdict.LATER, "it asks for fewer requests"),
    Row(400, 499, Verdict.ASK_OCPI),
    Row(503, 503, Verdict.LATER, "it is out of service"),
    Row(500, 599, Verdict.UNCLEAR, "it failed"),
)

#: The status code in the envelope. Spec: OCPI 2.2.1 status_codes.
OCPI: Final = (
    Row(1000, 1999, Verdict.DONE),
    Row(2003, 2003, Verdict.NOT_KNOWN, "it does not know this location or EVSE"),
    Row(2000, 2999, Verdict.REJECTED, "it does not accept this request"),
    Row(3000, 3999, Verdict.UNCLEAR, "it failed"),
    Row(4001, 4001, Verdict.LATER, "the hub does not know the receiver: check countryCode and partyId"),
    Row(4003, 4003, Verdict.LATER, "the receiver is not connected to the hub"),
    Row(4000, 4999, Verdict.UNCLEAR, "the hub could not hand it on"),
)


class Envelope(msgspec.Struct, frozen=True):
    """As much of OCPI's envelope as matters here. Unknown fields are nobody's business."""

    status_code: int
    status_message: Any = None


def judge(answer: Answer, *, removal: bool, now: datetime) -> Outcome:
    """Return what is known after `answer`, received at `now` (UTC).

    `removal` says that the request told the partner that the EVSE is gone.
    """
    envelope = _envelope(answer)
    row = _row(HTTP, answer.status)
    if row is not None and row.verdict is Verdict.ASK_OCPI:
        row = _asked_ocpi(answer, envelope)
    if row is None:
        return Unknown(_said("it answered something that is not OCPI", answer, envelope))
    reason = _said(row.advice, answer, envelope)
    match row.verdict:
        case Verdict.DONE:
            return Delivered(reason)
        case Verdict.NOT_KNOWN:
            return Delivered(reason) if removal else Rejected(reason, retry_slowly=True)
        case Verdict.REJECTED:
            return Rejected(reason)
        case Verdict.REFUSED:
            return Refused(reason)
        case Verdict.LATER:
            return NotSent(reason, answer.retry_after(now))
        case Verdict.UNCLEAR | Verdict.ASK_OCPI:
            return Unknown(reason)


def is_lacking(outcome: Outcome) -> bool:
    """Tell whether the partner said that it does not have what the request was about."""
    return isinstance(outcome, Rejected) and outcome.retry_slowly


_ABSENT: Final = Row(404, 404, Verdict.NOT_KNOWN, "it does not know this location or EVSE, or the URL is wrong")
_NO: Final = Row(400, 499, Verdict.REJECTED, "it does not accept this request")


def _asked_ocpi(answer: Answer, envelope: Envelope | None) -> Row | None:
    row = None if envelope is None else _row(OCPI, envelope.status_code)
    if answer.status < 400:  # noqa: PLR2004 - HTTP 2xx: the envelope alone decides
        return row
    # Some say their no with an HTTP 4xx. Whatever is inside can make it clearer, never a yes.
    if row is not None and row.verdict in {Verdict.NOT_KNOWN, Verdict.LATER}:
        return row
    return _ABSENT if answer.status == _ABSENT.first else _NO


def _row(table: tuple[Row, ...], code: int) -> Row | None:
    return next((row for row in table if row.first <= code <= row.last), None)


def _envelope(answer: Answer) -> Envelope | None:
    """Read the envelope; the body counts, not its Content-Type, which many forget."""
    if len(answer.body) >= LARGEST_ANSWER:
        return None
    try:
        return msgspec.json.decode(answer.body, type=Envelope)
    except (ValueError, RecursionError):
        return None


def _said(advice: str, answer: Answer, envelope: Envelope | None) -> str:
    """Put our advice and the partner's own words on one line that is fit for a log."""
    if envelope is None:
        words = f"HTTP {answer.status} {answer.excerpt}"
    else:
        words = f"HTTP {answer.status}, OCPI {envelope.status_code} {envelope.status_message or ''}"
    printable = "".join(one if one.isprintable() else " " for one in words).strip()[:TRIMMED]
    return f"{advice} ({printable})" if advice else printable
