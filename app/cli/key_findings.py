"""What `evse-status doctor` finds out about API keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.findings import Finding
from app.cli.key_words import minute
from app.domain.api_key import ApiKey
from app.domain.presets import BARE
from app.store import keys as store

SOON: Final = timedelta(days=30)  #: or the last tenth of its life, for one that was made for a few days
_NAMED: Final = 5  #: keys that are named before the rest is only counted


async def of_keys(connection: AsyncConnection, at: datetime) -> list[Finding]:
    """Say which keys will soon be good for nothing, and which never will though that is usual for their role."""
    good = [one for one in await store.all_keys(connection) if one.is_good(at)]
    found = [
        Finding(
            f"key {one.id}",
            f"{one.name}: expires {minute(one.expires_at)} UTC",
            f"`evse-status keys change {one.id} --expires 365d`, or leave it if nobody uses it any more",
        )
        for one in good
        if one.expires_at is not None and one.expires_at <= at + min(SOON, (one.expires_at - one.created_at) / 10)
    ]
    if forever := [one for one in good if one.expires_at is None and BARE[one.role].lifetime is not None]:
        todo = "give them a date: `evse-status keys change ID --expires 365d`"
        found.append(Finding("keys", f"without expiry, below admin: {_named(forever)}", todo, note=True))
    return found


def _named(keys: Sequence[ApiKey]) -> str:
    shown = ", ".join(f"{one.id} ({one.name})" for one in keys[:_NAMED])
    return f"{shown} and {len(keys) - _NAMED} more" if len(keys) > _NAMED else shown
