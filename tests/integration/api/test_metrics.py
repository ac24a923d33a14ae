"""What Prometheus is told is what is so."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from app.channels.outcomes import NotSent
from app.domain.delivery import Delivery
from app.domain.principal import Role
from app.observing import stocktaking
from app.service import Service
from app.settings import Settings
from app.store.rows import delivery_values
from app.store.tables import metadata
from tests.builders import stored
from tests.clock import START, FrozenClock
from tests.integration.api.calls import (
    EVSE,
    PARTNERS,
    Client,
    NewClient,
    eventually,
    good,
    plan,
    register,
)
from tests.integration.api.scraping import Scraped, scrape
from tests.integration.scripted_channel import ScriptedChannel, add_partner

MINUTE = timedelta(minutes=1)


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
async def service(settings: Settings, clock: FrozenClock, channel: ScriptedChannel) -> AsyncGenerator[Service]:
    started = Service(settings, clock=clock, channels={channel.name: channel})
    async with started.running():
        yield started


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stocktaking, "FRESH", 0.0)  # the clock stands still


async def test_it_is_the_text_format_for_keys_that_are_good_for_all(client: NewClient, reader: Client) -> None:
    answer = await reader.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    database = "embedded" if "embedded" in answer.text else "postgresql"
    found = Scraped(answer)
    assert found("build_info", database=database, version="0.1.0") == 1
    assert (found("database_up"), found("clock_skew_seconds"), found("writer_queue_length")) == (1, 0, 0)
    sensor = await client(Role.CLIENT)
    assert (await sensor.get("/metrics")).status_code == 403


async def test_a_boundary_that_comes_late_is_measured_from_the_boundary(
    admin: Client, reader: Client, service: Service, clock: FrozenClock
) -> None:
    await register(admin)
    await plan(admin, validFrom="2026-03-01T08:01:00Z", validTo="2026-03-01T09:00:00Z")

    async def looked_at() -> bool:
        return (await scrape(reader))("evses_touched") == 0

    await eventually(looked_at)
    before = await scrape(reader)
    clock.advance(MINUTE + timedelta(seconds=3))
    late = await scrape(reader)  # reconcile looks once a second
    service.reconciler.look()

    async def applied() -> Any:
        found = await scrape(reader)
        # The count of what is overdue may be from just before the commit, and the lag from just after.
        return found if found("boundary_lag_seconds_count") and not found("boundaries_overdue") else None

    after = await eventually(applied)
    assert (before("boundaries_overdue"), before("boundary_overdue_seconds")) == (0, 0)
    if late("boundaries_overdue"):  # unless the sweep came in between
        assert (late("boundaries_overdue"), late("boundary_overdue_seconds")) == (1, 3)
    assert (after("boundaries_overdue"), after("boundary_overdue_seconds")) == (0, 0)
    assert (after("boundary_lag_seconds_count"), after("boundary_lag_seconds_sum")) == (1, 3)
    assert after("boundary_lag_seconds_bucket", le="2.0") == 0
    assert after("boundary_lag_seconds_bucket", le="5.0") == 1


async def test_what_a_partner_takes_and_does_not_take_is_counted(
    admin: Client, reader: Client, service: Service, channel: ScriptedChannel, clock: FrozenClock
) -> None:
    async def found(what: Any) -> Any:
        now = await scrape(reader)
        return now if what(now) else None

    await register(admin)
    good(await admin.post(PARTNERS, json={"name": "app", "channel": "scripted", "configuration": {}}))
    await eventually(lambda: found(lambda now: now("attempts_total", channel="scripted", outcome="Delivered")))
    channel.answer = lambda _said: NotSent("away")
    planned = await plan(admin)
    await plan(admin, kind="MAINTENANCE")

    async def shown() -> bool:
        return "kind:MAINTENANCE" in {one["to_what"] for one in await stored(service.database, "presented_change")}

    await eventually(shown)  # before the clock goes on, or it would be new only then
    fails = await eventually(lambda: found(lambda now: now("partner_standing", partner="app", standing="failing")))
    who = {"partner": "app", "channel": "scripted"}
    assert (fails("partner_failures", **who), fails("partner_owed", **who)) == (1, 1)
    assert fails("partner_standing", **who, standing="good") == 0
    assert fails("attempts_total", channel="scripted", outcome="NotSent") == 1
    assert fails("delivery_lag_seconds_count", channel="scripted") is None  # of nothing was it known when it was new

    channel.answer = ScriptedChannel().answer
    clock.advance(timedelta(seconds=7))
    await eventually(lambda: found(lambda now: now("partner_standing", partner="app", standing="good")))
    took = await eventually(lambda: found(lambda now: now("delivery_lag_seconds_count", channel="scripted")))
    assert took("delivery_lag_seconds_sum", channel="scripted") == pytest.approx(7, abs=0.1)  # versions are a ms apart
    assert (took("partner_owed", **who), took("partner_silence_seconds", **who)) == (0, 0)

    assert (await admin.delete(f"/v2/temporary-evse-statuses/{planned['id']}")).status_code == 204
    last = await scrape(reader)
    assert last("temporary_statuses_planned_total", kind="BLOCKED") == 1
    assert last("temporary_statuses_planned_total", kind="MAINTENANCE") == 1
    assert last("temporary_statuses_ended_total", kind="BLOCKED") == 1
    assert last("temporary_statuses_ended_total", kind="MAINTENANCE") == 0
    assert last("commit_commands_sum") == 4


async def test_what_partners_are_owed_is_counted_by_partner_and_beyond_some_together(
    admin: Client, reader: Client, service: Service, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stocktaking, "NAMED", 1)
    evse = (await register(admin))["evseId"]
    assert evse == EVSE
    receivers = [await add_partner(service.database, clock, name) for name in ("first", "second", "third")]
    later = START + timedelta(days=1)
    common = {"evse": 1, "want": 2, "shared_at": START, "generation": 1}
    rows = [
        Delivery(partner=receivers[0].id, next_at=later, suspect=True, **common),  # type: ignore[arg-type]
        Delivery(partner=receivers[1].id, rejected_version=2, **common),  # type: ignore[arg-type]
        Delivery(partner=receivers[2].id, next_at=later, **common),  # type: ignore[arg-type]
    ]

    async def nothing_but_that() -> bool:
        async with service.database.write() as connection:
            table = metadata.tables["delivery"]
            await connection.execute(table.delete())
            await connection.execute(table.insert(), [delivery_values(one) for one in rows])
        return (await scrape(reader))("evses_touched") == 0

    await eventually(nothing_but_that)
    found = await scrape(reader)
    names = ("partner_owed", "partner_suspect", "partner_parked")
    assert [found(name, partner="first") for name in names] == [1, 1, 0]
    assert [found(name, partner="(others)") for name in names] == [1, 0, 1]
    assert found("partner_standing", partner="(others)", standing="good") == 2
    assert found("partner_owed", partner="second") is None
