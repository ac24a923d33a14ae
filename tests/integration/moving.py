"""What tests of moving share: a fleet of every sort, and a file through which it goes from one database to another."""

import io
import random
from datetime import datetime, timedelta
from typing import Any, Final

from app.cli import importing, moving_file
from app.cli.exporting import of_database, write
from app.cli.importing import Tally
from app.cli.importing_beside import Beside
from app.clock import Clock
from app.domain.evse import Evse
from app.domain.evse_id import parse_evse_id
from app.domain.instant import rfc3339
from app.domain.interval import Interval
from app.domain.presentation import present
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store.database import Database
from app.store.replacing import not_yet_presented
from app.store.rows import evse_from, evse_values, temporary_status_from, temporary_status_values
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import HOUR, MINUTE, stored
from tests.clock import START


async def exported(database: Database, clock: Clock) -> io.BytesIO:
    out = io.BytesIO()
    header = moving_file.Header(moving_file.FORMAT, 1, rfc3339(clock.now()), "test", "database")
    await write(out, header, of_database(database, clock))
    return out


async def taken_in(
    file: io.BytesIO, database: Database, writer: Writer, clock: Clock, *, dry_run: bool = False
) -> Tally:
    file.seek(0)
    importing.checked(file)
    return await importing.take_in(file, Beside(database, writer, clock, dry_run=dry_run))


def counted(tally: Tally) -> dict[str, dict[str, int]]:
    """What became of the lines, without what there is none of."""
    return {sort: {word: count for word, count in one.items() if count} for sort, one in tally.counts.items()}


async def fill(database: Database, count: int, seed: int) -> None:
    """Put in EVSEs in every state, with temporary statuses of every sort on them."""
    lots = random.Random(seed)
    evses = [_evse(lots, number) for number in range(1, count + 1)]
    temporary: list[dict[str, Any]] = []
    for evse in evses:
        for _ in range(lots.choice([0, 0, 1, 3, 8])):
            one = _temporary(lots, evse, len(temporary) + 1)
            temporary.append(temporary_status_values(one, evse.operator))
            if one.ref is None and lots.random() < 0.2:  # somebody said it twice
                temporary.append(temporary[-1] | {"id": len(temporary) + 1})
    async with database.write() as connection:
        await connection.execute(metadata.tables["evse"].insert(), [evse_values(one) for one in evses])
        presented = [not_yet_presented(one, START) for one in evses]
        await connection.execute(metadata.tables["presented"].insert(), presented)
        await connection.execute(metadata.tables["temporary_status"].insert(), temporary)


_STATES: Final = [*[DeploymentState.PRODUCTION] * 4, DeploymentState.STOCK, DeploymentState.DEPRECATED]


def _evse(lots: random.Random, number: int) -> Evse:
    state = lots.choice(_STATES)
    # Of those that are gone some had the EVSE ID of one that is in use.
    written = f"DE*ABC*E{number - 1 if state is DeploymentState.DEPRECATED else number}*1"
    evse_id = parse_evse_id(written) if lots.random() < 0.9 else None
    status = lots.choice([None, *ActualStatus])
    imported = {"uid": f"u{number}", "physical_reference": "ß", "x": 1.5} if lots.random() < 0.5 else None
    return Evse(
        id=number,
        evse_id=None if evse_id is None else evse_id.written,
        key=None if evse_id is None else evse_id.key,
        operator="DEABC",
        country="DE",
        party="ABC",
        uid=f"u{number}",
        location=lots.choice([None, "LOC1"]),
        deployment=state,
        actual_status=status or ActualStatus.UNKNOWN,
        reported=None if status is None else status.value,
        observed_at=None if status is None else START - lots.randrange(100) * MINUTE,
        ocpi_object=imported,
        ocpi_version=None if imported is None else "2.2.1",
        created_by="backend",
        created_at=START - HOUR,
        updated_at=START - HOUR,
    )


def _temporary(lots: random.Random, evse: Evse, number: int) -> TemporaryStatus:
    begin = START + lots.randrange(-120, 120, 10) * MINUTE
    end = lots.choice([None, begin + lots.randrange(10, 240, 10) * MINUTE])
    ended = lots.random() < 0.2
    return TemporaryStatus(
        id=number,
        evse=evse.id,
        kind=lots.choice(list(Kind)),
        interval=Interval(begin, end),
        applies_when=lots.choice(list(AppliesWhen)),
        reason=lots.choice([None, "new cable", "ß"]),
        ref=lots.choice([None, f"ref-{number}"]),
        created_by=lots.choice(["cli", "k1", "k2"]),
        created_at=START - HOUR,
        updated_at=START - HOUR,
        ended_at=START - MINUTE if ended else None,
        ended_by="k1" if ended else None,
        end_reason="ended" if ended else None,
    )


Seen = dict[tuple[str, str, str], list[Any]]


async def shown(database: Database, ats: list[datetime], max_age: timedelta) -> Seen:
    """What is shown of each EVSE at each instant, until when and because of what, whatever number that has."""
    evses = {row["id"]: evse_from(row) for row in await stored(database, "evse")}  # type: ignore[arg-type]
    on: dict[int, list[TemporaryStatus]] = {one: [] for one in evses}
    for row in await stored(database, "temporary_status"):
        on[row["evse"]].append(temporary_status_from(row))  # type: ignore[arg-type]
    return {
        (evse.country, evse.party, evse.uid): [
            (evse.evse_id, evse.operator, evse.key, evse.location, evse.ocpi_object, evse.ocpi_version),
            *(_answer(evse, on[evse.id], at, max_age) for at in ats),
        ]
        for evse in evses.values()
    }


def _answer(evse: Evse, on: list[TemporaryStatus], at: datetime, max_age: timedelta) -> Any:
    answer = present(evse.deployment, evse.actual(max_age), on, at)
    because = next((one for one in on if one.id == answer.because), None)
    said = None if because is None else (because.kind, because.interval, because.applies_when, because.reason)
    return answer.what, answer.until, said
