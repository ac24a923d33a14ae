"""OCPI 2.3.0."""

from typing import Final

from app.channels.ocpi.release import Release
from app.channels.ocpi.v2_3_0 import mapping, objects, wire

RELEASE: Final = Release(
    version="2.3.0",
    base64_token=True,
    kinds=mapping.KIND,
    actual=mapping.ACTUAL,
    objects=objects.OBJECTS,
    headers=wire.headers,
    status_patch=wire.status_patch,
    schedule_patch=wire.schedule_patch,
)
