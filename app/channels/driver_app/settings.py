"""The configuration of one receiver, as an operator types it in."""

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from app.channels.configuring import checked
from app.channels.driver_app.mapping import AppStatus
from app.domain.errors import DomainError, InvalidPartner
from app.domain.evse_id import operator_key
from app.domain.status import ActualStatus, Kind

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how every secret begins
SECRET_BYTES: Final = range(24, 65)  #: Spec: Standard Webhooks 1.0.0 §Signature scheme


def fresh_secret() -> str:
    """Make a secret of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


class DriverAppSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where the webhooks go, what signs them, which EVSEs they are about, and what differs from the default tables.

    `mapping` answers for kinds (`BLOCKED`) and for actual statuses (`actual.BLOCKED`).
    """

    url: str
    secret: str
    operators: list[str] = []
    locations: list[str] = []
    mapping: dict[str, AppStatus] = {}

    def __repr__(self) -> str:
        return f"DriverAppSettings({self.url!r})"  # never its secret: this ends up in logs


def mapping_key(what: Kind | ActualStatus) -> str:
    """How a mapping names `what`: some words are both a kind and an actual status."""
    return what.value if isinstance(what, Kind) else f"actual.{what.value}"


MAPPING_KEYS: Final = tuple(mapping_key(what) for what in (*Kind, *ActualStatus))


def read(raw: Mapping[str, Any]) -> DriverAppSettings:
    """Check a configuration, its secret included.

    Raises:
        InvalidPartner: it does not fit, with the field at fault.
    """
    settings = checked(raw, DriverAppSettings)
    _check_url(settings.url)
    _check_secret(settings.secret)
    for position, operator in enumerate(settings.operators):
        try:
            operator_key(operator)
        except DomainError:
            raise InvalidPartner(
                "not an operator id as in EVSE IDs, such as DE*ABC or +49*810",
                field=f"configuration.operators[{position}]",
            ) from None
    for key, shown in settings.mapping.items():
        if key not in MAPPING_KEYS:
            raise InvalidPartner(f"maps no status of ours; one of {', '.join(MAPPING_KEYS)}", field=_mapping(key))
        if shown is AppStatus.REMOVED:
            raise InvalidPartner("REMOVED is said of EVSEs that are gone, not of a status", field=_mapping(key))
    return settings


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    # urlsplit silently drops line breaks and tabs.
    if not fits or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidPartner("not an address such as https://app.example/webhook", field="configuration.url")
    if "@" in parts.netloc or parts.fragment:
        raise InvalidPartner("the url must have neither a user name nor a # in it", field="configuration.url")


def _check_secret(secret: str) -> None:
    try:
        size = len(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not secret.startswith(SECRET_PREFIX) or size not in SECRET_BYTES:
        raise InvalidPartner(
            f"not {SECRET_PREFIX} followed by base64 of 24 to 64 random bytes; leave it out to have one made",
            field="configuration.secret",
        )


def _mapping(key: str) -> str:
    return f"configuration.mapping.{key}"
