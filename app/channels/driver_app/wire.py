"""The body of a webhook: a CloudEvent, field for field."""

from typing import Final

import msgspec

TYPE: Final = "evse.status.presented"
CONTENT_TYPE: Final = "application/cloudevents+json"


class Presented(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is shown for one EVSE.

    `temporary_status` is the kind behind the status, `None` where the charger itself is. `until` is when this answer
    changes by the clock alone, `None` where nobody knows. Both times are RFC 3339 in UTC.
    """

    evse_id: str
    status: str
    temporary_status: str | None
    until: str | None
    version: int
    last_updated: str


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event in the JSON event format.

    Spec: CloudEvents 1.0 §Context Attributes; CloudEvents JSON Event Format §3
    """

    specversion: str = "1.0"
    id: str
    source: str = "/evse-status-scheduler"
    type: str = TYPE
    subject: str
    time: str
    datacontenttype: str = "application/json"
    data: Presented
