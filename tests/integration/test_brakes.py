"""The brake in the writer: exact at its edge, whoever races for the last place, and right on both databases."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.brake import Brake, Group
from app.domain.errors import BlastRadius, BrakeNotFound
from app.domain.principal import COMMAND_LINE, Principal, Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.domain.status import DeploymentState, Kind
from app.store import brakes
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, BOOKING, HOUR, MINUTE, SENSOR, change, end, plan, plan_by_ref, register, stored
from tests.clock import START, FrozenClock
from tests.integration.writing import together

SITE = Group(site=("DE", "ABC", "LOC1"))
OPERATOR = Group(operator="DEABC")
NOC = Principal("noc", Role.OPERATIONS)
TECHNICIAN = Principal("technician", Role.TECHNICIAN)


async def site_of(
    writer: Writer, count: int, *, location: str | None = "LOC1", elsewhere: int = 100, operator: str = "DE*ABC"
) -> list[str]:
    """Register a site, and so many EVSEs of the operator elsewhere that a fifth of all is more than the site."""
    evses = [f"{operator}*E{location}{number}" for number in range(count)]
    await together(*(register(writer, one, location=location) for one in evses))
    await together(*(register(writer, f"{operator}*EX{number}", location=f"X{number}") for number in range(elsewhere)))
    return evses


def refused(answers: list[Any]) -> list[BlastRadius]:
    assert all(isinstance(one, BlastRadius) or not isinstance(one, Exception) for one in answers), answers
    return [one for one in answers if isinstance(one, BlastRadius)]


async def lift(database: Database, group: Group, clock: FrozenClock, duration: timedelta) -> None:
    async with database.write() as connection:
        await brakes.lift(connection, NOC, group, clock.now(), clock.now() + duration)


async def test_half_a_site_may_be_overridden_and_not_one_more(writer: Writer, database: Database) -> None:
    evses = await site_of(writer, 12)
    for one in evses[:6]:
        await plan(writer, one)
    with capture_logs() as logs, pytest.raises(BlastRadius) as refusal:
        await plan(writer, evses[6])
    assert str(refusal.value).startswith("7 of 12 EVSEs of site DE/ABC/LOC1")
    assert refusal.value.seconds == 1800
    assert [one["log_level"] for one in logs] == ["error"]
    assert (logs[0]["of"], logs[0]["key"], logs[0]["evses"]) == ("site DE/ABC/LOC1", SENSOR.id, "7 of 12")
    assert len(await stored(database, "temporary_status")) == 6
    trips = [row for row in await stored(database, "audit") if row["action"] == "trip"]
    assert [(row["actor"], row["subject"]) for row in trips] == [(SENSOR.id, "brake of site DE/ABC/LOC1")]


async def test_those_who_ask_at_once_get_no_more_places_than_one_after_the_other(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    answers = await together(*(plan(writer, one, by=by) for one, by in zip(evses, [SENSOR, BOOKING] * 6, strict=True)))
    assert len(refused(answers)) == 6


async def test_small_sites_may_be_overridden_whole(writer: Writer) -> None:
    evses = await site_of(writer, 5)
    assert not refused(await together(*(plan(writer, one) for one in evses)))


async def test_an_operator_is_braked_before_all_of_its_small_sites_are_gone(writer: Writer) -> None:
    evses = [one for site in range(10) for one in await site_of(writer, 4, location=f"S{site}", elsewhere=0)]
    answers = await together(*(plan(writer, one) for one in evses))
    assert len(answers) - len(refused(answers)) == 8  # a fifth of forty
    assert str(refused(answers)[0]).startswith("9 of 40 EVSEs of operator DE*ABC")


async def test_the_key_that_tripped_it_is_held_back_until_it_lets_go(writer: Writer, clock: FrozenClock) -> None:
    evses = await site_of(writer, 12)
    await together(*(plan(writer, one) for one in evses[:7]))
    clock.advance(6 * MINUTE)  # further apart than what is counted together
    [held] = refused(await together(plan(writer, evses[8])))
    assert "holds this key back until 2026-03-01T08:30" in str(held)
    assert held.seconds == 24 * 60
    clock.advance(24 * MINUTE)
    assert not refused(await together(plan(writer, evses[8])))


async def test_others_are_refused_only_as_long_as_there_is_no_room(writer: Writer, clock: FrozenClock) -> None:
    evses = await site_of(writer, 12)
    await together(*(plan(writer, one) for one in evses[:7]))
    [no_room] = refused(await together(plan(writer, evses[8], by=BOOKING)))
    assert "try again in some minutes" in str(no_room)
    assert no_room.seconds == 300
    clock.advance(5 * MINUTE + timedelta(milliseconds=1))
    assert not refused(await together(plan(writer, evses[8], by=BOOKING)))
    assert refused(await together(plan(writer, evses[9])))


async def test_whoever_is_held_back_may_put_off_what_is_planned_and_not_bring_it_forward(writer: Writer) -> None:
    evses = await site_of(writer, 24)
    at_noon: dict[str, Any] = {"valid_from": START + 4 * HOUR, "valid_to": START + 5 * HOUR}
    booked = await plan_by_ref(writer, "booking", evses[20], **at_noon)
    assert refused(await together(*(plan(writer, one) for one in evses[:13])))
    assert refused(await together(change(writer, booked.one, valid_from=START + 3 * HOUR)))
    put_off = await change(writer, booked.one, valid_from=START + 4 * HOUR + MINUTE)
    assert put_off.interval.begin == START + 4 * HOUR + MINUTE
    later: dict[str, Any] = {"valid_from": START + 4 * HOUR + MINUTE, "valid_to": START + 5 * HOUR}
    moved = await plan_by_ref(writer, "booking", evses[21], **later)
    assert moved.created
    assert refused(await together(plan_by_ref(writer, "another", evses[22], **at_noon)))


async def test_what_begins_further_apart_is_not_counted_together(writer: Writer, clock: FrozenClock) -> None:
    evses = await site_of(writer, 12)
    for one in evses:
        await plan(writer, one)
        clock.advance(MINUTE)
    # At most six of twelve begin within five minutes of one another, before or after.
    assert clock.now() == START + 12 * MINUTE


async def test_planned_ones_count_by_when_they_begin(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    at_noon = await together(*(plan(writer, one, valid_from=START + 4 * HOUR) for one in evses))
    assert len(refused(at_noon)) == 6


async def test_bookings_over_a_day_are_let_through_in_one_go(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    wanted = [
        plan(
            writer,
            one,
            by=BOOKING,
            kind=Kind.RESERVED,
            valid_from=START + hour * HOUR,
            valid_to=START + (hour + 1) * HOUR,
        )
        for hour, one in enumerate(evses, start=1)
    ]
    assert not refused(await together(*wanted))


async def test_moving_what_is_planned_to_now_is_counted_too(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    planned = [
        await plan(writer, one, valid_from=START + hour * HOUR, valid_to=START + 100 * HOUR)
        for hour, one in enumerate(evses, start=1)
    ]
    answers = await together(*(change(writer, one, valid_from=START) for one in planned))
    assert len(refused(answers)) == 6


async def test_a_technician_who_moves_what_others_planned_is_counted_for_it(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    planned = [
        await plan(writer, one, by=NOC, kind=Kind.MAINTENANCE, valid_from=START + HOUR * (1 + number))
        for number, one in enumerate(evses)
    ]
    answers = await together(*(change(writer, one, by=TECHNICIAN, valid_from=START) for one in planned))
    assert len(refused(answers)) == 6


async def test_a_sensor_goes_on_renewing_while_the_brake_holds(writer: Writer, clock: FrozenClock) -> None:
    evses = await site_of(writer, 12)
    answers = await together(*(plan_by_ref(writer, one, one, valid_to=START + HOUR) for one in evses))
    assert len(refused(answers)) == 6
    clock.advance(MINUTE)
    renewed = await together(*(plan_by_ref(writer, one, one, valid_to=START + 2 * HOUR) for one in evses[:6]))
    assert not refused(renewed)
    assert [one.one.revision for one in renewed] == [2] * 6


async def test_ending_makes_room_and_is_never_braked(writer: Writer, clock: FrozenClock) -> None:
    evses = await site_of(writer, 12)
    made = [await plan(writer, one) for one in evses[:6]]
    await end(writer, made[0])
    assert not refused(await together(plan(writer, evses[6])))
    assert refused(await together(plan(writer, evses[7])))
    clock.advance(MINUTE)
    assert (await end(writer, made[1])).ended_at == clock.now()


async def test_the_same_evse_counts_once(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    answers = await together(*(plan(writer, one) for one in evses[:6] * 5))
    assert not refused(answers)


async def test_what_moves_to_another_evse_of_the_site_is_not_counted_where_it_was(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    for one in evses[:6]:
        await plan_by_ref(writer, one, one, valid_from=START + HOUR)
    moved = await plan_by_ref(writer, evses[0], evses[6], valid_from=START + HOUR)
    assert moved.created
    with pytest.raises(BlastRadius) as refusal:
        await plan(writer, evses[0], valid_from=START + HOUR)
    assert str(refusal.value).startswith("7 of 12 EVSEs")


async def test_operations_and_admins_are_not_braked_and_not_counted(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    assert not refused(await together(*(plan(writer, one, by=NOC, kind=Kind.MAINTENANCE) for one in evses)))
    assert not refused(await together(*(plan(writer, one, by=ADMIN) for one in evses)))
    assert not refused(await together(plan(writer, evses[0])))


async def test_what_is_not_in_production_hides_nothing_and_is_not_counted(writer: Writer) -> None:
    evses = await site_of(writer, 12)
    stock = [f"DE*ABC*E9{number}" for number in range(20)]
    await together(*(register(writer, one, location="LOC1", deployment=DeploymentState.STOCK) for one in stock))
    assert not refused(await together(*(plan(writer, one) for one in stock)))
    # Nor does it make the site larger.
    assert len(refused(await together(*(plan(writer, one) for one in evses)))) == 6


async def test_sites_of_the_same_name_at_other_parties_are_other_sites(writer: Writer) -> None:
    ours = await site_of(writer, 6)
    theirs = [f"DE*XYZ*E{number}" for number in range(6)]
    await together(*(register(writer, one, location="LOC1") for one in theirs))
    assert not refused(await together(*(plan(writer, one) for one in (*ours[:5], *theirs[:5]))))
    assert refused(await together(plan(writer, ours[5])))


async def test_lifted_it_counts_nothing_until_then_and_anew_afterwards(
    writer: Writer, database: Database, clock: FrozenClock
) -> None:
    evses = await site_of(writer, 24, elsewhere=66)
    assert len(refused(await together(*(plan(writer, one) for one in evses[:14])))) == 2
    await lift(database, SITE, clock, HOUR)
    # Its operator is then at a fifth, which nobody lifted.
    assert len(refused(await together(*(plan(writer, one) for one in evses)))) == 24 - 18
    await lift(database, OPERATOR, clock, HOUR)
    assert not refused(await together(*(plan(writer, one) for one in evses)))
    clock.advance(HOUR)
    assert len(refused(await together(*(plan(writer, one) for one in evses)))) == 12
    lifts = [row["subject"] for row in await stored(database, "audit") if row["action"] == "lift"]
    assert lifts == ["brake of site DE/ABC/LOC1", "brake of operator DE*ABC"]


async def test_an_operator_that_is_lifted_means_its_sites_as_well(
    writer: Writer, database: Database, clock: FrozenClock
) -> None:
    evses = await site_of(writer, 12)
    await lift(database, OPERATOR, clock, HOUR)
    assert not refused(await together(*(plan(writer, one) for one in evses)))


async def test_a_brake_is_found_and_lifted_only_where_there_is_something_and_by_whom_it_concerns(
    writer: Writer, database: Database, clock: FrozenClock
) -> None:
    evses = await site_of(writer, 12)
    await together(*(plan(writer, one) for one in evses))
    ours = Principal("noc", Role.OPERATIONS, Rights(scope=Scope(operators=("DEABC",))))
    others = Principal("noc", Role.OPERATIONS, Rights(scope=Scope(operators=("DEXYZ",))))
    async with database.read() as connection:
        seen = [await brakes.at_work(connection, one, clock.now()) for one in (COMMAND_LINE, ours, others)]
    assert [[one.group for one in found] for found in seen] == [[SITE], [SITE], []]
    for by, group in ((others, SITE), (others, OPERATOR), (NOC, Group(operator="DEXYZ")), (SENSOR, SITE)):
        async with database.write() as connection:
            with pytest.raises(Exception, match=r"no EVSE of|may not lift") as refusal:
                await brakes.lift(connection, by, group, clock.now(), clock.now() + HOUR)
            assert isinstance(refusal.value, BrakeNotFound) is (by is not SENSOR)
    async with database.write() as connection:
        assert (await brakes.lift(connection, ours, SITE, clock.now(), clock.now() + HOUR)).lifted_by == "noc"


@pytest.fixture
async def replicas(postgresql_url: str, clock: FrozenClock) -> AsyncGenerator[list[Writer]]:
    databases = [Database(postgresql_url) for _ in range(3)]
    writers = [Writer(one, clock, brake=Brake(hold=timedelta(milliseconds=1))) for one in databases]
    for writer in writers:
        await writer.start()
    yield writers
    for writer in writers:
        await writer.stop()
    for one in databases:
        await one.close()


async def test_replicas_that_race_for_the_last_places_give_out_no_more_than_there_are(replicas: list[Writer]) -> None:
    for number in range(8):
        evses = await site_of(replicas[0], 12, location=f"S{number}", operator=f"DE*A{number:02}")
        answers = await together(*(plan(replicas[index % 3], one) for index, one in enumerate(evses)))
        assert len(refused(answers)) == 6
