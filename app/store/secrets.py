"""Partners' tokens and webhook secrets, encrypted at rest with a key from the settings."""

import contextlib
import os
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken


class SecretsUnreadable(Exception):
    """The stored secrets were encrypted with another key."""


class Secrets:
    """Encrypts and decrypts with one Fernet key (32 bytes, URL-safe base64)."""

    def __init__(self, key: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise ValueError("EVSE_STATUS_SECRET_KEY must be 32 bytes in URL-safe base64 (44 characters)") from None

    def seal(self, secrets: dict[str, Any]) -> str:
        return self._fernet.encrypt(msgspec.json.encode(secrets)).decode("ascii")

    def open(self, sealed: str) -> dict[str, Any]:
        """Decrypt.

        Raises:
            SecretsUnreadable: they were sealed with another key.
        """
        try:
            return msgspec.json.decode(self._fernet.decrypt(sealed.encode("ascii")), type=dict[str, Any])
        except InvalidToken:
            raise SecretsUnreadable(
                "the partners' secrets were encrypted with another key: set EVSE_STATUS_SECRET_KEY to the one that "
                "was in use when the partners were added"
            ) from None


def key_beside(database: Path) -> str:
    """Return the key kept beside an embedded database, made on first use, readable by its owner only."""
    path = database.with_name(database.name + ".key")
    if not path.exists():
        # Written whole under another name first: a second process must never read half a key.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(Fernet.generate_key().decode("ascii"))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text("ascii").strip()
