"""Before the first request: a moment in which the partner can turn our certificate away.

With TLS 1.3 we may speak before the partner has looked at our certificate, and its alert crosses our request. A partner
that then hangs up with the request unread resets the connection, and the alert with it: what is left cannot be told
from an answer that was lost. Heard before anything was sent, it is certain that nothing was applied.
"""

import math
import ssl
from collections.abc import Mapping
from typing import Any, Final

import httpcore

LONGEST_WAIT: Final = 0.5  #: seconds that a partner has who gives no sign; longer than a way there and back
#: What else it may be nobody can tell; the next time it may be something else.
HUNG_UP: Final = "it hung up as soon as it had seen whether we have a certificate, and which"
_LOOK_EVERY: Final = 0.02  #: seconds
_CONNECTED: Final = "connection.start_tls.complete"


async def hear_out(event: str, told: Mapping[str, Any], *, longest: float = LONGEST_WAIT) -> None:
    """Wait until the partner has taken our certificate, or for `longest` seconds.

    It is a `trace` of httpcore, which calls it with each step that it takes.

    Raises:
        httpcore.ConnectError: it did not.
    """
    if event != _CONNECTED:
        return
    stream: httpcore.AsyncNetworkStream = told["return_value"]
    try:
        await _listen(stream, longest)
    except BaseException:
        await stream.aclose()  # nobody else does
        raise


async def _listen(stream: httpcore.AsyncNetworkStream, longest: float) -> None:
    tls: ssl.SSLObject = stream.get_extra_info("ssl_object")
    # Looks are counted, as a machine that is too busy to look says nothing about the partner. A session ticket comes
    # after our certificate was looked at. Spec: RFC 8446 §4.6.1
    for _ in range(math.ceil(longest / _LOOK_EVERY)):
        if tls.version() != "TLSv1.3" or _has_ticket(tls):
            return
        try:
            spoken = await stream.read(1, _LOOK_EVERY)
        except httpcore.ReadTimeout:
            continue
        except (httpcore.ReadError, ssl.SSLError) as error:
            raise httpcore.ConnectError(f"broken off before anything was sent: {error}") from error
        raise httpcore.ConnectError("it spoke before it was asked" if spoken else HUNG_UP)


def _has_ticket(tls: ssl.SSLObject) -> bool:
    return tls.session is not None and tls.session.has_ticket
