"""What a key becomes when it is made or changed: what was asked for, laid over what it was good for before."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.errors import MalformedValue
from app.domain.permission import KINDS, ROLES, Action
from app.domain.principal import TRUSTED, Role
from app.domain.rights import Rights, network_of
from app.domain.scope import Scope
from app.domain.status import Kind

LONGEST_NAME: Final = 100
MOST_NETWORKS: Final = 50

#: Who must be told where it may work: a key that writes, and that the brake does not trust.
_NEEDS_SCOPE: Final = ROLES[Action.PLAN] - TRUSTED


class WantedRights(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a key's rights; `UNSET` leaves it as it is. `None` lifts a limit. See `Rights`."""

    scope: Scope | UnsetType = UNSET
    kinds: tuple[Kind, ...] | UnsetType = UNSET
    longest: timedelta | None | UnsetType = UNSET
    furthest: timedelta | None | UnsetType = UNSET
    most_active: int | None | UnsetType = UNSET
    open_ended: bool | UnsetType = UNSET
    final_cancel: bool | UnsetType = UNSET
    networks: tuple[str, ...] | UnsetType = UNSET
    rate: int | None | UnsetType = UNSET


def new_rights(role: Role, usual: Rights, wanted: WantedRights) -> Rights:
    """Return the rights of a new key.

    Raises:
        MalformedValue: something cannot be, or nobody said where a key may work that has to be told.
    """
    if wanted.scope is UNSET and role in _NEEDS_SCOPE:
        raise MalformedValue(
            "say which EVSEs the key is for: operators, sites or EVSEs, or that it is for those everywhere",
            field="rights.scope",
        )
    return changed_rights(role, usual, wanted)


def changed_rights(role: Role, rights: Rights, wanted: WantedRights) -> Rights:
    """Return `rights` with what is wanted instead.

    Raises:
        MalformedValue: something cannot be.
    """
    different = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
    for name, least in (("longest", timedelta(seconds=1)), ("furthest", timedelta())):
        if (value := different.get(name)) is not None and value < least:
            raise MalformedValue("a limit of no time would allow nothing", field=f"rights.{name}")
    for name, field in (("most_active", "mostActive"), ("rate", "rate")):
        if (value := different.get(name)) is not None and value < 1:
            raise MalformedValue("a limit is at least 1", field=f"rights.{field}")
    if wanted.kinds is not UNSET:
        different["kinds"] = _kinds(role, wanted.kinds)
    if wanted.networks is not UNSET:
        different["networks"] = _networks(wanted.networks)
    return msgspec.structs.replace(rights, **different)


def good_name(name: str) -> str:
    """Check the name of a key, which is for people.

    Raises:
        MalformedValue: it is empty, too long, or cannot be printed on one line.
    """
    if not 1 <= len(name.strip()) <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise MalformedValue(f"a name has 1 to {LONGEST_NAME} printable characters", field="name")
    return name


def good_expiry(expires_at: datetime | None, at: datetime) -> datetime | None:
    """Check when a key expires (UTC), `None` being never.

    Raises:
        MalformedValue: it has already.
    """
    if expires_at is not None and expires_at <= at:
        raise MalformedValue("a key expires in the future; revoke it to end it now", field="expiresAt")
    return expires_at


def _kinds(role: Role, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    if not kinds:
        raise MalformedValue("a key that may say nothing is one of a reader", field="rights.kinds")
    if never := [kind for kind in kinds if kind not in KINDS[role]]:
        ever = ", ".join(kind for kind in Kind if kind in KINDS[role])
        only = f", only {ever}" if ever else ", nor anything else"
        raise MalformedValue(f"a key with the role {role} never says {never[0]}{only}", field="rights.kinds")
    return tuple(kind for kind in Kind if kind in kinds)


def _networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    if len(networks) > MOST_NETWORKS:
        raise MalformedValue(f"a key has at most {MOST_NETWORKS} networks", field="rights.networks")
    read = []
    for place, text in enumerate(networks):
        try:
            read.append(str(network_of(text)))
        except MalformedValue as error:
            raise MalformedValue(str(error), field=f"rights.networks[{place}]") from None
    return tuple(dict.fromkeys(read))
