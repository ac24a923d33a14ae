"""What a receiver's answer means. The body is never asked: a webhook is answered by its HTTP status alone.

Spec: Standard Webhooks 1.0.0 §Webhook delivery
"""

from datetime import datetime
from http import HTTPStatus
from typing import Final

from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.channels.transport import Answer, Sent

SUCCESS: Final = range(200, 300)
REDIRECTION: Final = range(300, 400)
CLIENT_ERROR: Final = range(400, 500)

_NOBODY: Final = "nobody takes webhooks at the partner's url"
#: What is said of us or of the address, and not of one EVSE: what to do about it. Not found is often said for minutes,
#: while a receiver is being replaced.
ADVICE: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "the receiver does not trust us; check that both sides have the same secret",
    HTTPStatus.FORBIDDEN: "the receiver does not trust us; check that both sides have the same secret",
    HTTPStatus.GONE: "the receiver is gone for good; pause or remove the partner, or give it a new url",
    HTTPStatus.NOT_FOUND: _NOBODY,
    HTTPStatus.METHOD_NOT_ALLOWED: _NOBODY,
    HTTPStatus.MISDIRECTED_REQUEST: _NOBODY,
}
#: Said of what we sent: it would be said again.
ABOUT_THIS_EVSE: Final[set[int]] = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


def outcome(sent: Sent, now: datetime) -> Outcome:
    """Judge what came of one request. `now` (UTC) is what a `Retry-After` date is measured from."""
    if not isinstance(sent, Answer):
        return sent
    said = f"HTTP {sent.status} {sent.excerpt}".strip()
    if (advice := ADVICE.get(sent.status)) is not None:
        return Refused(f"{said}: {advice}")
    match sent.status:
        case status if status in SUCCESS:
            return Delivered(said)
        case status if status in REDIRECTION:
            return Refused(f"{said}: redirects are not followed; set the partner's url to the final address")
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
            return NotSent(said, sent.retry_after(now))
        case HTTPStatus.REQUEST_TIMEOUT:
            return Unknown(said)  # it gave up waiting for the request, and may have seen all of it
        case status if status in CLIENT_ERROR:
            return Rejected(said, retry_slowly=status not in ABOUT_THIS_EVSE)
        case _:
            # Also what a gateway says of a receiver that took the webhook and was then too slow to answer.
            return Unknown(said)
