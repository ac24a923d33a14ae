"""Translated and delivered: a folder for each kind of partner, and the register of them, one line each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.channels.channel import Channel
from app.channels.contract import Contract
from app.channels.driver_app.channel import DriverAppChannel
from app.channels.driver_app.contract import CONTRACT as DRIVER_APP
from app.channels.ocpi.channel import OcpiChannel
from app.channels.ocpi.contract import CONTRACT as OCPI
from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.contract import CONTRACT as OICP

_CHANNELS: Final[tuple[tuple[Channel, Contract], ...]] = (
    (DriverAppChannel(), DRIVER_APP),
    (OicpChannel(), OICP),
    (OcpiChannel(), OCPI),
)

REGISTER: Final[Mapping[str, Channel]] = MappingProxyType({channel.name: channel for channel, _ in _CHANNELS})
CONTRACTS: Final[Mapping[str, Contract]] = MappingProxyType({channel.name: told for channel, told in _CHANNELS})
