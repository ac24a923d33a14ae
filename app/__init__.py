"""EVSE Status Scheduler: request → stored → boundary → presented status → translated → delivered."""

from typing import Final

VERSION: Final = "0.1.0"
