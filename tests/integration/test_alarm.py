"""The alarm, whatever becomes of the clock it is set by, and however far ahead a boundary lies."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import apscheduler.schedulers.base
import pytest
import uvloop

import app.clock
from app.clock import SystemClock
from app.schedule.alarm import SWEEP_SECONDS, Alarm
from app.schedule.reconcile import Reconciler
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import HOUR, plan, register, stored

DAY: Final = timedelta(days=1)
YEARS: Final = 3653 * DAY
FAR: Final = [2 * timedelta(seconds=SWEEP_SECONDS), 60 * DAY, YEARS, 73 * YEARS // 10, timedelta.max]
PATIENCE: Final = 30.0  #: seconds, for a machine that is busy with other tests


class _Stepped(datetime):
    """The machine's clock, as the alarm and the scheduler's library see it."""

    by = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> "_Stepped":
        return super().now(tz) + cls.by


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Step the clock of this machine to so much ahead of the true one."""
    monkeypatch.setattr(app.clock, "datetime", _Stepped)
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", _Stepped)
    return lambda by: monkeypatch.setattr(_Stepped, "by", by)


@pytest.fixture
def without_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """What rings then has been armed."""
    monkeypatch.setattr(Alarm, "_sweep_later", lambda _self: None)


@pytest.mark.parametrize("by", [HOUR, -HOUR, YEARS, -YEARS], ids=["+1h", "-1h", "+10y", "-10y"])
@pytest.mark.usefixtures("without_sweep")
async def test_a_boundary_rings_although_the_clock_was_stepped_while_another_was_awaited(
    step: Callable[[timedelta], None], by: timedelta
) -> None:
    """A machine that slept looks the same: its clock is ahead, and the timers go on where they were."""
    rung = asyncio.Event()
    alarm = Alarm(rung.set)
    alarm.start()
    alarm.arm(HOUR / 2)
    await asyncio.sleep(0.05)  # until its timer is set
    step(by)
    alarm.arm(timedelta(seconds=0.05))
    await asyncio.wait_for(rung.wait(), PATIENCE)
    await alarm.stop()


@pytest.mark.parametrize("by", [-HOUR, YEARS], ids=["-1h", "+10y"])
async def test_the_sweep_rings_although_the_clock_was_stepped_while_a_boundary_was_armed(
    step: Callable[[timedelta], None], by: timedelta
) -> None:
    rung = asyncio.Event()
    alarm = Alarm(rung.set)
    alarm.start()
    alarm.arm(timedelta(seconds=0.2))
    await asyncio.sleep(0.05)  # until its timer is set
    step(by)
    for _ in range(2):  # the armed one may ring too
        rung.clear()
        await asyncio.wait_for(rung.wait(), PATIENCE)
    await alarm.stop()


async def _arms_what_is_far_away() -> None:
    rung = []
    alarm = Alarm(lambda: rung.append(True))
    alarm.start()
    for wait in FAR:
        alarm.arm(wait)
    await asyncio.sleep(0.1)
    assert rung == []
    alarm.arm(timedelta(seconds=0.05))
    async with asyncio.timeout(PATIENCE):
        while not rung:  # noqa: ASYNC110 - it is the alarm that is waited for
            await asyncio.sleep(0.01)
    await alarm.stop()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop, as served"])
@pytest.mark.usefixtures("without_sweep")
def test_what_is_far_away_neither_rings_at_once_nor_keeps_what_is_near_from_ringing(run: Callable[..., Any]) -> None:
    run(_arms_what_is_far_away())


async def test_no_timer_reaches_further_than_a_sweep_however_far_ahead_the_windows_lie(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timers that overflow, or that nobody wakes after a step, are set by those who trust in them for weeks."""
    loop, clock = asyncio.get_running_loop(), SystemClock()
    delays: list[float] = []
    later = loop.call_later

    def noted(delay: float, what: Any, *more: Any, **context: Any) -> asyncio.TimerHandle:
        if getattr(what, "__module__", "").startswith(("app.", "apscheduler.")):  # not the database's driver
            delays.append(delay)
        return later(delay, what, *more, **context)

    writer = Writer(database, clock)
    await writer.start()
    now = clock.now()
    for number, begin in enumerate([now + 60 * DAY, now + YEARS, datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)]):
        await register(writer, f"DE*ABC*E{number}")
        await plan(writer, f"DE*ABC*E{number}", valid_from=begin)
    await writer.stop()

    monkeypatch.setattr(loop, "call_later", noted)
    one = Reconciler(database, clock)
    await one.start()
    async with asyncio.timeout(PATIENCE):
        while any(row["version"] == 0 for row in await stored(database, "presented")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
    await one.stop()
    assert [row["what"] for row in await stored(database, "presented")] == ["actual:UNKNOWN"] * 3
    assert delays
    assert max(delays) <= SWEEP_SECONDS
