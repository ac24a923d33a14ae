"""What is owed about many EVSEs at once is what `owed_by` says of each: held to it over random histories."""

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.announcing import Announced
from app.domain.delivery import Aspect, Delivery
from app.domain.evse import EvseCore
from app.domain.partner import Audience, Partner
from app.domain.presentation import Gate, Presentation, What
from app.domain.status import ActualStatus, Kind
from app.schedule.promising import promise
from app.schedule.resolving import owed_by
from app.store import deliveries
from app.store.database import Database
from app.store.presented import Due, Resolved, Shown
from app.store.rows import delivery_values, what_text
from app.store.tables import metadata
from tests.builders import HOUR
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import add_partner
from tests.integration.test_clockwork import make_fleet

Promising: TypeAlias = Callable[[AsyncConnection, list[Partner], list[Resolved]], Awaitable[None]]
COUNT: Final = 12
SHOWN: Final[tuple[What, ...]] = (ActualStatus.AVAILABLE, ActualStatus.BLOCKED, Kind.BLOCKED, Gate.WITHHELD)
AHEAD: Final = (Announced(Kind.BLOCKED, START + HOUR, None),)
_delivery = metadata.tables["delivery"]
_presented = metadata.tables["presented"]


class _Undone(Exception):
    """Nothing of it is to stay."""


async def one_by_one(connection: AsyncConnection, partners: list[Partner], resolved: list[Resolved]) -> None:
    known = await deliveries.of_evses(connection, [one.now.evse for one in resolved])
    await deliveries.owe(connection, [owes for one in resolved for owes in owed_by(one, partners, known, START)])


async def all_at_once(connection: AsyncConnection, partners: list[Partner], resolved: list[Resolved]) -> None:
    await promise(connection, partners, resolved, START)


def resolved_one(luck: random.Random, evse: int, usual: float) -> Resolved:
    """Mostly what a storm is; else anything that may come of a look."""
    version = luck.randint(1, 5)
    before = Shown(
        evse=evse,
        presentation=Presentation(luck.choice(SHOWN)),
        announced=luck.choice(((), AHEAD)),
        version=version,
        status_version=luck.randint(0, version),
        schedule_version=luck.randint(0, version),
        last_updated=START - HOUR,
        recheck_at=START,
    )
    what = luck.choice(SHOWN[:3] if luck.random() < usual else SHOWN)
    renewed = luck.random() > usual
    until = luck.choice((None, START + HOUR))
    announced = luck.choice(((), AHEAD))
    moved = what is not before.presentation.what or until != before.presentation.until
    new = version + 1
    now = msgspec.structs.replace(
        before,
        presentation=Presentation(what, None, until),
        announced=announced,
        version=new,
        status_version=new if moved or renewed else before.status_version,
        schedule_version=new if announced != before.announced else before.schedule_version,
    )
    return Resolved(due=Due(before, EvseCore(id=evse, operator="DEABC"), ()), now=now, moved=moved, renewed=renewed)


def told(luck: random.Random, partner: Partner, one: Resolved, usual: float) -> list[Delivery]:
    """What is there of this EVSE: both aspects of one generation, as they are always brought to it together."""
    if luck.random() > usual:
        return []
    included = partner.audience.includes(one.due.evse)
    generation = partner.generation if included else -partner.generation
    if luck.random() > usual:
        generation = luck.choice((-generation, partner.generation - 1))
    found = []
    for aspect in Aspect if luck.random() > 0.4 else (Aspect.STATUS,):
        want = one.due.shown.version_of(aspect)
        if aspect is Aspect.STATUS and luck.random() > usual:
            want = max(want - 1, 0)
        found.append(
            Delivery(
                partner=partner.id,
                evse=one.now.evse,
                aspect=aspect,
                want=want,
                acked=luck.choice((None, want)),
                acked_digest=luck.choice((None, "d")),
                acked_at=luck.choice((None, START - HOUR)),
                shared_at=START - HOUR,
                generation=generation,
                rejected_version=luck.choice((None, None, None, want)),
                next_at=luck.choice((None, None, START - HOUR, START + HOUR)),
            )
        )
    return found


async def came_to(
    database: Database, partners: list[Partner], resolved: list[Resolved], owed: list[Delivery], promising: Promising
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    try:
        async with database.write() as connection:
            for one in resolved:
                values = {
                    "what": what_text(one.now.presentation.what),
                    "version": one.now.version,
                    "status_version": one.now.status_version,
                    "schedule_version": one.now.schedule_version,
                }
                await connection.execute(_presented.update().where(_presented.c.evse == one.now.evse).values(values))
            if owed:
                await connection.execute(_delivery.insert(), [delivery_values(one) for one in owed])
            await promising(connection, partners, resolved)
            query = select(_delivery).order_by(_delivery.c.partner, _delivery.c.evse, _delivery.c.aspect)
            rows = [dict(row) for row in (await connection.execute(query)).mappings()]
            raise _Undone  # noqa: TRY301 - so that nothing of it stays
    except _Undone:
        return rows


@pytest.mark.parametrize("usual", [1.0, 0.97, 0.7])
async def test_what_is_owed_about_many_at_once_is_what_is_owed_about_each(
    database: Database, clock: FrozenClock, usual: float
) -> None:
    await make_fleet(database, COUNT, START, START + HOUR)
    added = [await add_partner(database, clock, name) for name in ("app", "schedules", "elsewhere")]
    for seed in range(40):
        luck = random.Random(f"{seed} {usual}")
        partners = [
            msgspec.structs.replace(
                one,
                generation=luck.choice((1, 3)),
                gets_schedule=one.name == "schedules",
                tells_fleet=luck.random() > 0.5,
                audience=Audience(operators=("DE*XYZ",)) if one.name == "elsewhere" else Audience(),
            )
            for one in added
        ]
        resolved = [resolved_one(luck, evse, usual) for evse in range(1, COUNT + 1)]
        owed = [row for one in resolved for partner in partners for row in told(luck, partner, one, usual)]
        singly = await came_to(database, partners, resolved, owed, one_by_one)
        together = await came_to(database, partners, resolved, owed, all_at_once)
        assert together == singly, seed


async def test_a_storm_is_moved_on_without_a_look_at_what_each_partner_had(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_fleet(database, COUNT, START, START + HOUR)
    partners = [await add_partner(database, clock, name) for name in ("app", "hubject")]
    luck = random.Random(1)
    resolved = [resolved_one(luck, evse, 1.0) for evse in range(1, COUNT + 1)]
    resolved = [one for one in resolved if not isinstance(one.now.presentation.what, Gate)]
    owed = [row for one in resolved for partner in partners for row in told(luck, partner, one, 1.0)]

    async def never(*_: Any) -> Any:
        raise AssertionError("each was looked at")

    monkeypatch.setattr(deliveries, "of_evses", never)
    rows = await came_to(database, partners, resolved, owed, all_at_once)
    wanted = {one.now.evse: one.now.status_version for one in resolved}
    assert {row["evse"]: row["want"] for row in rows if row["aspect"] == "status"} == wanted
