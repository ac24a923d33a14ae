"""The statements of `app.store.deliveries` and `app.store.partners`, said in Python over one partner and its rows.

That they say the same is proved in `test_in_sql.py`: a history takes the very same course in every store.
"""

# ruff: noqa: ARG002 - the same arguments as the real ones
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from cryptography.fernet import Fernet

from app.domain.delivery import Aspect, Delivery
from app.domain.partner import Partner
from app.store.deliveries import FURTHEST_NEXT, Owed
from app.store.secrets import Secrets
from tests.simulation.stores import Store
from tests.simulation.virtual_time import START

SECRETS: Final = Secrets(Fernet.generate_key().decode("ascii"))
PARTNER: Final = Partner(
    id=1,
    name="it",
    channel="simulated",
    configuration={"address": 1, "table": 1},
    tells_fleet=True,
    created_by="test",
    created_at=START,
    updated_at=START,
)


def in_memory() -> Store:
    memory = Memory()
    return Store(memory, memory, memory, SECRETS)


class Memory:
    """No virtual time passes in a transaction, so nothing else happens meanwhile."""

    def __init__(self) -> None:
        self._partner = PARTNER
        self._rows: dict[int, Delivery] = {}
        self._lane: tuple[str, datetime] | None = None

    def write(self) -> "Memory":
        return self

    read = write

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...

    # app.store.deliveries

    async def of_evses(self, _: Any, evses: Iterable[int]) -> dict[tuple[int, int, Aspect], Delivery]:
        return {(PARTNER.id, evse, Aspect.STATUS): self._rows[evse] for evse in evses if evse in self._rows}

    async def owe(self, _: Any, owed: Sequence[Owed]) -> None:
        for one in owed:
            new = one.delivery
            if not one.created:
                old = self._rows[new.evse]
                new = msgspec.structs.replace(
                    old,
                    want=new.want,
                    next_at=one.at if old.next_at is None or one.at is None else min(old.next_at, one.at),
                    acked_digest=old.acked_digest if old.generation == new.generation else None,
                    generation=new.generation,
                )
            self._rows[new.evse] = new

    async def next_due(self, _: Any, partner: Partner, at: datetime, longest_lease: timedelta) -> datetime | None:
        times = [row.next_at for row in self._claimable(partner, at, longest_lease) if row.next_at is not None]
        if not times:
            return None
        return at if max(times) > at + FURTHEST_NEXT else min(times)

    async def take_lane(self, _: Any, partner: int, token: str, at: datetime, lease: timedelta) -> bool:
        if self._lane is not None:
            owner, until = self._lane
            if owner != token and at < until <= at + lease * 2:
                return False
        self._lane = (token, at + lease)
        return True

    async def release_lane(self, _: Any, partner: int, token: str) -> None:
        if self._lane is not None and self._lane[0] == token:
            self._lane = None

    async def claim(
        self,
        _: Any,
        partner: Partner,
        at: datetime,
        limit: int,
        longest_lease: timedelta,
        take: Callable[[Delivery], Delivery],
    ) -> list[Delivery]:
        owed = [(row.next_at, row) for row in self._claimable(partner, at, longest_lease) if row.next_at is not None]
        due = [(next_at, row.evse) for next_at, row in owed if next_at <= at]
        due = due or [(next_at, row.evse) for next_at, row in owed if next_at > at + FURTHEST_NEXT]
        taken = [take(self._rows[evse]) for _, evse in sorted(due)[:limit]]
        for row in taken:
            self._rows[row.evse] = row
        return taken

    async def settle(
        self, _: Any, keys: Iterable[tuple[int, int, Aspect]], decide: Callable[[Delivery], Delivery | None]
    ) -> None:
        for _, evse, _ in sorted(keys):
            new = decide(self._rows[evse])
            if new is not None:
                self._rows[evse] = new

    async def void_leases(self, _: Any, at: datetime) -> int:
        self._lane = None
        orphaned = [row for row in self._rows.values() if row.in_flight]
        for row in orphaned:
            self._rows[row.evse] = msgspec.structs.replace(
                row, in_flight=False, suspect=True, confirm_at=None, lease_until=None, token=None, next_at=at
            )
        return len(orphaned)

    async def bring_forward(self, _: Any, at: datetime) -> None:
        for row in self._rows.values():
            if row.next_at is not None and row.next_at > at:
                self._rows[row.evse] = msgspec.structs.replace(row, next_at=at)

    # app.store.partners

    async def all_partners(self, _: Any) -> list[Partner]:
        return [self._partner]

    async def change(
        self, _: Any, secrets: Secrets, name: str, decide: Callable[[Partner], Partner], at: datetime, actor: str
    ) -> Partner:
        old = self._partner
        self._partner = msgspec.structs.replace(decide(old), revision=old.revision + 1, updated_at=at)
        return self._partner

    async def set_standing(self, _: Any, partner: int, decide: Callable[[Partner], Partner]) -> Partner | None:
        self._partner = decide(self._partner)
        return self._partner

    async def resend(self, _: Any, partner: Partner, evse: int, at: datetime) -> bool:
        row = self._rows.get(evse)
        if row is None:
            return False
        self._rows[evse] = msgspec.structs.replace(row, next_at=at, acked_digest=None, rejected_version=None)
        return True

    def _claimable(self, partner: Partner, at: datetime, longest_lease: timedelta) -> list[Delivery]:
        return [
            row
            for row in self._rows.values()
            if abs(row.generation) <= partner.generation
            and (row.lease_until is None or row.lease_until <= at or row.lease_until > at + longest_lease)
        ]
