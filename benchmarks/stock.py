"""A large stock as a service leaves it behind: windows, what they come to, and partners that have been told of it."""

import shutil
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import make_url

from app.channels import REGISTER
from app.domain.delivery import Delivery
from app.domain.evse import Evse
from app.domain.partner import Partner
from app.domain.presentation import Presentation
from app.domain.status import ActualStatus
from app.domain.temporary_status import TemporaryStatus
from app.schedule.resolving import resolve
from app.store import partners
from app.store.database import Database
from app.store.presented import Due, Shown
from app.store.rows import delivery_values, evse_values, temporary_status_values, what_text
from app.store.secrets import Secrets
from app.store.tables import metadata
from benchmarks import fleet
from benchmarks.bench import Bench
from benchmarks.databases import fill
from benchmarks.processes import SECRET_KEY

#: The windows of one EVSE, given its key.
Planned: TypeAlias = Callable[[int], Sequence[TemporaryStatus]]

PARTNERS: Final = 3  #: the first keys are theirs
EACH: Final = 10  #: windows of an EVSE in `usual`
BEGAN: Final = 5  #: which of them began while nobody looked
DOWN: Final = timedelta(hours=1)  #: for how long nobody has looked at the stock of `usual`
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_OPERATORS: Final = [f"DE*B{number:02}" for number in range(fleet.OPERATORS)]
_NOWHERE: Final = "http://127.0.0.1:9"
_CONFIGURATIONS: Final[dict[str, dict[str, Any]]] = {
    "driver_app": {"url": _NOWHERE, "secret": "whsec_" + "A" * 32},
    "oicp": {"baseUrl": _NOWHERE, "operatorId": _OPERATORS[0], "subOperators": _OPERATORS[1:]},
    "ocpi": {"url": _NOWHERE, "token": "t" * 20, "countryCode": "DE", "partyId": "EMS", "version": "2.2.1"},
}


async def put(url: str, count: int, planned: Planned, at: datetime, *, told: bool = True) -> None:
    """Store `count` EVSEs, what is planned on them, and what that came to when last looked at, which was at `at`.

    `told`: there are three partners, and each has acknowledged all of it. They are paused: nothing is sent.
    """
    known = list(fleet.evses(count, at))
    await fill(url, metadata.tables["evse"], (evse_values(one) for one in known))
    await fill(url, metadata.tables["temporary_status"], _windows(known, planned))
    await fill(url, metadata.tables["presented"], (_presented(one, planned(one.id), at) for one in known))
    if told:
        receivers = await _receivers(url, at)
        await fill(url, metadata.tables["delivery"], _deliveries(receivers, known, at))


async def usual(url: str, windows: int, at: datetime) -> None:
    """Store so many windows, `EACH` on an EVSE: four are over, one began while the service was down, five are ahead."""

    def planned(evse: int) -> list[TemporaryStatus]:
        first = (evse - 1) * EACH + 1
        begins = [at - (4 - number) * _DAY for number in range(4)] + [at - DOWN / 2]
        begins += [at + (1 + number) * _DAY for number in range(EACH - len(begins))]
        made = at - 10 * _DAY
        return [
            fleet.window(first + number, evse, begin, begin + 8 * _HOUR, made=made)
            for number, begin in enumerate(begins)
        ]

    await put(url, windows // EACH, planned, at - DOWN)


@asynccontextmanager
async def embedded(bench: Bench, windows: int) -> AsyncGenerator[str]:
    """The URL of a copy of the `usual` stock on SQLite, which is made once."""
    stored = bench.directory / f"stock-{windows}.db"
    async with bench.databases.fresh("sqlite") as url:
        path = make_url(url).database
        assert path is not None
        if stored.exists():
            shutil.copyfile(stored, path)
        else:
            bench.tell(f"a stock of {windows:,} windows")
            await usual(url, windows, fleet.now())
            shutil.copyfile(path, stored)
        yield url


def _windows(known: Sequence[Evse], planned: Planned) -> Iterator[dict[str, Any]]:
    for evse in known:
        for one in planned(evse.id):
            yield temporary_status_values(one, evse.operator)


def _presented(evse: Evse, live: Sequence[TemporaryStatus], at: datetime) -> dict[str, Any]:
    before = Shown(
        evse=evse.id,
        presentation=Presentation(ActualStatus.AVAILABLE),
        announced=(),
        version=1,
        status_version=1,
        schedule_version=0,
        last_updated=at - timedelta(minutes=1),
        recheck_at=None,
    )
    shown = resolve(Due(before, evse, [one for one in live if not one.is_over(at)]), at, None).now
    return {
        "evse": evse.id,
        "what": what_text(shown.presentation.what),
        "because": shown.presentation.because,
        "until": shown.presentation.until,
        "announced": msgspec.to_builtins(shown.announced) or None,
        **{name: getattr(shown, name) for name in ("version", "status_version", "schedule_version")},
        "last_updated": shown.last_updated,
        "recheck_at": shown.recheck_at,
    }


async def _receivers(url: str, at: datetime) -> list[Partner]:
    database = Database(url)
    added = []
    try:
        async with database.write() as connection:
            for channel, raw in _CONFIGURATIONS.items():
                new = REGISTER[channel].accept(raw).as_partner(channel, channel, "benchmark", at)
                new = msgspec.structs.replace(new, paused=True, introduced=new.generation)
                added.append(await partners.add(connection, Secrets(SECRET_KEY), new, "benchmark"))
    finally:
        await database.close()
    return added


def _deliveries(receivers: Sequence[Partner], known: Sequence[Evse], at: datetime) -> Iterator[dict[str, Any]]:
    for receiver in receivers:
        for evse in known:
            yield delivery_values(
                Delivery(
                    partner=receiver.id,
                    evse=evse.id,
                    want=2,
                    acked=2,
                    acked_digest="0" * 64,
                    acked_at=at,
                    shared_at=at,
                    generation=receiver.generation,
                    told_at=evse.address,
                )
            )
