"""Following what is presented, over real sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.api.event_shapes import cursor_of, position_of
from app.domain import following
from app.domain.following import Position
from app.domain.principal import Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.store.database import Database
from app.store.tables import metadata
from tests.integration.api.calls import EVSE, EVSES, STATUSES, eventually, get, good, plan, refusal
from tests.integration.api.streams import EVENTS, Served, served

OTHER = "DE*ABC*E2"
ELSEWHERE = "DE*XYZ*E1"
SECRET = "kept between the two of us"


@pytest.fixture
async def here(database_url: str) -> AsyncGenerator[Served]:
    async with served(database_url) as one:
        await one.register(EVSE, OTHER, locationId="LOC1")
        await one.register(ELSEWHERE, locationId="LOC2")
        yield one


@pytest.fixture
async def embedded(embedded_url: str) -> AsyncGenerator[Served]:
    """For what does not know the database."""
    async with served(embedded_url) as one:
        await one.register(EVSE)
        yield one


async def nobody_listens(one: Served) -> None:
    async def gone() -> bool:
        return one.service.events.listeners == 0

    await eventually(gone)


# What comes


async def test_a_change_comes_within_a_second_and_agrees_with_what_is_answered(here: Served) -> None:
    async with here.following() as stream:
        assert stream.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.answer.headers["cache-control"] == "no-cache"
        assert stream.answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in stream.answer.headers
        ping = await stream.next("ping")  # a cursor, before anything has happened
        assert ping.id
        asked = time.monotonic()
        theirs = await plan(here.api, EVSE, "MAINTENANCE", reason="a new cable")
        event = await stream.next("presented")
        took = time.monotonic() - asked
        answered = await get(here.api, f"{EVSES}/{EVSE}")
        assert {name: event.data[name] for name in set(event.data) - {"version", "at"}} == {
            name: answered[name]
            for name in ("evseId", "deploymentState", "locationId", "countryCode", "partyId", "uid", "presented")
        }
        assert event.data["presented"]["ocpi"] == {
            "status": "INOPERATIVE",
            "why": f"temporary status {theirs['id']} (MAINTENANCE): a new cable",
            "temporaryStatusId": theirs["id"],
            "until": None,
        }
        await here.api.delete(f"{STATUSES}/{theirs['id']}")
        ended = await stream.next("presented")
        assert ended.shown == (EVSE, "UNKNOWN")
        assert ended.data["version"] > event.data["version"]
        assert ended.data["at"] > event.data["at"]
        await here.api.put(f"{EVSES}/{EVSE}", json={"deploymentState": "DEPRECATED"})
        gone = await stream.next("presented")
        assert (gone.data["deploymentState"], gone.shown) == ("DEPRECATED", (EVSE, "REMOVED"))
    assert took < 5  # a hang would be twenty
    await nobody_listens(here)


async def test_a_boundary_comes_by_the_clock(embedded: Served) -> None:
    at = embedded.service.clock.now()
    async with embedded.following() as stream:
        ends = (at + timedelta(seconds=0.5)).isoformat()
        await plan(embedded.api, EVSE, validTo=ends)
        assert await stream.shown() == (EVSE, "OCCUPIED")
        assert await stream.shown() == (EVSE, "UNKNOWN")


async def test_only_what_is_asked_for_comes(here: Served) -> None:
    async def streamed(**query: Any) -> list[str]:
        async with here.following(snapshot="true", closeAfter="PT0S", **query) as stream:
            return [one.data["evseId"] for one in await stream.rest() if one.type == "presented"]

    assert await streamed() == [EVSE, OTHER, ELSEWHERE]
    assert await streamed(evseId=["deabce2", ELSEWHERE]) == [OTHER, ELSEWHERE]
    assert await streamed(locationId="LOC1") == [EVSE, OTHER]
    assert await streamed(operator="DE*XYZ") == [ELSEWHERE]
    assert await streamed(operator="DE*XYZ", locationId="LOC1") == []
    async with (
        here.following(evseId=OTHER) as one,
        here.following(operator="DEXYZ") as two,
        here.following(locationId="LOC1") as three,
    ):
        for evse in (EVSE, OTHER, ELSEWHERE):
            await here.report(evse, "Charging")
        assert await one.shown() == (OTHER, "CHARGING")
        assert await two.shown() == (ELSEWHERE, "CHARGING")
        assert {await three.shown(), await three.shown()} == {(EVSE, "CHARGING"), (OTHER, "CHARGING")}
        for evse in (EVSE, ELSEWHERE, OTHER):
            await here.report(evse, "Available")
        assert await one.shown() == (OTHER, "AVAILABLE")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_key_gets_what_is_in_its_scope_and_of_others_windows_only_what_any_driver_sees(here: Served) -> None:
    scoped = await here.key_of(Role.CLIENT, Rights(scope=Scope(operators=("DEABC",))))
    refusal(await here.refused(scoped, evseId=ELSEWHERE), 404, "evse-not-found")
    async with here.following(scoped, snapshot="true") as theirs, here.following() as ours:
        assert [await theirs.shown(), await theirs.shown()] == [(EVSE, "UNKNOWN"), (OTHER, "UNKNOWN")]
        assert (await theirs.next()).data == {"evses": 2}
        await here.report(ELSEWHERE, "Charging")
        assert await ours.shown() == (ELSEWHERE, "CHARGING")
        await plan(here.api, EVSE, "MAINTENANCE", reason=SECRET)
        unseen, seen = await theirs.next("presented"), await ours.next("presented")
        assert unseen.shown == seen.shown == (EVSE, "OUT_OF_SERVICE")
        assert SECRET in seen.data["presented"]["ocpi"]["why"]
        assert unseen.data["presented"]["ocpi"]["why"] == "a temporary status (MAINTENANCE)"
        assert unseen.data["presented"]["ocpi"]["temporaryStatusId"] is None


async def test_what_cannot_be_asked_is_refused(embedded: Served) -> None:
    refusal(await embedded.refused(evse=EVSE), 400, "malformed-value", parameter="evse")
    refusal(await embedded.refused(evseId="nothing"), 400, "malformed-evse-id", parameter="evseId")
    refusal(await embedded.refused(operator="x"), 400, "malformed-value", parameter="operator")
    refusal(await embedded.refused(closeAfter="soon"), 400, "malformed-value", parameter="closeAfter")
    refusal(await embedded.refused(snapshot="perhaps"), 400)
    refusal(await embedded.refused(evseId="DE*ABC*E9"), 404, "evse-not-found")
    refusal(await embedded.refused(evseId=[EVSE] * 101), 400, "malformed-value", parameter="evseId")
    async with embedded.following(evseId=[EVSE] * 100, closeAfter="PT0S") as stream:
        assert [one.type for one in await stream.rest()] == ["ping", "ping"]
    refusal(await embedded.refused(await embedded.key_of(Role.INGEST)), 403)


# Going on


async def test_what_was_missed_comes_after_a_restart(database_url: str) -> None:
    async with served(database_url) as before:
        await before.register(EVSE, OTHER)
        async with before.following() as stream:
            await before.report(OTHER, "Charging")
            await stream.next("presented")
            await stream.next("ping") if stream.id is None else None
            cursor = stream.id
        await before.report(EVSE, "Charging")
        await before.settled()
    async with served(database_url) as after:
        async with after.following(after=cursor) as stream:
            assert {await stream.shown(), await stream.shown()} == {(EVSE, "CHARGING"), (OTHER, "CHARGING")}
            await after.report(EVSE, "Faulted")
            assert await stream.shown() == (EVSE, "OUT_OF_SERVICE")
        # For those who cannot set a header; and one that is there counts for more.
        async with after.following(lastEventId=cursor, evseId=EVSE, closeAfter="PT0S") as stream:
            assert [one.shown for one in await stream.rest() if one.type == "presented"] == [(EVSE, "OUT_OF_SERVICE")]
        async with after.following(after=cursor, lastEventId="?", evseId=OTHER, closeAfter="PT0S") as stream:
            assert [one.type for one in await stream.rest()] == ["presented", "ping", "ping"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_cursor_that_nobody_can_go_on_from_is_a_reset_and_then_the_stream_goes_on(here: Served) -> None:
    now = here.service.clock.now()
    kept = here.service.settings.changes_kept
    good_one = Position(now - kept + timedelta(minutes=2), 0)
    bad_ones = (
        "nonsense",
        "x" * 5000,
        cursor_of(Position(now - kept, 0)),
        cursor_of(Position(now + timedelta(seconds=60), 0)),
        cursor_of(Position(now, 1_000_000)),
    )
    for number, bad in enumerate(bad_ones):
        async with here.following(after=bad) as stream:
            reset = await stream.next("reset", "presented", "ping")
            assert reset.type == "reset", bad
            assert reset.id is not None
            assert position_of(reset.id) is not None
            await here.report(EVSE, "Charging" if number % 2 else "Available")
            await stream.next("presented")
    async with here.following(after=cursor_of(good_one), closeAfter="PT0S") as stream:
        found = await stream.rest()
        assert {one.data["evseId"] for one in found if one.type == "presented"} == {EVSE, OTHER, ELSEWHERE}
        assert "reset" not in [one.type for one in found]
    async with here.following(after="nonsense", snapshot="true") as stream:
        events = [await stream.next() for _ in range(5)]
        assert [one.type for one in events] == ["reset", "presented", "presented", "presented", "snapshot"]
        # Cut off before the end, the client asks with the cursor that it had: it has nothing to go on from yet.
        assert [one.id is None for one in events] == [True, True, True, True, False]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_snapshot_is_the_current_state_and_nothing_is_lost_between_it_and_what_happens(here: Served) -> None:
    await here.report(EVSE, "Charging")
    await here.settled()

    async def flip() -> None:
        for number in range(20):
            await here.report(OTHER, "Charging" if number % 2 else "Faulted")
            await asyncio.sleep(0.01)
        await here.report(OTHER, "Available")

    flipping = asyncio.create_task(flip())
    shown: dict[str, tuple[int, str | None]] = {}
    async with here.following(snapshot="true") as stream:
        while shown.get(OTHER, (0, None))[1] != "AVAILABLE" or not flipping.done():
            event = await stream.next("presented")
            evse, status = event.shown
            if event.data["version"] > shown.get(evse, (-1, None))[0]:
                shown[evse] = (event.data["version"], status)
    assert shown[EVSE][1] == "CHARGING"
    assert len(shown) == 3


async def test_a_change_that_is_committed_late_comes_too(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time and its key are earlier than those of what was told meanwhile."""
    monkeypatch.setattr(following, "THOROUGH_EVERY", timedelta(seconds=0.5))
    monkeypatch.setattr(following, "SHORT_OVERLAP", timedelta())
    change, presented = metadata.tables["presented_change"], metadata.tables["presented"]
    async with served(postgresql_url) as here:
        await here.register(EVSE, OTHER)
        answered = await get(here.api, f"{EVSES}/{EVSE}")
        async with here.following() as stream:
            async with here.service.database.write() as connection:
                late = here.service.clock.now() - timedelta(seconds=20)
                values = {"version": 7, "what": "actual:PLANNED"}
                await connection.execute(update(presented).where(presented.c.evse == 1).values(values))
                row = {"at": late, "evse": 1, "operator": "DEABC", "version": 7, "from_what": "?", "to_what": "?"}
                await connection.execute(change.insert(), row)
                await here.report(OTHER, "Charging")
                assert await stream.shown() == (OTHER, "CHARGING")
                cursor = stream.id
            event = await stream.next("presented")
            assert (event.data["evseId"], event.data["version"]) == (EVSE, 7)
            assert answered["presented"] != event.data["presented"]
        async with here.following(after=cursor, closeAfter="PT0S") as stream:
            found = {one.data["evseId"]: one.data["version"] for one in await stream.rest() if one.type == "presented"}
            assert found[EVSE] == 7


async def test_what_one_replica_changes_comes_at_the_other_where_a_stream_can_go_on_as_well(
    postgresql_url: str,
) -> None:
    async with served(postgresql_url) as one, served(postgresql_url) as other:
        await one.register(EVSE, OTHER)
        async with other.following() as stream:
            # By their sweeps either may compute it; what matters is that it comes.
            await one.report(EVSE, "Charging")
            assert await stream.shown() == (EVSE, "CHARGING")
            cursor = stream.id or (await stream.next("ping")).id
        await other.report(OTHER, "Faulted")
        await other.settled()
        async with one.following(after=cursor) as stream:
            assert (OTHER, "OUT_OF_SERVICE") in {await stream.shown(), await stream.shown()}


# Who may listen, and for how long


async def test_a_client_that_does_not_read_is_cut_off_and_others_are_not(
    embedded: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = embedded.service
    service.events.patience = 0.2
    fleet = await make_fleet_beside(service.database, 7000, service.clock.now())
    host, port = embedded.url.removeprefix("http://").split(":")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, int(port)))
        head = f"GET /v2/events?snapshot=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {embedded.key}\r\n\r\n"
        deaf.sendall(head.encode())
        async with embedded.following() as other:

            async def dropped() -> bool:
                return service.events.dropped == 1

            await eventually(dropped)
            await embedded.report(EVSE, "Charging")
            assert await other.shown() == (EVSE, "CHARGING")
            assert service.events.listeners == 1
        deaf.settimeout(5)
        taken = b"".join(iter(lambda: deaf.recv(1 << 16), b""))  # what was on its way; the connection is closed
        assert taken.startswith(b"HTTP/1.1 200")
        assert b"event: snapshot" not in taken
    # Whoever is only slow is left behind, and told what is the case by then.
    monkeypatch.setattr("app.api.listener.MOST_WAITING", 20_000)
    async with embedded.following() as stream:
        await stream.next("ping")
        for status in ("UNKNOWN", "CHARGING", "PLANNED"):
            await change_all(service.database, fleet[:1000], status, service.clock.now())
        shown: dict[str, tuple[int, str]] = {}
        while set(shown.values()) != {(4, "OUT_OF_SERVICE")} or len(shown) < 1000:
            event = await stream.next("presented")
            name, seen = event.shown
            shown[name] = max(shown.get(name, (0, "")), (event.data["version"], str(seen)))


async def make_fleet_beside(database: Database, count: int, at: datetime) -> list[int]:
    """Insert EVSEs beside the first one."""
    evses = [
        {"id": number, "country": "DE", "party": "ABC", "uid": f"E{number}", "evse_id": f"DE*ABC*E{number}*9"}
        | {"operator": "DEABC", "evse_id_key": f"DEABCE{number}9", "deployment_state": "PRODUCTION"}
        | {"actual_status": "AVAILABLE", "created_by": "test", "created_at": at, "updated_at": at}
        for number in range(2, count + 2)
    ]
    known = [
        {"evse": one["id"], "what": "actual:AVAILABLE", "version": 1, "last_updated": at}
        | {"recheck_at": at + timedelta(hours=5)}
        for one in evses
    ]
    async with database.write() as connection:
        await connection.execute(metadata.tables["evse"].insert(), evses)
        await connection.execute(metadata.tables["presented"].insert(), known)
    return list(range(2, count + 2))


async def change_all(database: Database, evses: list[int], status: str, at: datetime) -> None:
    """Commit a change of many at once."""
    change, shown = metadata.tables["presented_change"], metadata.tables["presented"]
    async with database.write() as connection:
        of_them = update(shown).where(shown.c.evse.in_(evses))
        values = {"what": f"actual:{status}", "version": shown.c.version + 1, "last_updated": at}
        await connection.execute(of_them.values(values))
        version = (await connection.execute(select(shown.c.version).where(shown.c.evse == evses[0]))).scalar_one()
        rows = [
            {"at": at, "evse": one, "operator": "DEABC", "version": version, "from_what": "?", "to_what": "?"}
            for one in evses
        ]
        await connection.execute(change.insert(), rows)


async def test_a_ping_comes_where_nothing_happens_and_carries_the_cursor_on(embedded: Served) -> None:
    embedded.service.events.ping_every = 0.2
    async with embedded.following(evseId=EVSE) as stream:
        first, second = await stream.next("ping"), await stream.next("ping")
        assert first.id is not None
        assert second.id is not None
        third = await stream.next("ping")
        while third.id == first.id:
            third = await stream.next("ping")
        assert third.data["at"] > first.data["at"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_stream_of_a_key_that_is_revoked_or_changed_ends(
    here: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.broadcasting._KEYS_EVERY", 0.1)
    keys = [await here.key_of(), await here.key_of(), await here.key_of(), await here.key_of()]
    ids = [key.split("_")[1] for key in keys]
    async with (
        here.following(keys[0]) as revoked,
        here.following(keys[1]) as narrowed,
        here.following(keys[2]) as rotated,
        here.following(keys[3]) as good_one,
    ):
        good(await here.api.patch(f"/v2/keys/{ids[1]}", json={"rights": {"scope": {"operators": ["DE*ABC"]}}}))
        good(await here.api.post(f"/v2/keys/{ids[2]}/rotate", json={"overlap": "PT0S"}))
        assert (await here.api.delete(f"/v2/keys/{ids[0]}")).status_code == 204
        for ended in (revoked, narrowed, rotated):
            await ended.rest(within=10)
        await here.report(EVSE, "Charging")
        assert await good_one.shown() == (EVSE, "CHARGING")
    await nobody_listens(here)


async def test_no_more_listen_than_may_that_come_all_at_once(embedded_url: str) -> None:
    async with served(embedded_url, event_streams_per_key=2) as here:

        async def ask() -> int:
            async with here.api.stream("GET", EVENTS, params={"closeAfter": "PT1S"}) as answer:
                await answer.aread()
                return answer.status_code

        asked = await asyncio.gather(*(ask() for _ in range(8)))
        assert sorted(asked) == [200] * 2 + [429] * 6


async def test_no_more_listen_than_may(embedded_url: str) -> None:
    async with served(embedded_url, event_streams=3, event_streams_per_key=2) as here:
        key = await here.key_of()
        async with here.following(key), here.following(key) as second:
            refused = await here.refused(key)
            refusal(refused, 429, "rate-exceeded")
            assert int(refused.headers["retry-after"]) > 0
            async with here.following():
                refused = await here.refused(await here.key_of())
                refusal(refused, 503, "unavailable")
                assert int(refused.headers["retry-after"]) > 0
                assert here.service.events.listeners == 3
            await second.next("ping")
        await nobody_listens(here)
        async with here.following(key) as again:
            await again.next("ping")


async def test_a_stop_ends_streams_at_once(embedded: Served) -> None:
    async with embedded.following() as stream, embedded.following(evseId=EVSE) as other:
        await stream.next("ping")
        embedded.service.say_goodbye()
        assert [one.type for one in await stream.rest(within=5)] == []
        await other.rest(within=5)
        refused = await embedded.refused()
        refusal(refused, 503, "unavailable")
