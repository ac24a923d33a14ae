"""What the controllers work with, put together by the composition root."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from app.api.broadcasting import Broadcast
from app.api.rates import Rates
from app.api.scrapers import Scrapers
from app.channels.channel import Channel
from app.clock import Clock
from app.settings import Settings
from app.store.database import Database
from app.store.key_uses import KeyUses
from app.store.keys import KeyReader
from app.store.looking_up import EvseReader
from app.store.secrets import Secrets
from app.store.writer import Writer


@dataclass(frozen=True)
class Context:
    """One running service, as the API sees it.

    `look` asks for a look at what is due, `owed` for one at what partners are owed, `partners_changed` for one at the
    partners. `unready` says why the service cannot do its work at the moment, if it cannot. `metrics` are what there is
    to see of it.
    """

    settings: Settings
    clock: Clock
    database: Database
    secrets: Secrets
    writer: Writer
    keys: KeyReader
    evses: EvseReader
    key_uses: KeyUses
    rates: Rates
    channels: Mapping[str, Channel]
    events: Broadcast
    look: Callable[[], None]
    owed: Callable[[], None]
    partners_changed: Callable[[], None]
    unready: Callable[[], list[str]]
    metrics: Callable[[], Awaitable[bytes]]
    scrapers: Scrapers
