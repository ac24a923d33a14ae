"""Anti-entropy: whatever a partner acknowledged is told once more now and then, in case it was lost over there.

A partner that was restored from a backup, or that somebody else writes to as well, is right again after one round. Each
EVSE has its place in the round by its key, so that the fleet is spread over all of it and nothing has to be remembered.

Where others write as well, as the CPO's backend may at Hubject, it hurts most when they overwrite a temporary status:
those that are active have a shorter round of their own.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.channels.channel import Channel
from app.domain.partner import Partner
from app.store import deliveries, partners, presented
from app.store.database import Database

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
#: A run makes up for this many that were missed at most; what is left out has its turn in the next round.
_MADE_UP_FOR: Final = 10


class Reassertion:
    """Every minute owes each partner its share of the fleet anew, so that a round takes `round_takes`."""

    every: Final = timedelta(minutes=1)

    def __init__(
        self,
        database: Database,
        round_takes: timedelta,
        owed: Callable[[], None],
        *,
        name: str = "reassertion",
        concerns: Callable[[Partner], bool] = lambda _partner: True,
        active_only: bool = False,
    ) -> None:
        """`owed` is called when something is owed anew.

        `concerns` says to whom; `active_only`: no more than the EVSEs that show a temporary status.
        """
        self.name = name
        self._concerns = concerns
        self._active_only = active_only
        self._database = database
        self._round = round_takes
        self._owed = owed

    async def do(self, last: datetime, at: datetime, go_on: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
        since = min(max(last, at - _MADE_UP_FOR * self.every), at)
        async with self._database.read() as connection:
            receivers = await partners.all_partners(connection)
            last_key = await presented.last_evse(connection)
        ranges = share(since, at, self._round, last_key)
        for partner in receivers:
            if partner.paused or not self._concerns(partner):
                continue  # it gets what is true afterwards; what it has can wait for the next round
            async with self._database.write() as connection:
                # So can one that is away, if what it is owed will find out when it is back; else this does.
                if partner.failures and await deliveries.is_owed(connection, partner.id):
                    continue
                for after, up_to in ranges:
                    # Spread over the time until the next run, so that news never queue behind all of it.
                    await deliveries.owe_anew(
                        connection,
                        partner.id,
                        after,
                        up_to,
                        at,
                        over=self.every,
                        unless_since=at - self._round / 2,
                        active_only=self._active_only,
                    )
            self._owed()
            if not await go_on():
                break
        return {}


def of_active(
    database: Database, round_takes: timedelta, owed: Callable[[], None], channels: Mapping[str, Channel]
) -> Reassertion:
    """Re-assert active temporary statuses, to partners at whom others may write as well."""

    def others_write_too(partner: Partner) -> bool:
        channel = channels.get(partner.channel)
        return channel is not None and channel.others_write_too

    return Reassertion(
        database, round_takes, owed, name="reassertion of the active", concerns=others_write_too, active_only=True
    )


def share(since: datetime, at: datetime, round_takes: timedelta, last_key: int) -> list[tuple[int, int]]:
    """The keys up to `last_key` whose turn comes between `since` and `at`, as ranges `after < key <= up_to`."""
    # Counted through all rounds since then, so that shares that follow each other leave no gap and never overlap.
    # In whole numbers: half a million times half a century is more than a `timedelta` holds.
    first, until = (last_key * ((one - _EPOCH) // _TICK) // (round_takes // _TICK) for one in (since, at))
    if until - first >= last_key:
        return [(0, last_key)]
    after, up_to = first % last_key, until % last_key
    return [(after, up_to)] if after <= up_to else [(after, last_key), (0, up_to)]
