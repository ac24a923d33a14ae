"""OCPI 2.2.1."""

from typing import Final

from app.channels.ocpi.release import Release
from app.channels.ocpi.v2_2_1 import mapping, objects, wire

RELEASE: Final = Release(
    version="2.2.1",
    base64_token=True,
    kinds=mapping.KIND,
    actual=mapping.ACTUAL,
    objects=objects.OBJECTS,
    headers=wire.headers,
    status_patch=wire.status_patch,
    schedule_patch=wire.schedule_patch,
)
