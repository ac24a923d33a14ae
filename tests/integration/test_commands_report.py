"""Hearing what an EVSE does: the newest report counts, and no clock freezes anything."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from app.domain.errors import AmbiguousEvse, DomainError, EvseNotFound, MalformedValue
from app.domain.evse import Evse
from app.domain.evse_id import parse_evse_id
from app.domain.status import ActualStatus, DeploymentState
from app.store.commands.evses import Report, Reported, ReportMany
from app.store.commands.importing import Import
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, HOUR, MINUTE, imported, marked, register, report, settled, stored
from tests.clock import START, FrozenClock
from tests.integration.writing import Commits, together


async def known(writer: Writer) -> Evse:
    return await register(writer)


async def report_many(writer: Writer, *said: tuple[str, str]) -> list[Reported | DomainError]:
    reports = tuple(Report(by=ADMIN, evse_id=parse_evse_id(one), reported=word) for one, word in said)
    return await writer.run(ReportMany(ADMIN, reports))


@pytest.mark.parametrize(
    ("said", "means"),
    [("Available", "AVAILABLE"), ("SuspendedEV", "CHARGING"), ("Occupied", "BLOCKED"), ("OUTOFORDER", "OUTOFORDER")],
)
async def test_a_report_is_stored_in_ocpis_words_with_its_own_beside_it(
    database: Database, writer: Writer, said: str, means: str
) -> None:
    await known(writer)
    answer = await report(writer, said)
    assert answer.applied
    (row,) = await stored(database, "evse")
    assert (row["actual_status"], row["reported_status"], row["observed_at"]) == (means, said, START)


async def test_a_setting_reads_occupied_as_charging(writer: Writer) -> None:
    await known(writer)
    answer = await report(writer, "Occupied", occupied_means=ActualStatus.CHARGING)
    assert (answer.evse.actual_status, answer.evse.reported) == (ActualStatus.CHARGING, "Occupied")


async def test_a_word_of_no_protocol_is_refused(writer: Writer) -> None:
    await known(writer)
    with pytest.raises(MalformedValue) as refused:
        await report(writer, "available")
    assert refused.value.field == "status"


async def test_a_report_about_an_evse_nobody_registered_is_refused(writer: Writer) -> None:
    with pytest.raises(EvseNotFound):
        await report(writer, "Available")


async def test_an_older_report_is_ignored(database: Database, writer: Writer) -> None:
    await known(writer)
    await report(writer, "Charging", observed_at=START - MINUTE)
    before = await stored(database, "evse")
    answer = await report(writer, "Available", observed_at=START - MINUTE - timedelta(milliseconds=1))
    assert not answer.applied
    assert answer.evse.actual_status is ActualStatus.CHARGING
    assert await stored(database, "evse") == before


async def test_of_reports_with_the_same_time_the_last_wins(writer: Writer) -> None:
    await known(writer)
    await report(writer, "Charging", observed_at=START - MINUTE)
    answer = await report(writer, "Available", observed_at=START - MINUTE)
    assert answer.applied
    assert answer.evse.actual_status is ActualStatus.AVAILABLE


@pytest.mark.parametrize(
    ("ahead", "taken_as"),
    [
        (timedelta(minutes=5), START + timedelta(minutes=5)),
        (timedelta(minutes=5, milliseconds=1), START),
        (timedelta(days=400), START),
    ],
)
async def test_a_time_more_than_five_minutes_ahead_is_taken_as_now(
    writer: Writer, ahead: timedelta, taken_as: Any
) -> None:
    await known(writer)
    answer = await report(writer, "Charging", observed_at=START + ahead)
    assert answer.applied
    assert answer.evse.observed_at == taken_as


async def test_a_clamped_report_does_not_block_the_next(writer: Writer, clock: FrozenClock) -> None:
    await known(writer)
    await report(writer, "Charging", observed_at=START + HOUR)
    clock.advance(timedelta(seconds=1))
    assert (await report(writer, "Available", observed_at=clock.now())).applied


async def test_a_stored_time_that_lies_impossibly_far_ahead_freezes_nothing(database: Database, writer: Writer) -> None:
    evse = await known(writer)
    async with database.write() as connection:
        far = {"observed_at": START + timedelta(days=30), "actual_status": "CHARGING"}
        await connection.execute(update(metadata.tables["evse"]).values(far))
    answer = await report(writer, "Available", observed_at=START)
    assert answer.applied
    assert (answer.evse.id, answer.evse.actual_status, answer.evse.observed_at) == (
        evse.id,
        ActualStatus.AVAILABLE,
        START,
    )


async def test_a_clock_stepped_back_freezes_nothing(writer: Writer, clock: FrozenClock) -> None:
    await known(writer)
    await report(writer, "Charging")
    clock.set(START - HOUR)
    assert (await report(writer, "Available")).applied


async def test_removed_deprecates_and_is_no_actual_status(database: Database, writer: Writer) -> None:
    await known(writer)
    await report(writer, "Charging")
    await settled(database)
    answer = await report(writer, "REMOVED")
    assert answer.applied
    assert answer.evse.deployment is DeploymentState.DEPRECATED
    assert (answer.evse.actual_status, answer.evse.reported) == (ActualStatus.CHARGING, "Charging")
    assert await marked(database) == [answer.evse.id]
    audited = await stored(database, "audit")
    again = await report(writer, "REMOVED")
    assert again == answer
    assert await stored(database, "audit") == audited


async def test_only_a_different_status_is_a_reason_to_look_again(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    evse = await known(writer)
    await report(writer, "Charging")
    await settled(database)
    clock.advance(MINUTE)
    (before,) = await stored(database, "evse")
    repeated = await report(writer, "Charging")
    assert repeated.applied
    assert (repeated.evse.observed_at, repeated.evse.updated_at) == (START + MINUTE, before["updated_at"])
    same = await report(writer, "SuspendedEV")
    assert same.applied
    assert same.evse.updated_at == START + MINUTE
    assert same.evse.observed_at == START + MINUTE
    assert await marked(database) == []
    await report(writer, "Available")
    assert await marked(database) == [evse.id]


async def test_the_same_status_after_a_long_silence_is_a_reason_to_look_again(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    evse = await known(writer)
    await report(writer, "Charging", max_age=HOUR)
    await settled(database)
    clock.advance(HOUR)
    await report(writer, "Charging", max_age=HOUR)
    assert await marked(database) == [evse.id]


async def test_a_report_for_a_form_that_fits_two_evses_is_refused(writer: Writer) -> None:
    await register(writer, "DE*ABC*E1*23", uid="a")
    await register(writer, "DE*ABC*E12*3", uid="b")
    with pytest.raises(AmbiguousEvse):
        await report(writer, "Available", "DEABCE123")


async def test_an_old_report_that_it_is_removed_does_not_deprecate_an_evse_with_newer_ones(writer: Writer) -> None:
    await known(writer)
    await report(writer, "Available", observed_at=START)
    answer = await report(writer, "REMOVED", observed_at=START - HOUR)
    assert (answer.applied, answer.evse.deployment) == (False, DeploymentState.PRODUCTION)


async def test_a_clock_that_drifts_past_what_is_tolerated_does_not_silence_its_backend(writer: Writer) -> None:
    await known(writer)
    await report(writer, "Available", observed_at=START + timedelta(seconds=299))
    answer = await report(writer, "Charging", observed_at=START + timedelta(seconds=302))
    assert (answer.applied, answer.evse.actual_status) == (True, ActualStatus.CHARGING)


async def test_a_report_without_a_time_comes_after_one_from_a_clock_that_is_a_little_fast(writer: Writer) -> None:
    await known(writer)
    await report(writer, "Available", observed_at=START + MINUTE)
    assert (await report(writer, "Charging")).evse.actual_status is ActualStatus.CHARGING


async def test_of_what_was_imported_a_report_changes_nothing(database: Database, writer: Writer) -> None:
    await writer.run(Import(by=ADMIN, imported=imported()))
    (before,) = await stored(database, "evse")
    await report(writer, "Faulted")
    (after,) = await stored(database, "evse")
    changed = {name for name, value in after.items() if value != before[name]}
    assert changed == {"actual_status", "reported_status", "observed_at"}
    assert after["ocpi_object"] == {"uid": "3256", "evse_id": EVSE}


@pytest.mark.parametrize("first", ["report", "move"])
async def test_a_report_beside_a_change_of_the_evse_in_one_commit(
    database: Database, writer: Writer, first: str
) -> None:
    await writer.run(Import(by=ADMIN, imported=imported()))
    work = [report(writer, "Charging"), register(writer, location="LOC9", uid="3256")]
    await together(*(work if first == "report" else reversed(work)))
    (row,) = await stored(database, "evse")
    assert (row["actual_status"], row["location"], row["deployment_state"]) == ("CHARGING", "LOC9", "PRODUCTION")
    assert row["ocpi_object"] == {"uid": "3256", "evse_id": EVSE}


async def test_many_reports_are_one_change_and_each_is_judged_by_itself(
    database: Database, writer: Writer, clock: FrozenClock
) -> None:
    commits = Commits(database)
    for number in range(3):
        await register(writer, f"DE*ABC*E{number}", uid=f"{number}")
    await settled(database)
    commits.count = 0
    clock.advance(MINUTE)
    answers = await report_many(
        writer, ("DE*ABC*E0", "Charging"), ("DE*ABC*E404", "Charging"), ("DEABCE1", "Sleeping"), ("DEABCE2", "Faulted")
    )
    assert commits.count == 1
    assert [type(one) for one in answers] == [Reported, EvseNotFound, MalformedValue, Reported]
    rows = await stored(database, "evse")
    assert [(row["reported_status"], row["observed_at"]) for row in rows] == [
        ("Charging", START + MINUTE),
        (None, None),
        ("Faulted", START + MINUTE),
    ]
    assert await marked(database) == [rows[0]["id"], rows[2]["id"]]


async def test_one_that_is_removed_among_many_reports_keeps_what_was_imported(
    database: Database, writer: Writer
) -> None:
    await writer.run(Import(by=ADMIN, imported=imported()))
    await register(writer, "DE*ABC*E2")
    await report_many(writer, ("DE*ABC*E2", "Charging"), (EVSE, "Faulted"), (EVSE, "REMOVED"))
    first, second = await stored(database, "evse")
    assert (first["deployment_state"], first["actual_status"]) == ("DEPRECATED", "OUTOFORDER")
    assert first["ocpi_object"] == {"uid": "3256", "evse_id": EVSE}
    assert (second["deployment_state"], second["actual_status"]) == ("PRODUCTION", "CHARGING")


async def test_a_report_is_stored_in_the_form_that_everything_else_is(database: Database, writer: Writer) -> None:
    """SQLite holds times as texts and compares them as such."""
    await register(writer)
    await report(writer, "Charging", observed_at=START)
    same = "SELECT count(*) FROM evse WHERE observed_at = created_at AND updated_at = created_at"
    async with database.read() as connection:
        assert (await connection.execute(text(same))).scalar_one() == 1
