"""OCPI 2.2.1."""

from typing import Final

from app.channels.ocpi.release import Release
from app.channels.ocpi.v2_2_1 import mapping, wire

RELEASE: Final = Release("2.2.1", mapping.KIND, mapping.ACTUAL, wire.headers, wire.status_patch)
