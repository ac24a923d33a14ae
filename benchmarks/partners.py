"""Partners to measure with: at the receivers of `benchmarks.receivers`, and told everything there was before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import or_, select

from app.channels import REGISTER
from app.domain.delivery import Delivery
from app.domain.partner import Audience, Partner
from app.domain.status import ActualStatus
from app.store import partners
from app.store.database import Database
from app.store.rows import delivery_values
from app.store.secrets import Secrets
from app.store.tables import metadata
from benchmarks import fleet
from benchmarks.databases import fill
from benchmarks.processes import SECRET_KEY
from benchmarks.receivers import until

_PATIENCE: Final = 30.0  #: seconds until what was told must be settled
_TOKEN: Final = "token-of-the-benchmarks"  # noqa: S105 - opens nothing


def driver_app(place: str, name: str = "app") -> tuple[str, str, dict[str, Any]]:
    """A driver's app at the receivers that listen there, under the name `app/<name>`."""
    return f"app-{name}", "driver_app", {"url": f"http://{place}/app/{name}"}


def emsp(place: str, name: str = "emsp") -> tuple[str, str, dict[str, Any]]:
    """An OCPI 2.2.1 eMSP, under the name `ocpi/<name>`."""
    asking = {"token": _TOKEN, "countryCode": "NL", "partyId": "TNM"}
    return f"ocpi-{name}", "ocpi", asking | {"url": f"http://{place}/ocpi/{name}"}


def hubject(place: str, name: str, operators: Sequence[int]) -> tuple[str, str, dict[str, Any]]:
    """An account at Hubject for these operators, under the name `hubject/<name>`."""
    first, *others = (f"DE*B{one:02}" for one in operators)
    return (
        f"hub-{name}",
        "oicp",
        {"baseUrl": f"http://{place}/hubject/{name}", "operatorId": first}
        | ({"subOperators": others} if others else {}),
    )


async def join(url: str, evses: int, at: datetime, *which: tuple[str, str, dict[str, Any]]) -> list[int]:
    """Add partners, each with all that it gets of the first `evses` acknowledged; return their keys.

    Nothing is owed to them afterwards.
    """
    database = Database(url)
    joined: list[Partner] = []
    try:
        async with database.write() as connection:
            for name, channel, configuration in which:
                new = REGISTER[channel].accept(configuration).as_partner(name, channel, "benchmark", at)
                new = msgspec.structs.replace(new, introduced=new.generation)
                joined.append(await partners.add(connection, Secrets(SECRET_KEY), new, "benchmark"))
    finally:
        await database.close()
    known = list(fleet.evses(evses, at))
    rows = [
        _acknowledged(partner, one.id, at, one.address)
        for partner in joined
        for one in known
        if partner.audience == Audience() or partner.audience.includes(one)
    ]
    await fill(url, metadata.tables["delivery"], [delivery_values(one) for one in rows])
    return [one.id for one in joined]


def _acknowledged(partner: Partner, evse: int, at: datetime, address: str | None) -> Delivery:
    return Delivery(
        partner=partner.id,
        evse=evse,
        want=1,
        acked=1,
        acked_digest=ActualStatus.AVAILABLE,
        acked_at=at - timedelta(minutes=1),
        shared_at=at - timedelta(minutes=1),
        generation=partner.generation,
        told_at=address,
    )


async def owe(url: str, keys: Sequence[int], evses: range, at: datetime) -> None:
    """Owe these partners these EVSEs anew, from `at` on."""
    delivery = metadata.tables["delivery"]
    which = (delivery.c.partner.in_(keys), delivery.c.evse.between(evses.start, evses.stop - 1))
    database = Database(url)
    try:
        async with database.write() as connection:
            await connection.execute(delivery.update().where(*which).values(next_at=at, acked_digest=None))
    finally:
        await database.close()


async def settled(url: str) -> None:
    """Wait until nothing is owed, under way or in doubt.

    Raises:
        TimeoutError: something still is.
    """
    delivery = metadata.tables["delivery"]
    unsettled = (delivery.c.next_at.is_not(None), delivery.c.lease_until.is_not(None), delivery.c.suspect)
    query = select(delivery.c.evse).where(or_(*unsettled)).limit(1)
    database = Database(url)

    async def is_nothing_left() -> bool:
        async with database.read() as connection:
            return (await connection.execute(query)).first() is None

    try:
        await until(is_nothing_left, _PATIENCE)
    finally:
        await database.close()
