"""Taking locations in from a backend, and noticing what of an EVSE has changed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.domain.location import PublishedLocation
from app.schedule.reconcile import Reconciler
from app.store.commands.importing import Import, ImportedLocation, ImportLocation
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, MINUTE, imported, marked, register, settled, stored
from tests.clock import START, FrozenClock

MILLISECOND = timedelta(milliseconds=1)


def place(location_id: str = "LOC1", *, version: str = "2.2.1", party: str = "ABC", **said: Any) -> PublishedLocation:
    ocpi_object = {"id": location_id, "name": "Market square", "last_updated": "2026-01-01T00:00:00Z", **said}
    return PublishedLocation(country="DE", party=party, id=location_id, ocpi_object=ocpi_object, ocpi_version=version)


async def keep(writer: Writer, one: PublishedLocation) -> ImportedLocation:
    return await writer.run(ImportLocation(by=ADMIN, imported=one))


async def take_in(writer: Writer, **different: Any) -> None:
    usual = {"uid": "3256", "status": "AVAILABLE", "floor_level": "1", "last_updated": "2026-01-01T00:00:00Z"}
    version = different.pop("version", "2.2.1")
    location = different.pop("location", "LOC1")
    one = imported(ocpi_object=usual | different, ocpi_version=version, location=location)
    await writer.run(Import(by=ADMIN, imported=one))


async def object_changed_at(database: Database) -> Any:
    (row,) = await stored(database, "evse")
    return row["object_changed_at"]


async def changed_at(database: Database, location_id: str = "LOC1") -> Any:
    (found,) = [row["changed_at"] for row in await stored(database, "location") if row["location"] == location_id]
    return found


async def test_a_location_is_kept_as_it_was_published(database: Database, writer: Writer) -> None:
    kept = await keep(writer, place(x_our_own={"a": [1]}))
    assert kept.created
    (row,) = await stored(database, "location")
    assert row["ocpi_object"] == place(x_our_own={"a": [1]}).ocpi_object
    assert (row["country"], row["party"], row["location"], row["ocpi_version"]) == ("DE", "ABC", "LOC1", "2.2.1")
    assert (row["changed_at"], row["created_at"], row["created_by"]) == (START, START, ADMIN.id)


async def test_importing_the_same_location_again_changes_nothing(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    first = await keep(writer, place())
    before = await stored(database, "location")
    clock.advance(MINUTE)
    assert await keep(writer, place()) == ImportedLocation(first.location, created=False)
    assert await stored(database, "location") == before


@pytest.mark.parametrize(
    ("again", "moves"),
    [
        (place(name="Station"), True),
        (place(version="2.3.0"), True),
        (place(last_updated="2026-02-01T00:00:00Z"), False),
    ],
)
async def test_a_location_has_changed_where_more_than_its_last_updated_differs(
    database: Database, writer: Writer, clock: FrozenClock, again: PublishedLocation, moves: bool
) -> None:
    await keep(writer, place())
    clock.advance(MINUTE)
    await keep(writer, again)
    (row,) = await stored(database, "location")
    assert row["ocpi_object"] == again.ocpi_object
    assert row["ocpi_version"] == again.ocpi_version
    assert row["changed_at"] == (START + MINUTE if moves else START)


async def test_a_location_changes_strictly_later_than_before_even_where_the_clock_does_not(
    database: Database, writer: Writer
) -> None:
    await keep(writer, place())
    await keep(writer, place(name="Station"))
    assert await changed_at(database) == START + MILLISECOND


async def test_the_same_id_of_two_parties_is_two_locations(database: Database, writer: Writer) -> None:
    await keep(writer, place(party="ABC"))
    assert (await keep(writer, place(party="XYZ"))).created
    assert len(await stored(database, "location")) == 2


async def test_one_location_twice_in_one_batch_is_one(database: Database, writer: Writer) -> None:
    await asyncio.gather(*(keep(writer, place(name=f"name {number}")) for number in range(5)))
    (row,) = await stored(database, "location")
    assert row["ocpi_object"]["name"] == "name 4"


# What has changed of an EVSE


async def test_a_first_import_of_an_evse_is_no_change(database: Database, writer: Writer, clock: FrozenClock) -> None:
    await take_in(writer)
    assert await object_changed_at(database) is None
    clock.advance(MINUTE)
    await take_in(writer)
    assert await object_changed_at(database) is None


@pytest.mark.parametrize(
    ("different", "changes"),
    [
        ({"floor_level": "2"}, True),
        ({"version": "2.3.0"}, True),
        ({"location": "LOC2"}, True),
        ({"status": "CHARGING"}, False),
        ({"last_updated": "2026-02-01T00:00:00Z"}, False),
        ({"status_schedule": [{"period_begin": "2026-02-01T00:00:00Z", "status": "PLANNED"}]}, False),
    ],
)
async def test_an_object_has_changed_where_it_differs_in_what_we_do_not_say_ourselves(
    database: Database, writer: Writer, clock: FrozenClock, different: dict[str, Any], changes: bool
) -> None:
    await take_in(writer)
    await settled(database)
    clock.advance(MINUTE)
    await take_in(writer, **different)
    assert await object_changed_at(database) == (START + MINUTE if changes else None)
    assert len(await marked(database)) == 1
    before = await stored(database, "evse")
    await settled(database)
    clock.advance(MINUTE)
    await take_in(writer, **different)
    assert await stored(database, "evse") == before
    assert await marked(database) == []


async def test_an_object_that_was_missing_has_changed(database: Database, writer: Writer, clock: FrozenClock) -> None:
    await register(writer, uid="3256", location="LOC1")
    clock.advance(MINUTE)
    await take_in(writer)
    assert await object_changed_at(database) == START + MINUTE


@pytest.mark.parametrize("stepped", [timedelta(), timedelta(minutes=-5)])
async def test_a_changed_object_moves_last_updated_whatever_the_clock_does(
    database: Database, writer: Writer, clock: FrozenClock, stepped: timedelta
) -> None:
    reconciler = Reconciler(database, clock)
    await take_in(writer)
    await reconciler.pass_once()
    (before,) = await stored(database, "presented")
    clock.set(START + stepped)
    await take_in(writer, floor_level="2")
    await reconciler.pass_once()
    (after,) = await stored(database, "presented")
    assert after["last_updated"] > before["last_updated"]
    assert after["status_version"] == before["status_version"] + 1
    await take_in(writer, floor_level="2")
    await reconciler.pass_once()
    assert [row["version"] for row in await stored(database, "presented")] == [after["version"]]


async def test_a_location_that_an_evse_leaves_has_changed_too(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    await asyncio.gather(keep(writer, place("LOC1")), keep(writer, place("LOC2")), keep(writer, place("LOC3")))
    await take_in(writer)
    clock.advance(MINUTE)
    await take_in(writer, location="LOC2")
    moved = [row["location"] for row in await stored(database, "location") if row["changed_at"] == START + MINUTE]
    assert moved == ["LOC1"]
    clock.advance(MINUTE)
    await register(writer, location="LOC3")
    assert await changed_at(database, "LOC2") == START + 2 * MINUTE
    assert await object_changed_at(database) == START + 2 * MINUTE
