"""Whose time counts: the machine's, or on PostgreSQL the database's; and a running service when that one steps."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from structlog.testing import capture_logs

from app.clock import SystemClock
from app.domain.partner import Partner
from app.domain.status import Kind
from app.service import Service
from app.settings import Settings
from app.store import partners
from tests.builders import HOUR, MINUTE, plan, register, report, stored
from tests.integration.scripted_channel import ScriptedChannel

YEARS: Final = timedelta(days=3653)
SECOND: Final = timedelta(seconds=1)
PATIENCE: Final = 30.0  #: seconds, for a machine that is busy with other tests


class Machine(SystemClock):
    """A machine whose clock is off by `off`."""

    off = timedelta()

    def machine_now(self) -> datetime:
        return super().machine_now() + self.off


@asynccontextmanager
async def running(url: str, clock: SystemClock) -> AsyncGenerator[tuple[Service, ScriptedChannel]]:
    channel = ScriptedChannel()
    key = SecretStr(Fernet.generate_key().decode("ascii"))
    service = Service(Settings(database_url=url, secret_key=key), clock=clock, channels={channel.name: channel})
    async with service.running():
        yield service, channel


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not await holds():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.02)


# The clock by itself


def test_a_clock_that_follows_nobody_goes_by_the_machine() -> None:
    clock = Machine()
    clock.off = YEARS
    assert timedelta() <= clock.now() - datetime.now(UTC) - YEARS + SECOND < 20 * SECOND  # noqa: TID251
    assert clock.now().microsecond % 1000 == 0


def test_a_clock_that_follows_the_database_does_not_notice_what_is_done_to_the_machine() -> None:
    clock = Machine()
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    clock.follow(noon, took=0.5)
    for off in (timedelta(), HOUR, -HOUR, YEARS):
        clock.off = off
        assert timedelta(seconds=0.25) <= clock.now() - noon < PATIENCE * SECOND
        assert clock.now().microsecond % 1000 == 0


def test_it_knows_how_far_ahead_the_machine_is() -> None:
    clock = Machine()
    clock.follow(clock.machine_now() - 3 * MINUTE, took=0.0)
    assert abs(clock.machine_ahead - 3 * MINUTE) < SECOND
    clock.follow(clock.machine_now() + 3 * MINUTE, took=0.0)
    assert abs(clock.machine_ahead + 3 * MINUTE) < SECOND


def test_it_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux counts: while a machine is suspended its monotonic clock stands still and the other goes on."""
    slept = {time.CLOCK_MONOTONIC: 1000.0, time.CLOCK_BOOTTIME: 1000.0}
    monkeypatch.setattr(time, "clock_gettime", slept.__getitem__)
    clock = SystemClock()
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    clock.follow(noon, took=0.0)
    slept[time.CLOCK_BOOTTIME] += 8 * 3600
    assert clock.now() == noon + 8 * HOUR


# Replicas


async def test_a_window_begins_and_ends_by_the_databases_time_whatever_the_replicas_machines_believe(
    postgresql_url: str,
) -> None:
    fast, slow = Machine(), Machine()
    fast.off, slow.off = 3 * MINUTE, -3 * MINUTE
    async with running(postgresql_url, fast) as (here, _), running(postgresql_url, slow) as (there, _):
        for service in (here, there):
            assert abs(service.clock.now() - await _database_now(service)) < SECOND
        await register(here.writer)
        begin = await _database_now(here) + SECOND
        end = begin + 1.5 * SECOND
        assert (await plan(here.writer, valid_from=begin, valid_to=end)).created_at < begin

    # Each by one of them alone, so that both prove it.
    for clock, boundary, what in ((fast, begin, "kind:BLOCKED"), (slow, end, "actual:UNKNOWN")):
        async with running(postgresql_url, clock) as (service, _):
            await until(lambda what=what: _is_shown(service, what))  # type: ignore[misc]
            last = (await stored(service.database, "presented_change"))[-1]
            assert last["to_what"] == what
            assert timedelta() <= last["at"] - boundary < PATIENCE * SECOND


async def test_that_a_machines_clock_is_off_is_said_once_and_that_it_is_right_again_too(postgresql_url: str) -> None:
    clock = Machine()
    clock.off = 3 * MINUTE
    with capture_logs() as logs:
        async with running(postgresql_url, clock) as (service, _):
            for off, said in ((3 * MINUTE, 1), (4 * MINUTE, 1), (timedelta(), 2), (-3 * MINUTE, 3), (-3 * MINUTE, 3)):
                clock.off = off
                await service._follow_the_database(patient=True)
                skews = [one for one in logs if "this machine's clock" in one["event"]]
                assert len(skews) == said
    assert [one["log_level"] for one in skews] == ["warning", "info", "warning"]
    assert abs(skews[0]["ahead_s"] - 180) < 1


async def _database_now(service: Service) -> datetime:
    now = await service.database.now()
    assert now is not None
    return now


async def _is_shown(service: Service, what: str) -> bool:
    return [row["what"] for row in await stored(service.database, "presented")] == [what]


# A running service


async def _fleet(service: Service, channel: ScriptedChannel) -> dict[str, int]:
    """EVSEs with a window that runs, one that is far ahead, and none; and a partner that has been told."""
    now = service.clock.now()
    keys = {}
    for number, (name, begin) in enumerate({"runs": now, "ahead": now + timedelta(days=365), "none": None}.items()):
        site = f"DE*ABC*E{number}"
        keys[name] = (await register(service.writer, site)).id
        await report(service.writer, "Available", site)
        if begin is not None:
            await plan(service.writer, site, kind=Kind.BLOCKED, valid_from=begin, valid_to=begin + 30 * MINUTE)
    app = Partner(
        id=0,
        name="app",
        channel="scripted",
        configuration={},
        tells_fleet=True,
        created_by="test",
        created_at=now,
        updated_at=now,
    )
    async with service.database.write() as connection:
        await partners.add(connection, service.secrets, app, "test")
    service.dispatcher.partners_changed()
    await until(lambda: _shows(channel, keys, runs="BLOCKED", ahead="AVAILABLE", none="AVAILABLE"))
    await until(lambda: _is_done(service))
    return keys


async def _is_done(service: Service) -> bool:
    async with service.database.read() as connection:
        if await partners.unintroduced(connection):
            return False
    due = await service.reconciler.next_at()
    owed = [row for row in await stored(service.database, "delivery") if row["next_at"] or row["in_flight"]]
    return due is not None and due > service.clock.now() and not owed


async def _shows(channel: ScriptedChannel, keys: dict[str, int], **expected: str) -> bool:
    return {name: channel.shown.get(("app", key)) for name, key in keys.items()} == expected


async def test_on_postgresql_nobody_is_told_anything_because_a_machines_clock_is_set(postgresql_url: str) -> None:
    clock = Machine()
    async with running(postgresql_url, clock) as (service, channel):
        await _fleet(service, channel)
        before = [await stored(service.database, table) for table in ("presented", "presented_change", "delivery")]
        said = len(channel.said)
        for off in (YEARS, -YEARS, timedelta()):
            clock.off = off
            passed = service.reconciler.last_pass_at
            service.reconciler.look()
            await until(lambda passed=passed: _passed_since(service, passed))  # type: ignore[misc]
        assert len(channel.said) == said
        after = [await stored(service.database, table) for table in ("presented", "presented_change", "delivery")]
        assert after == before


async def _passed_since(service: Service, passed: datetime | None) -> bool:
    return service.reconciler.last_pass_at != passed


async def test_a_service_whose_clock_steps_is_right_again_with_its_clock_and_tells_each_change_once(
    database_url: str,
) -> None:
    """Embedded that is the machine's clock; on PostgreSQL the database's, which all replicas follow."""
    clock = Machine()
    async with running(database_url, clock) as (service, channel):
        keys = await _fleet(service, channel)
        said = len(channel.said)
        true = {"runs": "BLOCKED", "ahead": "AVAILABLE", "none": "AVAILABLE"}
        with capture_logs() as logs:
            _step(service, clock, YEARS)
            await until(lambda: _shows(channel, keys, **true | {"runs": "AVAILABLE"}))
            _step(service, clock, timedelta())
            await until(lambda: _shows(channel, keys, **true))
            await asyncio.sleep(1.2)  # for what another sweep would say, were there anything
        assert await _shows(channel, keys, **true)
        assert Counter(one.evse for one in channel.said[said:]) == {keys["runs"]: 2}
        assert [one["log_level"] for one in logs if "stepped back" in one["event"]] == ["warning"]


def _step(service: Service, clock: Machine, off: timedelta) -> None:
    if service.database.embedded:
        clock.off = off
        return
    asking = type(service.database).now

    async def stepped() -> Any:
        now = await asking(service.database)
        return None if now is None else now + off

    service.database.now = stepped  # type: ignore[method-assign]
