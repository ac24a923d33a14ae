"""API keys: recognisable, checked for typing errors before anybody is asked, stored only as a digest."""

import hashlib
import hmac
import secrets
import string
import zlib
from datetime import datetime
from typing import Final

import msgspec

from app.domain.principal import Role

PREFIX: Final = "evst_"
_ALPHABET: Final = string.ascii_letters + string.digits
_ID, _SECRET, _CHECK = 10, 32, 6


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is stored: never the key itself. Times are UTC."""

    id: str
    name: str
    role: Role
    digest: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def opens(self, key: str, at: datetime) -> bool:
        """Tell whether `key` is this key and still good at `at`."""
        same = hmac.compare_digest(self.digest, digest_of(key))
        return same and self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def new_key() -> tuple[str, str]:
    """Make a key: its public id, and the whole of it, which is shown once. 190 bits of it are secret."""
    key_id, secret = (_random(_ID), _random(_SECRET))
    body = f"{PREFIX}{key_id}_{secret}"
    return key_id, body + _check(body)


def key_id_of(key: str) -> str | None:
    """Return the public id inside a key, or `None` where it cannot be one of ours: mistyped, cut or from elsewhere."""
    if len(key) != len(PREFIX) + _ID + 1 + _SECRET + _CHECK or not key.isascii() or not key.startswith(PREFIX):
        return None
    body, check = key[:-_CHECK], key[-_CHECK:]
    return body[len(PREFIX) : len(PREFIX) + _ID] if hmac.compare_digest(check, _check(body)) else None


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
