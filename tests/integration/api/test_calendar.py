"""Windows over the days on which calendars and clocks are odd: asked for in local time, in force by the second."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from app.service import Service
from tests.builders import stored
from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, EVSES, STATUSES, Client, eventually, get, plan, refusal, register

MILLISECOND: Final = timedelta(milliseconds=1)


class Window(msgspec.Struct, frozen=True):
    """One window in local time, and what it is in UTC, written down and not computed."""

    valid_from: str
    valid_to: str
    begin: str
    end: str
    seconds: float


WINDOWS: Final = {
    "Berlin, over the hour that is skipped": Window(
        "2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-29T00:30Z", "2026-03-29T01:30Z", 3600
    ),
    "Berlin, in the hour that is skipped": Window(
        "2026-03-29T02:30:00+01:00", "2026-03-29T03:45:00+02:00", "2026-03-29T01:30Z", "2026-03-29T01:45Z", 900
    ),
    "Berlin, from the first to the second of the same hour": Window(
        "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T00:30Z", "2026-10-25T01:30Z", 3600
    ),
    "Berlin, a night with an hour more": Window(
        "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00", "2026-10-24T20:00Z", "2026-10-25T05:00Z", 9 * 3600
    ),
    "London, over the hour that is skipped": Window(
        "2026-03-29T00:30:00+00:00", "2026-03-29T02:30:00+01:00", "2026-03-29T00:30Z", "2026-03-29T01:30Z", 3600
    ),
    "London, from the first to the second of the same hour": Window(
        "2026-10-25T01:30:00+01:00", "2026-10-25T01:30:00-00:00", "2026-10-25T00:30Z", "2026-10-25T01:30Z", 3600
    ),
    "Lord Howe, over the half hour that is skipped": Window(
        "2026-10-04T01:45:00+10:30", "2026-10-04T02:45:00+11:00", "2026-10-03T15:15Z", "2026-10-03T15:45Z", 1800
    ),
    "Lord Howe, from the first to the second of the same half hour": Window(
        "2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-04T14:45Z", "2026-04-04T15:15Z", 1800
    ),
    "New York, over the hour that is skipped": Window(
        "2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00", "2026-03-08T06:30Z", "2026-03-08T07:30Z", 3600
    ),
    "New York, from the first to the second of the same hour": Window(
        "2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-11-01T05:30Z", "2026-11-01T06:30Z", 3600
    ),
    "Kiritimati, where the new year begins": Window(
        "2026-12-31T23:00:00+14:00", "2027-01-01T01:00:00+14:00", "2026-12-31T09:00Z", "2026-12-31T11:00Z", 7200
    ),
    "New York, nine hours over the new year": Window(
        "2026-12-31T22:00:00-05:00", "2027-01-01T07:00:00-05:00", "2027-01-01T03:00Z", "2027-01-01T12:00Z", 9 * 3600
    ),
    "29 February, all of it": Window(
        "2028-02-29T00:00:00+01:00", "2028-03-01T00:00:00+01:00", "2028-02-28T23:00Z", "2028-02-29T23:00Z", 86_400
    ),
    "from 31 January over the end of a month": Window(
        "2027-01-31T22:00:00+01:00", "2027-02-01T07:00:00+01:00", "2027-01-31T21:00Z", "2027-02-01T06:00Z", 9 * 3600
    ),
    "from 31 January to the end of the shortest month": Window(
        "2027-01-31T00:00:00Z", "2027-03-01T00:00:00Z", "2027-01-31T00:00Z", "2027-03-01T00:00Z", 29 * 86_400
    ),
    "ten years, with three leap days": Window(
        "2026-06-30T12:00:00+02:00", "2036-06-30T12:00:00+02:00", "2026-06-30T10:00Z", "2036-06-30T10:00Z", 315_619_200
    ),
    "one millisecond, as a year ends": Window(
        "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00Z", 0.001
    ),
    "to the last millisecond there is": Window(
        "2099-12-31T23:59:59.998Z",
        "2100-01-01T00:59:59.999999+01:00",
        "2099-12-31T23:59:59.998Z",
        "2099-12-31T23:59:59.999Z",
        0.001,
    ),
}


async def test_windows_are_in_force_exactly_from_start_to_end_whatever_the_local_clocks_do(
    service: Service, admin: Client, clock: FrozenClock
) -> None:
    ids: dict[str, int] = {}
    for number, (name, window) in enumerate(WINDOWS.items()):
        evse_id = f"DE*ABC*E{number}"
        await register(admin, evse_id)
        await admin.put(f"{EVSES}/{evse_id}/actual-status", json={"status": "Available"})
        told = await plan(admin, evse_id, "MAINTENANCE", validFrom=window.valid_from, validTo=window.valid_to)
        assert (told["validFrom"], told["validTo"]) == (_z(_utc(window.begin)), _z(_utc(window.end))), name
        ids[name] = told["id"]
    for name, row in zip(WINDOWS, await stored(service.database, "temporary_status"), strict=True):
        window = WINDOWS[name]
        assert (row["valid_from"], row["valid_to"]) == (_utc(window.begin), _utc(window.end)), name
        assert (row["valid_from"].tzinfo, row["valid_to"].tzinfo) == (UTC, UTC), name
        assert (row["valid_to"] - row["valid_from"]).total_seconds() == window.seconds, name

    edges = {_utc(edge) for window in WINDOWS.values() for edge in (window.begin, window.end)}
    for at in sorted(edges | {edge - MILLISECOND for edge in edges}):
        clock.advance(at - clock.now())
        await eventually(lambda at=at: _nothing_is_due(service, at))  # type: ignore[misc]
        expected = {name: _at(window, at) for name, window in WINDOWS.items()}
        everything = {one["id"]: one["state"] for one in await get(admin, STATUSES, activeOnly="false", limit=500)}
        assert {name: everything[one] for name, one in ids.items()} == {name: one[0] for name, one in expected.items()}
        in_effect = {one["id"] for one in await get(admin, STATUSES)}
        assert in_effect == {ids[name] for name, one in expected.items() if one[0] == "active"}
        shown = [one["presented"]["driverApp"] for one in await get(admin, EVSES)]
        assert [(one["status"], one["until"]) for one in shown] == [one[1:] for one in expected.values()]
        for row, (state, _, until) in zip(await stored(service.database, "presented"), expected.values(), strict=True):
            what = "kind:MAINTENANCE" if state == "active" else "actual:AVAILABLE"
            assert (row["what"], row["until"]) == (what, until and _utc(until)), f"what partners are told at {at}"


async def _nothing_is_due(service: Service, at: datetime) -> bool:
    await service.reconciler.pass_once()  # the service's own may be in the middle of one
    due = await service.reconciler.next_at()
    return due is not None and due > at


def _at(window: Window, at: datetime) -> tuple[str, str, str | None]:
    """Its state, and what an app is shown, and until when."""
    begin, end = _utc(window.begin), _utc(window.end)
    if at < begin:
        return "planned", "AVAILABLE", _z(begin)
    return ("active", "OUT_OF_SERVICE", _z(end)) if at < end else ("ended", "AVAILABLE", None)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _z(value: datetime) -> str:
    """As the API answers, written down without its own code."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_the_same_instant_is_the_same_window_in_whatever_offset_it_is_written(admin: Client) -> None:
    await register(admin)
    first = await plan(admin, validFrom="2026-10-25T02:30:00+02:00", validTo="2026-10-25T02:30:00+01:00")
    for valid_from, valid_to in (
        ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("2026-10-24T20:30:00-04:00", "2026-10-24T21:30:00-04:00"),
        ("2026-10-25T11:00:00+10:30", "2026-10-25T12:30:00+11:00"),
        ("2026-10-25T14:30:00+14:00", "2026-10-25T15:30:00+14:00"),
    ):
        again = await plan(admin, validFrom=valid_from, validTo=valid_to)
        assert (again["validFrom"], again["validTo"]) == (first["validFrom"], first["validTo"])


async def test_what_is_read_can_be_written_back_and_changes_nothing(admin: Client) -> None:
    await register(admin)
    told = await plan(admin, validFrom="2026-10-25T02:30:00.1239+02:00", validTo="2026-10-25T02:30:00+01:00")
    same = {"validFrom": told["validFrom"], "validTo": told["validTo"]}
    answer = await admin.patch(f"{STATUSES}/{told['id']}", json=same)
    assert (answer.status_code, answer.json()["revision"]) == (200, 1)
    assert answer.json()["validFrom"] == "2026-10-25T00:30:00.123Z"


async def test_wall_clock_times_that_go_back_are_no_window(admin: Client) -> None:
    """03:30 in the night when the clocks go back: written with the old offset it comes before 02:45 with the new."""
    await register(admin)
    times = {"validFrom": "2026-10-25T02:15:00+01:00", "validTo": "2026-10-25T02:45:00+02:00"}
    asked: dict[str, Any] = {"evseId": EVSE, "temporaryStatus": "BLOCKED", **times}
    refusal(await admin.post(STATUSES, json=asked), 422, "empty-interval", pointer="/validTo")


REFUSED: Final = {
    "2026-12-31T23:59:60Z": "leap seconds are not counted",
    "2027-01-01T00:59:60+01:00": "leap seconds are not counted",
    "2026-12-31T23:59:60.5Z": "leap seconds are not counted",
    "2026-12-31T24:00:00Z": "midnight is 00:00:00",
    "2026-12-31T24:00:01Z": "midnight is 00:00:00",
    "2027-02-29T00:00:00Z": "no such time",
    "2026-04-31T00:00:00Z": "no such time",
    "2100-01-01T00:00:00Z": "between the years 2000 and 2099",
    "2099-12-31T23:30:00-01:00": "between the years 2000 and 2099",
    "1999-12-31T23:59:59.999Z": "between the years 2000 and 2099",
    "2000-01-01T00:30:00+01:00": "between the years 2000 and 2099",
}


async def test_a_time_that_is_none_is_refused_with_what_to_write_and_never_taken_for_its_neighbour(
    admin: Client,
) -> None:
    await register(admin)
    for text, says in REFUSED.items():
        for field in ("validFrom", "validTo"):
            answer = await admin.post(STATUSES, json={"evseId": EVSE, "temporaryStatus": "BLOCKED", field: text})
            problem = refusal(answer, 400, "malformed-time", pointer=f"/{field}")
            assert says in problem["detail"], text
    assert await get(admin, STATUSES, activeOnly="false") == []


async def test_the_first_instant_there_is_counts_as_a_start_in_the_past(admin: Client) -> None:
    await register(admin)
    assert (await plan(admin, validFrom="2000-01-01T00:00:00Z"))["validFrom"] == "2026-03-01T08:00:00.000Z"
