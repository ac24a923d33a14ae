"""When a partner is given an EVSE whole, and the location before it; and how a schedule is said."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.channels.ocpi.connection import OcpiConnection
from app.channels.ocpi.partner_release import RELEASES
from app.channels.outcomes import Apart, Delivered, NotSent, Outcome, Rejected, Unknown
from app.demo.listening import listening
from app.domain.announcing import Announced
from app.domain.delivery import Aspect, Known, Notice
from app.domain.location import Location
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind
from tests.contract.ocpi.given import NOW, Recorder, a_notice, connected

HOUR = timedelta(hours=1)
LACKS = (404, 2003)
FAILS = (500, 3000)
REJECTS = (200, 2001)
DONE = (200, 1000)
EVSE_PATH = "/l/DE/XPO/XPO-LARKENAU/1001-1"
LOCATION_PATH = "/l/DE/XPO/XPO-LARKENAU"
IMPORTED = {
    "uid": "1001-1",
    "evse_id": "DE*XPO*E1001*1",
    "status": "CHARGING",
    "connectors": [
        {
            "id": "1",
            "standard": "IEC_62196_T2",
            "format": "SOCKET",
            "power_type": "AC_3_PHASE",
            "max_voltage": 230,
            "max_amperage": 32,
            "last_updated": "2026-03-02T09:00:00Z",
        }
    ],
    "last_updated": "2026-03-02T09:00:00Z",
}
SITE = {
    "country_code": "DE",
    "party_id": "XPO",
    "id": "XPO-LARKENAU",
    "publish": True,
    "address": "Marktplatz 1",
    "city": "Larkenau",
    "postal_code": "00101",
    "country": "DEU",
    "coordinates": {"latitude": "54.0512300", "longitude": "7.0104500"},
    "time_zone": "Europe/Berlin",
    "last_updated": "2026-03-02T09:00:00Z",
}
LOCATION = Location(
    country="DE",
    party="XPO",
    id="XPO-LARKENAU",
    ocpi_object=SITE,
    ocpi_version="2.2.1",
    number=1,
    changed_at=NOW,
    created_by="test",
    created_at=NOW,
)
PLANNED = (Announced(Kind.MAINTENANCE, NOW + HOUR, NOW + 2 * HOUR), Announced(Kind.RESERVED, NOW + 3 * HOUR))


def imported(what: What = ActualStatus.AVAILABLE, version: int = 1, **more: Any) -> Notice:
    """A notice of an EVSE of which everything is known, its location too."""
    of = {name: more.pop(name) for name in list(more) if name in {"object_changed_at", "ocpi_object", "uid"}}
    notice = a_notice(what, version, **{"ocpi_object": IMPORTED, "ocpi_version": "2.2.1", **of})
    return msgspec.structs.replace(notice, **{"location": LOCATION, **more})


def schedule(*announced: Announced, **more: Any) -> Notice:
    return imported(announced=announced, aspect=Aspect.SCHEDULE, **more)


async def say(connection: OcpiConnection, *notices: Notice) -> list[Outcome]:
    return [await connection.deliver(connection.translate(one)) for one in notices]


@pytest.mark.parametrize("version", RELEASES)
async def test_what_a_partner_lacks_it_is_given_whole(version: str) -> None:
    server = Recorder()
    server.first = [LACKS]
    async with listening(server) as base, connected(f"{base}/l", version=version) as connection:
        (outcome,) = await say(connection, imported(Kind.MAINTENANCE))
    assert isinstance(outcome, Delivered)
    assert not outcome.disturbs
    assert server.said == [("PATCH", EVSE_PATH), ("PUT", EVSE_PATH)]
    whole = server.bodies()[1]
    assert (whole["uid"], whole["status"], whole["last_updated"]) == (
        "1001-1",
        "INOPERATIVE",
        "2026-11-21T08:30:01.000Z",
    )
    assert whole["connectors"][0]["voltage" if version == "2.1.1" else "max_voltage"] == 230


@pytest.mark.parametrize("code", [(404, 2003), (200, 2003), (404, 2000)])
async def test_it_may_say_so_in_either_way(code: tuple[int, int]) -> None:
    server = Recorder()
    server.first = [code]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        await say(connection, imported())
    assert [method for method, _ in server.said] == ["PATCH", "PUT"]


async def test_where_it_lacks_the_location_that_is_told_first_without_evses() -> None:
    server = Recorder()
    server.first = [LACKS, LACKS]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        first, second = await say(connection, imported(), imported())
    assert isinstance(first, Apart), "two requests are what a claim has time for: the rest is said at once"
    assert isinstance(second, Delivered)
    assert second.disturbs, "what it had there otherwise may be gone"
    assert server.said[2:] == [("PUT", LOCATION_PATH), ("PUT", EVSE_PATH)]
    assert "evses" not in server.bodies()[2]
    assert server.bodies()[2]["id"] == "XPO-LARKENAU"


async def test_a_location_is_told_once_however_many_evses_wait_for_it() -> None:
    server = Recorder()
    server.first = [LACKS] * 2
    evses = [imported(uid=f"1001-{number}", ocpi_object={**IMPORTED, "uid": f"1001-{number}"}) for number in range(3)]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        await say(connection, evses[0])
        outcomes = await asyncio.gather(*(connection.deliver(connection.translate(one)) for one in evses))
    assert all(isinstance(one, Delivered) for one in outcomes)
    assert server.said[2] == ("PUT", LOCATION_PATH)
    assert sorted(path for _, path in server.said[3:]) == [f"{LOCATION_PATH}/1001-{number}" for number in range(3)]


@pytest.mark.parametrize(
    ("answer", "outcome", "disturbs"),
    [(REJECTS, Rejected, False), (FAILS, Unknown, True), ((503, 3000), NotSent, False), (LACKS, Rejected, False)],
)
async def test_what_comes_of_a_location_that_is_not_taken(
    answer: tuple[int, int], outcome: type[Outcome], disturbs: bool
) -> None:
    server = Recorder()
    server.first = [LACKS, LACKS, answer]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        _, told = await say(connection, imported(), imported())
        assert isinstance(told, outcome)
        assert told.disturbs is disturbs
        await say(connection, imported())
    assert server.said[2:] == [("PUT", LOCATION_PATH), ("PATCH", EVSE_PATH)], "and then from the beginning"


async def test_those_who_waited_for_a_location_that_was_not_heard_say_theirs_later() -> None:
    server = Recorder()
    server.first = [LACKS, LACKS, FAILS, LACKS, LACKS]
    two = imported(uid="1001-2", ocpi_object={**IMPORTED, "uid": "1001-2"})
    async with listening(server) as base, connected(f"{base}/l") as connection:
        await say(connection, imported())
        one, other = await asyncio.gather(
            *(connection.deliver(connection.translate(notice)) for notice in (imported(), two))
        )
    assert isinstance(one, Unknown)
    assert isinstance(other, Apart)
    assert len([1 for _, path in server.said if path == LOCATION_PATH]) == 1


async def test_what_was_never_imported_is_patched_and_asked_for_again_later() -> None:
    server = Recorder()
    server.first = [LACKS]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        (outcome,) = await say(connection, a_notice())
    assert isinstance(outcome, Rejected)
    assert outcome.retry_slowly
    assert [method for method, _ in server.said] == ["PATCH"]


async def test_where_only_the_location_was_never_imported_the_evse_is_offered_all_the_same() -> None:
    server = Recorder()
    server.first = [LACKS, LACKS]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        (outcome,) = await say(connection, imported(location=None))
    assert isinstance(outcome, Rejected)
    assert outcome.retry_slowly
    assert [method for method, _ in server.said] == ["PATCH", "PUT"]


async def test_what_is_gone_is_given_to_nobody_who_lacks_it() -> None:
    server = Recorder()
    server.first = [LACKS, LACKS, LACKS]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        await say(connection, imported())  # so that it is known to lack the location
        (outcome,) = await say(connection, imported(Gate.REMOVED, 2))
    assert isinstance(outcome, Delivered)
    assert server.said[2:] == [("PATCH", EVSE_PATH)]


async def test_what_comes_back_after_it_was_removed_is_given_whole() -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/l") as connection:
        await say(connection, imported(known=Known(status="REMOVED")))
        await say(connection, imported(known=Known(status="AVAILABLE")))
        await say(connection, a_notice())
    assert [method for method, _ in server.said] == ["PUT", "PATCH", "PATCH"]


# Where it is asked for: at first, and whenever something else was imported


async def test_a_partner_that_asks_for_it_is_given_each_evse_whole_at_first_and_then_its_status() -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/l", wholeEvse=True) as connection:
        await say(connection, imported())
        known = Known(status=connection.translate(imported()).digest)
        await say(connection, imported(Kind.BLOCKED, 2, known=known))
        changed = imported(known=known, object_changed_at=NOW + HOUR)
        assert connection.translate(changed).digest != known.status
        await say(connection, changed)
        await say(connection, imported(Gate.REMOVED, known=known))
        await say(connection, imported(Gate.REMOVED, known=known, object_changed_at=NOW + HOUR))
    assert [method for method, _ in server.said] == ["PUT", "PATCH", "PUT", "PATCH", "PATCH"]


def test_anybody_else_takes_no_notice_of_what_was_imported() -> None:
    async def check() -> None:
        async with connected("http://127.0.0.1:9") as connection:
            one = connection.translate(imported(object_changed_at=NOW)).digest
            assert one == connection.translate(imported(object_changed_at=NOW + HOUR)).digest == "AVAILABLE"

    asyncio.run(check())


# Schedules


async def test_a_schedule_is_a_patch_of_its_own_in_the_partners_words() -> None:
    server = Recorder()
    async with (
        listening(server) as base,
        connected(f"{base}/l", schedule=True, uidInPatch=True, mapping={"RESERVED": "BLOCKED"}) as connection,
    ):
        (outcome,) = await say(connection, schedule(*PLANNED))
    assert isinstance(outcome, Delivered)
    assert server.said == [("PATCH", EVSE_PATH)]
    assert server.bodies() == [
        {
            "uid": "1001-1",
            "status_schedule": [
                {
                    "period_begin": "2026-11-21T09:30:00.000Z",
                    "period_end": "2026-11-21T10:30:00.000Z",
                    "status": "INOPERATIVE",
                },
                {"period_begin": "2026-11-21T11:30:00.000Z", "status": "BLOCKED"},
            ],
            "last_updated": "2026-11-21T08:30:01.000Z",
        }
    ]


async def test_two_that_follow_each_other_under_one_word_are_one_period() -> None:
    two = (Announced(Kind.MAINTENANCE, NOW, NOW + HOUR), Announced(Kind.COMMISSIONING, NOW + HOUR, NOW + 2 * HOUR))
    server = Recorder()
    own = {"COMMISSIONING": "INOPERATIVE"}
    async with listening(server) as base, connected(f"{base}/l", schedule=True, mapping=own) as connection:
        await say(connection, schedule(*two))
    assert len(server.bodies()[0]["status_schedule"]) == 1


async def test_an_empty_schedule_takes_the_whole_evse_as_a_patch_removes_nothing() -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/l", schedule=True) as connection:
        await say(connection, schedule())
    assert server.said == [("PUT", EVSE_PATH)]
    assert server.bodies()[0]["status"] == "AVAILABLE"
    assert not server.bodies()[0].get("status_schedule")


async def test_where_there_is_no_whole_evse_an_empty_list_has_to_do() -> None:
    server = Recorder()
    nothing = msgspec.structs.replace(a_notice(), aspect=Aspect.SCHEDULE)
    async with listening(server) as base, connected(f"{base}/l", schedule=True) as connection:
        await say(connection, nothing)
    assert server.said == [("PATCH", EVSE_PATH)]
    assert server.bodies()[0]["status_schedule"] == []


@pytest.mark.parametrize(("took", "carried"), [(None, 0), ("none", 0), ("INOPERATIVE 2026", 2)])
async def test_a_whole_evse_carries_the_schedule_that_the_partner_took_before_and_no_other(
    took: str | None, carried: int
) -> None:
    """Without, it would be lost; and a partner that rejects schedules must get the EVSE all the same."""
    server = Recorder()
    server.first = [LACKS]
    known = Known(status="AVAILABLE", schedule=took)
    async with listening(server) as base, connected(f"{base}/l", schedule=True) as connection:
        await say(connection, imported(announced=PLANNED, known=known))
    assert len(server.bodies()[1].get("status_schedule", [])) == carried
    assert "status_schedule" not in server.bodies()[0], "never in one PATCH with a status"


async def test_a_partner_that_does_not_want_schedules_is_never_told_one() -> None:
    server = Recorder()
    server.first = [LACKS]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        await say(connection, imported(announced=PLANNED, known=Known(schedule="INOPERATIVE 2026")))
        await say(connection, schedule(*PLANNED))
    assert not any(body.get("status_schedule") for body in server.bodies())


async def test_a_partner_that_only_pulls_is_sent_nothing() -> None:
    async with connected(None) as connection:
        message = connection.translate(imported())
    assert (message.said, message.content) == ("AVAILABLE", None)
