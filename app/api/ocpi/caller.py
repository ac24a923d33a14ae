"""Who asks: the partner whose token it is, in base64 or as it is, whichever the version would have.

Spec: OCPI 2.2.1 transport_and_format, Authorization header; 2.1.1 does not encode.
"""

from base64 import b64decode
from binascii import Error
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.ocpi.envelope import CLIENT_ERROR, Refused
from app.domain.partner import Partner
from app.store import partners

_LONGEST: Final = 200  #: characters; in base64 a token of 64 has 88


async def caller(connection: AsyncConnection, authorization: str) -> Partner:
    """Find the partner that has this token; a paused one too, since it is only not told anything.

    Raises:
        Refused: HTTP 401; there is no token, or nobody has it.
    """
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    found = None
    if scheme.lower() == "token" and 0 < len(token) <= _LONGEST:
        # By its digest: how long it takes to find it says nothing of how much of a token was right.
        found = await partners.by_caller(connection, {sha256(one).hexdigest() for one in _written(token)})
    if found is None:
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            CLIENT_ERROR,
            "send Authorization: Token <token>, with the token that this service gave you",
            {"WWW-Authenticate": "Token"},
        )
    return found


def _written(token: str) -> set[bytes]:
    """What was meant: many mix the versions up, and the specification's own samples encode a newline with it."""
    plain = token.encode("latin-1", "replace")
    try:
        decoded = b64decode(plain, validate=True)
    except Error:
        return {plain}
    return {plain, decoded.strip()}
