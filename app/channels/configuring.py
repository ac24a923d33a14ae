"""Configurations of partners, as they are typed in and as they are stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from app.channels.channel import Accepted, Channel
from app.domain.errors import InvalidPartner
from app.domain.partner import Partner

Typed = TypeVar("Typed", bound=msgspec.Struct)


def checked(raw: Mapping[str, Any], as_type: type[Typed]) -> Typed:
    """Read a configuration as `as_type`, whose fields are camelCase outside.

    Raises:
        InvalidPartner: naming the field at fault.
    """
    try:
        return msgspec.convert(dict(raw), as_type)
    except (msgspec.ValidationError, ValueError) as error:
        message, _, path = str(error).partition(" - at `$.")
        if message.startswith("Object contains unknown field"):
            message += f"; one of {', '.join(as_type.__struct_encode_fields__)}"
        raise InvalidPartner(message, field=f"configuration.{path.rstrip('`')}" if path else "configuration") from None


def concerns_of(channels: Mapping[str, Channel], partner: Partner, at: datetime) -> list[str]:
    """What the partner's channel is concerned about at `at` (UTC); nothing where there is no such channel."""
    channel = channels.get(partner.channel)
    return [] if channel is None else channel.concerns(partner, at)


def accepted(channels: Mapping[str, Channel], name: str, raw: Mapping[str, Any], longest: float) -> Accepted:
    """Have the channel called `name` check a configuration. `longest` is what a timeout may be, in seconds.

    Raises:
        InvalidPartner: there is no such channel, or the configuration does not fit it.
    """
    if (channel := channels.get(name)) is None:
        raise InvalidPartner(f"no channel {name}; one of {', '.join(channels)}", field="channel")
    good = channel.accept(raw)
    if good.timeout is not None and good.timeout > longest:
        raise InvalidPartner(
            f"at most {longest:g} s, a third of EVSE_STATUS_LEASE: raise that setting first",
            field="configuration.timeoutSeconds",
        )
    return good
