"""Making, changing, rotating and revoking API keys in somebody's name, who is asked about first.

Each raises `KeyNotGood` where the key that asks was revoked since the call began.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.api_key import ApiKey, KeyState, digest_of, new_key
from app.domain.errors import KeyIsOver, KeyNotFound, MalformedValue, MayNot
from app.domain.granting import WantedRights, changed_rights, good_expiry, good_name, new_rights
from app.domain.permission import Action, OfKey
from app.domain.presets import BARE, PRESETS, Preset
from app.domain.principal import Principal, Role
from app.domain.rights import Rights
from app.store import keys
from app.store.commands.asking import demand

OVERLAP: Final = timedelta(days=1)  #: how long the secret before a rotation stays good, unless otherwise said
LONGEST_OVERLAP: Final = timedelta(days=90)


class Issued(msgspec.Struct, frozen=True):
    """A key as it is stored, and the key itself: shown once."""

    stored: ApiKey
    key: str

    def __repr__(self) -> str:
        """Leave the key out: this may be printed."""
        return f"Issued({self.stored.id})"


async def create(
    connection: AsyncConnection,
    by: Principal,
    at: datetime,
    *,
    name: str,
    of: Preset | Role,
    wanted: WantedRights,
    expires_at: datetime | None | UnsetType = UNSET,
) -> Issued:
    """Make a key with the terms `of` a preset or a role, but for what is wanted otherwise.

    Raises:
        MalformedValue: something cannot be.
        MayNot: it would reach further than `by` does.
    """
    by = await keys.held(connection, by, at)
    terms = PRESETS[of] if isinstance(of, Preset) else BARE[of]
    if expires_at is UNSET:
        expires_at = None if terms.lifetime is None else at + terms.lifetime
    key_id, key = new_key()
    stored = ApiKey(
        id=key_id,
        name=good_name(name),
        role=terms.role,
        digest=digest_of(key),
        created_by=by.id,
        created_at=at,
        expires_at=good_expiry(expires_at, at),
        rights=new_rights(terms.role, terms.rights, wanted),
    )
    _no_further(by, stored)
    await keys.add(connection, stored)
    return Issued(stored, key)


async def change(
    connection: AsyncConnection,
    by: Principal,
    key_id: str,
    at: datetime,
    *,
    name: str | UnsetType = UNSET,
    wanted: WantedRights | None = None,
    expires_at: datetime | None | UnsetType = UNSET,
) -> ApiKey:
    """Change what a key is called, what it is good for and until when. It counts from the next call on.

    Raises:
        KeyNotFound: there is none for `by`.
        KeyIsOver: it was revoked.
        MalformedValue: something cannot be.
        MayNot: it would reach further than `by` does.
    """
    by = await keys.held(connection, by, at, key_id)

    def decide(old: ApiKey) -> ApiKey:
        reached(by, Action.ISSUE_KEYS, old)
        if old.state(at) is KeyState.REVOKED:
            raise KeyIsOver(f"key {key_id} is revoked: make a new one")
        new = old
        if name is not UNSET:
            new = msgspec.structs.replace(new, name=good_name(name))
        if wanted is not None:
            rights: Rights = changed_rights(old.role, old.rights, wanted)
            new = msgspec.structs.replace(new, rights=rights)
        if expires_at is not UNSET and expires_at != old.expires_at:
            new = msgspec.structs.replace(new, expires_at=good_expiry(expires_at, at))
        _no_further(by, new)
        return new

    return await keys.change(connection, key_id, decide, at, by.id)


async def rotate(
    connection: AsyncConnection, by: Principal, key_id: str, at: datetime, overlap: timedelta = OVERLAP
) -> Issued:
    """Give a key another secret; the one before stays good for `overlap`, and one before that ends now.

    Raises:
        KeyNotFound: there is none for `by`.
        KeyIsOver: it was revoked or has expired.
        MalformedValue: the overlap is longer than 90 days.
    """
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise MalformedValue("both secrets are good together for at most 90 days (P90D)", field="overlap")
    by = await keys.held(connection, by, at, key_id)
    _, key = new_key(key_id)

    def decide(old: ApiKey) -> ApiKey:
        reached(by, Action.ISSUE_KEYS, old)
        if not old.is_good(at):
            todo = "make a new one" if old.state(at) is KeyState.REVOKED else "change when it expires first"
            raise KeyIsOver(f"key {key_id} is {old.state(at)}: {todo}")
        return old.rotated(digest_of(key), at, overlap)

    return Issued(await keys.change(connection, key_id, decide, at, by.id, "rotate"), key)


async def revoke(
    connection: AsyncConnection, by: Principal, key_id: str, at: datetime, action: Action = Action.ISSUE_KEYS
) -> ApiKey:
    """Make a key good for nothing; one that was revoked before stays so.

    Raises:
        KeyNotFound: there is none for `by`.
    """
    by = await keys.held(connection, by, at, key_id)
    return await keys.revoke(connection, key_id, at, by.id, permitted(by, action))


def permitted(by: Principal, action: Action) -> Callable[[ApiKey], None]:
    return lambda key: reached(by, action, key)


def reached(by: Principal, action: Action, key: ApiKey) -> None:
    """Refuse a key that `by` may do that to as little as to one that does not exist.

    Raises:
        KeyNotFound: it looks as if there were none.
    """
    demand(by, action, OfKey(key), KeyNotFound(f"no key {key.id}"))


def _no_further(by: Principal, new: ApiKey) -> None:
    demand(by, Action.ISSUE_KEYS, OfKey(new), MayNot("a key reaches no further than the one that makes or changes it"))
