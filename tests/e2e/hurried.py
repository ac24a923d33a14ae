"""Settings for services that a test waits for on real time."""

from datetime import timedelta
from typing import Any, Final

#: Shorter than in earnest, so that back-off and the settling of doubts can be waited for.
HURRIED: Final[dict[str, Any]] = {
    "request_timeout": timedelta(seconds=2),
    "lease": timedelta(seconds=7),
    "settle": timedelta(seconds=8),
    "back_off_first": timedelta(milliseconds=100),
    "back_off_longest": timedelta(milliseconds=500),
    "retry_slowly": timedelta(seconds=5),
}
