"""OCPI 2.1.1."""

from typing import Final

from app.channels.ocpi.release import Release
from app.channels.ocpi.v2_1_1 import mapping, objects, wire

RELEASE: Final = Release(
    version="2.1.1",
    base64_token=False,
    kinds=mapping.KIND,
    actual=mapping.ACTUAL,
    objects=objects.OBJECTS,
    headers=wire.headers,
    status_patch=wire.status_patch,
    schedule_patch=wire.schedule_patch,
)
