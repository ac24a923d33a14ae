"""`evse-status export`."""

import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import click

from app import VERSION
from app.api.paging import LARGEST
from app.api.shapes import told as time_told
from app.cli import moving_file
from app.cli.calling import Calling, at_url, calling
from app.cli.moving_file import Counts, EvseLine, Header, LocationLine, Record, TemporaryStatusLine, Trailer
from app.cli.opening import opened, runs, settings_from_environment
from app.cli.progress import bar
from app.cli.whole_files import whole
from app.clock import Clock, SystemClock
from app.domain.evse import Evse
from app.domain.instant import rfc3339
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store import locations, reading
from app.store.database import Database
from app.store.presented import live_by_evse

STDOUT: Final = Path("-")


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=STDOUT)
@click.option("--force", is_flag=True, help="Write over FILE if it exists.")
@at_url
@runs
async def export(file: Path, url: str | None, key: str | None, *, force: bool) -> None:
    """Write the EVSEs, and the temporary statuses that are not over, to FILE, or to standard output.

    One JSON value per line, for `evse-status import`. No partners and no API keys: their secrets never leave the
    database. With --url also no OCPI objects and locations, and of temporary statuses those that the key may see.

    It may run beside a service: each EVSE is in it as it was at one instant, not all of them as at the same.
    """
    with _output(file, force=force) as out, bar("exporting") as progress:
        task = progress.add_task("exporting", total=None)

        def told(evses: int) -> None:
            progress.update(task, completed=evses)

        header = Header(moving_file.FORMAT, moving_file.VERSION, rfc3339(SystemClock().now()), VERSION, "database")
        if url is None and key is None:
            async with opened(settings_from_environment()) as beside:
                async with beside.database.read() as connection:
                    progress.update(task, total=await reading.fleet_size(connection))
                counts = await write(out, header, of_database(beside.database, beside.clock), told)
        else:
            header.source = "api"
            async with calling(url, key) as api:
                counts = await write(out, header, of_api(api), told)
    said = f"{counts.evses} EVSEs, {counts.temporary_statuses} temporary statuses and {counts.locations} locations"
    click.echo(said, err=True)


async def write(
    out: IO[bytes], header: Header, records: AsyncGenerator[Record], told: Callable[[int], None] = lambda _: None
) -> Counts:
    """Write a whole file, one record at a time; `told` after how many EVSEs it is."""
    counts = Counts()
    out.write(moving_file.written(header))
    async for one in records:
        out.write(moving_file.written(one))
        counts.count(one)
        if isinstance(one, EvseLine):
            told(counts.evses)
    out.write(moving_file.written(Trailer(counts=counts)))
    return counts


@contextmanager
def _output(file: Path, *, force: bool) -> Generator[IO[bytes]]:
    if file == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with whole(file, replace=force) as draft, draft.open("wb") as out:
        yield out


async def of_database(database: Database, clock: Clock) -> AsyncGenerator[Record]:
    """All that is kept of locations and EVSEs, and what is not over.

    Page by page: a transaction over all of it would keep the database from clearing up for as long.
    """
    last = 0
    while True:
        async with database.read() as connection:
            places = await locations.page(connection, last, LARGEST)
        for place in places:
            yield LocationLine(
                country_code=place.country,
                party_id=place.party,
                location_id=place.id,
                ocpi_version=place.ocpi_version,
                ocpi_object=place.ocpi_object,
            )
        if len(places) < LARGEST:
            break
        last = places[-1].number
    last = 0
    while True:
        async with database.read() as connection:
            evses = await reading.fleet(connection, reading.FleetQuery(after=last, limit=LARGEST))
            live = await live_by_evse(connection, [one.id for one in evses], clock.now())
        for evse in evses:
            yield _evse(evse)
            for one in live.get(evse.id, []):
                yield _temporary(evse, one)
        if len(evses) < LARGEST:
            return
        last = evses[-1].id


def _evse(evse: Evse) -> EvseLine:
    return EvseLine(
        country_code=evse.country,
        party_id=evse.party,
        uid=evse.uid,
        evse_id=evse.evse_id,
        location_id=evse.location,
        deployment_state=evse.deployment,
        actual_status=evse.actual_status,
        reported=evse.reported,
        observed_at=time_told(evse.observed_at),
        ocpi_version=evse.ocpi_version,
        ocpi_object=evse.ocpi_object,
        created_by=evse.created_by,
        created_at=time_told(evse.created_at),
    )


def _temporary(evse: Evse, one: TemporaryStatus) -> TemporaryStatusLine:
    return TemporaryStatusLine(
        country_code=evse.country,
        party_id=evse.party,
        uid=evse.uid,
        evse_id=evse.evse_id,
        id=one.id,
        temporary_status=one.kind,
        valid_from=rfc3339(one.interval.begin),
        valid_to=time_told(one.interval.end),
        applies_when=one.applies_when,
        reason=one.reason,
        ref=one.ref,
        created_by=one.created_by,
        created_at=rfc3339(one.created_at),
    )


async def of_api(api: Calling) -> AsyncGenerator[Record]:
    """What the API tells of EVSEs, and of temporary statuses as far as the key sees them."""
    async for page in api.pages("/v2/evses", {"limit": LARGEST}):
        for one in page:
            evse = evse_told(one)
            yield evse
            for each in one["temporaryStatuses"]:
                yield _temporary_told(evse, each)


def evse_told(view: Mapping[str, Any]) -> EvseLine:
    """An EVSE as the API tells it."""
    return EvseLine(
        country_code=view["countryCode"],
        party_id=view["partyId"],
        uid=view["uid"],
        evse_id=view["evseId"],
        location_id=view["locationId"],
        deployment_state=DeploymentState(view["deploymentState"]),
        actual_status=ActualStatus(view["actualStatus"]),
        reported=view["reported"],
        observed_at=view["observedAt"],
    )


def _temporary_told(evse: EvseLine, view: Mapping[str, Any]) -> TemporaryStatusLine:
    return TemporaryStatusLine(
        country_code=evse.country_code,
        party_id=evse.party_id,
        uid=evse.uid,
        evse_id=evse.evse_id,
        id=view["id"],
        temporary_status=Kind(view["temporaryStatus"]),
        valid_from=view["validFrom"],
        valid_to=view["validTo"],
        applies_when=AppliesWhen(view["appliesWhen"]),
        reason=view["reason"],
        ref=view["ref"],
        created_by=view["createdBy"],
        created_at=view["createdAt"],
    )
