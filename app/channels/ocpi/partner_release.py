"""The versions of OCPI that are spoken, and how one partner hears them: with words of its own laid over the tables."""

from collections.abc import Mapping
from typing import Final

import msgspec

from app.channels.ocpi import v2_1_1, v2_2_1, v2_3_0
from app.channels.ocpi.release import Release
from app.channels.ocpi.settings import OcpiSettings

#: A further version is a folder and a line here.
RELEASES: Final[Mapping[str, Release]] = {one.version: one for one in (v2_1_1.RELEASE, v2_2_1.RELEASE, v2_3_0.RELEASE)}
DEFAULT: Final = v2_2_1.RELEASE


def release_of(settings: OcpiSettings) -> Release:
    """The partner's version, with its own words and its own way of writing a token."""
    release = RELEASES[settings.version]
    in_base64 = settings.token_in_base64
    return msgspec.structs.replace(
        release,
        kinds={**release.kinds, **settings.own_kinds},
        actual={**release.actual, **settings.own_actual},
        base64_token=release.base64_token if in_base64 is None else in_base64,
    )
