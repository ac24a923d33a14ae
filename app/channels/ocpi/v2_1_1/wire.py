"""How OCPI 2.1.1 looks on the wire: the headers of a request, and the body that changes a status.

The body is that of later versions. 2.1.1 does not demand `last_updated`, and its samples leave it out; it is a field
of the EVSE all the same, and lets a partner tell which of two changes is the newer.
Spec: OCPI 2.1.1 mod_locations, EVSE object; eMSP interface, PATCH method.
"""

from app.channels.ocpi.release import Party
from app.channels.ocpi.v2_2_1.wire import schedule_patch, status_patch

__all__ = ["headers", "schedule_patch", "status_patch"]


def headers(authorization: str, sender: Party, receiver: Party) -> dict[str, str]:  # noqa: ARG001 - 2.1.1 routes nothing
    """Write the headers of one request. Whom it is from and for says the token alone, and requests have no ids.

    Spec: OCPI 2.1.1 transport_and_format, Authorization header.
    """
    return {"Authorization": authorization, "Content-Type": "application/json"}
