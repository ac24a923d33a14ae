"""How OCPI 2.3.0 looks on the wire: of all that concerns a status, just as 2.2.1.

What 2.3.0 adds to an EVSE (`parking`, `accepted_service_providers`) says nothing of its status, and its receivers must
not mind fields that they do not know. Spec: OCPI 2.3.0 mod_locations, EVSE object; transport_and_format.
"""

from app.channels.ocpi.v2_2_1.wire import headers, schedule_patch, status_patch

__all__ = ["headers", "schedule_patch", "status_patch"]
