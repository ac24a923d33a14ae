"""API keys: recognisable, checked for typing errors before anybody is asked, stored only as a digest."""

import hashlib
import hmac
import secrets
import string
import zlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.errors import KeyNotFound
from app.domain.interval import before
from app.domain.principal import Principal, Role
from app.domain.rights import UNLIMITED, Rights

PREFIX: Final = "evst_"
_ALPHABET: Final = string.ascii_letters + string.digits
_ID, _SECRET, _CHECK = 10, 32, 6


class KeyState(StrEnum):
    """Whether a key is good for anything."""

    GOOD = "good"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is stored: never the key itself. Times are UTC.

    A rotated key goes on under the same id and owns what it owned; until `previous_until` the secret before it is good
    as well. `last_used_at`, `last_used_from` and `previous_used_at` are some seconds behind.
    """

    id: str
    name: str
    role: Role
    digest: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    last_used_from: str | None = None
    rights: Rights = UNLIMITED
    rotated_at: datetime | None = None
    previous_digest: str | None = None
    previous_until: datetime | None = None
    previous_used_at: datetime | None = None

    @property
    def principal(self) -> Principal:
        return Principal(self.id, self.role, self.rights, holds_key=True)

    def is_good(self, at: datetime) -> bool:
        """Tell whether it is neither revoked nor expired at `at`."""
        return self.state(at) is KeyState.GOOD

    def state(self, at: datetime) -> KeyState:
        """Derive where it stands at `at`; one that was revoked and would have expired was revoked."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.GOOD if before(at, self.expires_at) else KeyState.EXPIRED

    def overlaps(self, at: datetime) -> bool:
        """Tell whether the secret before the last rotation is good at `at`."""
        return self.is_good(at) and self.previous_until is not None and at < self.previous_until

    def opens(self, key: str, at: datetime, address: str | None = None) -> bool:
        """Tell whether `key` is this key, or the one before it, and good at `at` for a call from `address`."""
        return self.knows(digest_of(key), at) and self.rights.allows_from(address)

    def knows(self, digest: str, at: datetime) -> bool:
        """Tell whether this is the digest of this key, or of the one before it, and good at `at` from somewhere."""
        same = hmac.compare_digest(self.digest, digest)
        same |= self.is_previous(digest) and self.overlaps(at)
        return same and self.is_good(at)

    def is_previous(self, digest: str) -> bool:
        """Tell whether this is the digest of the key before the last rotation."""
        return self.previous_digest is not None and hmac.compare_digest(self.previous_digest, digest)

    def rotated(self, digest: str, at: datetime, overlap: timedelta) -> "ApiKey":
        """Return it with another secret; the old one stays good for `overlap`."""
        return msgspec.structs.replace(
            self,
            digest=digest,
            rotated_at=at,
            previous_digest=self.digest,
            previous_until=at + overlap,
            previous_used_at=None,
        )


def new_key(key_id: str | None = None) -> tuple[str, str]:
    """Make a key, or another one for `key_id`: its public id, and the whole of it, shown once. 190 bits are secret."""
    key_id, secret = (key_id or _random(_ID), _random(_SECRET))
    body = f"{PREFIX}{key_id}_{secret}"
    return key_id, body + _check(body)


def key_id_of(key: str) -> str | None:
    """Return the public id inside a key, or `None` where it cannot be one of ours: mistyped, cut or from elsewhere."""
    if len(key) != len(PREFIX) + _ID + 1 + _SECRET + _CHECK or not key.isascii() or not key.startswith(PREFIX):
        return None
    body, check = key[:-_CHECK], key[-_CHECK:]
    key_id = body[len(PREFIX) : len(PREFIX) + _ID]
    return key_id if is_key_id(key_id) and hmac.compare_digest(check, _check(body)) else None


def is_key_id(text: str) -> bool:
    """Tell whether a text could be the public id of a key."""
    return len(text) == _ID and text.isascii() and text.isalnum()


def no_such_key(text: str) -> KeyNotFound:
    """The refusal of an id that no key has. Who gave the key itself is told its id, and the secret is not repeated."""
    if not text.startswith(PREFIX):
        return KeyNotFound(f"no key {text}")
    key_id = key_id_of(text)
    return KeyNotFound("that is a key, and its id is wanted" + ("" if key_id is None else f": {key_id}"))


def digest_of(key: str) -> str:
    """A fast hash is right here: there are 190 bits to guess."""
    return hashlib.sha256(key.encode()).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _check(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return digits
