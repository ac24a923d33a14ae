"""Hearing what an EVSE does: the newest report counts, and no clock freezes anything."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.errors import AmbiguousEvse, EvseNotFound, MalformedValue
from app.domain.evse import Evse
from app.domain.status import ActualStatus, DeploymentState
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import HOUR, MINUTE, marked, register, report, settled, stored
from tests.clock import START, FrozenClock


async def known(writer: Writer) -> Evse:
    return await register(writer)


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
    same = await report(writer, "SuspendedEV")
    assert same.applied
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
