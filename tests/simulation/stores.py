"""What a history is stored in: the real statements on a real database, or the same in memory."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from app.domain.delivery import Aspect, Delivery
from app.domain.partner import Partner
from app.store.deliveries import Owed
from app.store.secrets import Secrets


class Transactions(Protocol):
    """As `app.store.database.Database` has them."""

    def write(self) -> AbstractAsyncContextManager[Any]: ...

    def read(self) -> AbstractAsyncContextManager[Any]: ...


class Deliveries(Protocol):
    """What is used of `app.store.deliveries`; see there."""

    async def of_evses(self, connection: Any, evses: Iterable[int]) -> dict[tuple[int, int, Aspect], Delivery]: ...

    async def owe(self, connection: Any, owed: Sequence[Owed]) -> None: ...

    async def next_due(
        self, connection: Any, partner: Partner, at: datetime, longest_lease: timedelta
    ) -> datetime | None: ...

    async def take_lane(self, connection: Any, partner: int, token: str, at: datetime, lease: timedelta) -> bool: ...

    async def release_lane(self, connection: Any, partner: int, token: str) -> None: ...

    async def claim(
        self,
        connection: Any,
        partner: Partner,
        at: datetime,
        limit: int,
        longest_lease: timedelta,
        take: Callable[[Delivery], Delivery],
    ) -> list[Delivery]: ...

    async def settle(
        self,
        connection: Any,
        keys: Iterable[tuple[int, int, Aspect]],
        decide: Callable[[Delivery], Delivery | None],
    ) -> None: ...

    async def void_leases(self, connection: Any, at: datetime) -> int: ...

    async def bring_forward(self, connection: Any, at: datetime) -> None: ...


class Partners(Protocol):
    """What is used of `app.store.partners`; see there."""

    async def all_partners(self, connection: Any) -> list[Partner]: ...

    async def change(
        self,
        connection: Any,
        secrets: Secrets,
        name: str,
        decide: Callable[[Partner], Partner],
        at: datetime,
        actor: str,
    ) -> Partner: ...

    async def set_standing(
        self, connection: Any, partner: int, decide: Callable[[Partner], Partner]
    ) -> Partner | None: ...

    async def resend(self, connection: Any, partner: Partner, evse: int, at: datetime) -> bool: ...


class Store(msgspec.Struct, frozen=True):
    """A store with one partner in it, and the EVSEs 1, 2, 3, …"""

    transactions: Transactions
    deliveries: Deliveries
    partners: Partners
    secrets: Secrets

    async def the_partner(self, connection: Any) -> Partner:
        (partner,) = await self.partners.all_partners(connection)
        return partner

    async def rows(self, evses: Iterable[int]) -> list[Delivery]:
        async with self.transactions.read() as connection:
            by_key = await self.deliveries.of_evses(connection, evses)
        return sorted(by_key.values(), key=lambda row: row.evse)
