"""Which version a partner is spoken to in, and what there is in it.

Spec: OCPI 2.2.1 version_information_endpoint.
"""

from datetime import datetime
from http import HTTPStatus

from app.api.ocpi.asking import Asking
from app.api.ocpi.envelope import UNSUPPORTED_VERSION, Answer, Refused, granted
from app.channels.ocpi.sender import Sender


def versions(asked: Asking, sender: Sender, at: datetime) -> Answer:
    """List the version that the partner is configured for, and no other: what it is pushed is in that one too."""
    return granted([{"version": sender.version, "url": asked.url(sender.version)}], at)


def details(asked: Asking, sender: Sender, at: datetime) -> Answer:
    url = asked.url(sender.version)
    return granted({"version": sender.version, "endpoints": sender.endpoints(url)}, at)


def only_its_own(asked: Asking, sender: Sender) -> None:
    """Let a request through that is in the partner's version.

    Raises:
        Refused: HTTP 404; it is in another one.
    """
    if asked.path[0] != sender.version:
        message = f"you are spoken to in OCPI {sender.version}: {asked.url('versions')} leads there"
        raise Refused(HTTPStatus.NOT_FOUND, UNSUPPORTED_VERSION, message)
