"""Events that are kept are those that would be written anew, whatever has changed meanwhile."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.api.frames import Frames
from app.domain.principal import Principal, Role
from app.service import Service
from app.store import changes
from app.store.changes import Wanted
from tests.clock import FrozenClock
from tests.integration.api.calls import EVSE, EVSES, STATUSES, Client, eventually, good, plan, register

OTHER = "DE*ABC*E2"
OPERATIONS = Principal("operations", Role.OPERATIONS)
BOOKING = Principal("booking", Role.CLIENT)
UNTIL = "2026-03-01T20:00:00Z"
TOMORROW = "2026-03-02T08:00:00Z"


class Told:
    """What those who follow are told, by what was kept and anew."""

    def __init__(self, service: Service, clock: FrozenClock) -> None:
        self._service = service
        self._clock = clock
        self.frames = Frames(service.channels, clock)

    async def everything(self, principal: Principal = OPERATIONS) -> bytes:
        kept = await self._by(self.frames, principal)
        assert kept == await self._by(Frames(self._service.channels, self._clock), principal)
        return b"".join(kept)

    async def _by(self, frames: Frames, principal: Principal) -> list[bytes]:
        async with self._service.database.read() as connection:
            marks = await changes.marks_of(connection, Wanted(), 0)
            return await frames.of(connection, Wanted(), marks, principal)

    async def settle(self) -> None:
        """Compute what is due, and let it lie for a while."""

        async def done() -> bool:
            self._service.reconciler.look()
            at = await self._service.reconciler.next_at()
            return at is None or at > self._clock.now()

        await eventually(done)
        self._clock.advance(timedelta(seconds=5))


@pytest.fixture
async def told(service: Service, clock: FrozenClock, admin: Client) -> Told:
    for evse_id in (EVSE, OTHER):
        await register(admin, evse_id, locationId="LOC1")
    one = Told(service, clock)
    await one.settle()
    return one


async def say(admin: Client, status: str) -> None:
    good(await admin.put(f"{EVSES}/{EVSE}/actual-status", json={"status": status}))


async def test_every_change_is_told(told: Told, admin: Client) -> None:
    ids: list[int] = []

    async def planned(**asked: Any) -> None:
        ids.append((await plan(admin, EVSE, "MAINTENANCE", **asked))["id"])

    async def ended(number: int) -> None:
        (await admin.delete(f"{STATUSES}/{ids[number]}")).raise_for_status()

    async def moved() -> None:
        good(await admin.put(f"{EVSES}/{EVSE}", json={"locationId": "LOC2"}))

    async def reworded() -> None:
        good(await admin.patch(f"{STATUSES}/{ids[0]}", json={"reason": "a new cable"}))

    steps: list[tuple[Callable[[], Awaitable[None]], bytes]] = [
        (lambda: say(admin, "Preparing"), b"the charger reports Preparing"),
        (lambda: say(admin, "Charging"), b"the charger reports Charging"),  # shown as before, so at the same version
        (moved, b"LOC2"),
        (lambda: planned(validTo=UNTIL), b"temporary status 1 (MAINTENANCE)"),
        (reworded, b"a new cable"),
        (lambda: planned(validTo=UNTIL), b"temporary status 1 (MAINTENANCE): a new cable"),
        (lambda: ended(0), b"temporary status 2 (MAINTENANCE)"),  # until the same time, so at the same version
        (lambda: ended(1), b"the charger reports Charging"),
        (lambda: planned(validFrom=TOMORROW), b"the charger reports Charging"),  # announced, so at another version
    ]
    for change, said in steps:
        await told.everything()
        await change()
        await told.settle()
        assert said in await told.everything()


async def test_what_has_not_changed_is_not_read_again(
    told: Told, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    standing = changes.standing

    async def counted(connection: Any, evses: Any) -> Any:
        read.extend(evses)
        return await standing(connection, evses)

    first = await told.everything()
    monkeypatch.setattr(changes, "standing", counted)
    async with told._service.database.read() as connection:
        marks = await changes.marks_of(connection, Wanted(), 0)
        assert b"".join(await told.frames.of(connection, Wanted(), marks, OPERATIONS)) == first
        assert read == []
    await say(admin, "Charging")
    await told.settle()
    async with told._service.database.read() as connection:
        marks = await changes.marks_of(connection, Wanted(), 0)
        await told.frames.of(connection, Wanted(), marks, OPERATIONS)
    assert read == [marks[0][0]]


async def test_what_may_not_be_seen_is_not_kept_for_those_who_may_not(told: Told, admin: Client) -> None:
    await plan(admin, EVSE, "MAINTENANCE", reason="between us")
    await told.settle()

    for _ in range(2):
        assert b"between us" in await told.everything(OPERATIONS)
        assert b"between us" not in await told.everything(BOOKING)


async def test_what_may_change_again_at_the_same_instant_is_not_kept(
    told: Told, admin: Client, clock: FrozenClock
) -> None:
    await say(admin, "Preparing")
    await told.settle()
    await say(admin, "SuspendedEV")
    assert b"SuspendedEV" in await told.everything()
    await say(admin, "SuspendedEVSE")
    assert b"SuspendedEVSE" in await told.everything()


async def test_no_more_is_kept_than_there_is_room_for(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.frames._ROOM", 800)
    await told.everything()

    assert len(told.frames._kept) == 1
    await told.everything()


async def test_what_was_written_for_a_mark_that_was_out_of_date_by_then_is_not_kept(told: Told, admin: Client) -> None:
    async with told._service.database.read() as connection:
        marks = await changes.marks_of(connection, Wanted(), 0)
        # Meanwhile, as both of them have read that the charger itself is shown:
        await plan(admin, EVSE, "MAINTENANCE", reason="between us")
        await told.settle()
        assert b"between us" in b"".join(await told.frames.of(connection, Wanted(), marks, OPERATIONS))
        assert b"between us" not in b"".join(await told.frames.of(connection, Wanted(), marks, BOOKING))


async def test_what_was_moved_away_since_its_mark_was_read_is_not_told(told: Told, admin: Client) -> None:
    here = Wanted(location="LOC1")
    async with told._service.database.read() as connection:
        marks = await changes.marks_of(connection, here, 0)
        await register(admin, OTHER, locationId="LOC2")
        frames = await told.frames.of(connection, here, marks, OPERATIONS)
    assert len(marks) == 2
    assert len(frames) == 1
    assert OTHER.encode() not in frames[0]
