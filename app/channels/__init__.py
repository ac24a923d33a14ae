"""Translated and delivered: a folder for each kind of partner, and the register of them, one line each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.channels.channel import Channel
from app.channels.driver_app.channel import DriverAppChannel
from app.channels.ocpi.channel import OcpiChannel
from app.channels.oicp.channel import OicpChannel

_CHANNELS: Final[tuple[Channel, ...]] = (
    DriverAppChannel(),
    OicpChannel(),
    OcpiChannel(),
)

REGISTER: Final[Mapping[str, Channel]] = MappingProxyType({channel.name: channel for channel in _CHANNELS})
