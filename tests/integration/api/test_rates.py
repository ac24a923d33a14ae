"""Who calls too often, with bad keys, or from elsewhere."""

from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from structlog.testing import capture_logs

from app.domain.api_key import new_key
from app.domain.principal import Role
from app.service import Service
from app.settings import Settings
from tests.builders import stored
from tests.clock import FrozenClock
from tests.integration.api.calls import EVSES, STATUSES, Client, NewClient, get, good, issue, plan, refusal, register
from tests.integration.api.test_keys import EVERYWHERE, KEYS, make


@pytest.fixture
def database_url(embedded_url: str) -> str:
    """On SQLite alone: what is asked here does not know the database."""
    return embedded_url


SECOND = timedelta(seconds=1)


def calling(app: Litestar, key: str, address: str) -> httpx.AsyncClient:
    """Somebody who calls from an address."""
    transport = httpx.ASGITransport(cast("Any", app), client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://here", headers={"Authorization": f"Bearer {key}"})


async def test_a_key_calls_as_often_as_its_rate_and_is_told_when_to_come_back(
    admin: Client, client: NewClient, clock: FrozenClock
) -> None:
    made = await make(admin, role="client", rights=EVERYWHERE | {"rate": 3})
    holder, other = await client(key=made["key"]), await client(Role.READER)
    for _ in range(3):
        good(await holder.get(EVSES))
    answer = await holder.get(EVSES)
    refusal(answer, 429, "rate-exceeded")
    assert answer.headers["retry-after"] == "20"
    good(await other.get(EVSES))
    clock.advance(19 * SECOND)
    assert (await holder.get(EVSES)).headers["retry-after"] == "1"
    clock.advance(SECOND)
    good(await holder.get(EVSES))
    refusal(await holder.get(EVSES), 429, "rate-exceeded")


async def test_each_item_of_a_batch_counts_as_a_call(admin: Client, client: NewClient, clock: FrozenClock) -> None:
    made = await make(admin, role="client", rights=EVERYWHERE | {"rate": 60})
    holder = await client(key=made["key"])
    item = {"evseId": "DE*ABC*E404", "temporaryStatus": "BLOCKED"}
    good(await holder.post(f"{STATUSES}/batch", json={"items": [item] * 58}))
    good(await holder.get(EVSES))
    answer = await holder.post(f"{STATUSES}/batch", json={"items": [item] * 30})
    refusal(answer, 429, "rate-exceeded")
    assert answer.headers["retry-after"] == "29"
    clock.advance(60 * SECOND)
    good(
        await holder.post(f"{STATUSES}/batch", json={"items": [item] * 500})
    )  # more than a minute's worth takes all of it


async def test_a_rate_counts_what_is_refused_too(admin: Client, client: NewClient) -> None:
    made = await make(admin, role="reader", rights={"rate": 2})
    holder = await client(key=made["key"])
    for _ in range(2):
        refusal(await holder.get(KEYS), 403, "forbidden")
    refusal(await holder.get(KEYS), 429, "rate-exceeded")


class TestFailures:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"failed_keys_per_minute": 5})

    async def test_bad_keys_are_401_then_429_and_a_good_one_goes_on_working(
        self, app: Litestar, service: Service, clock: FrozenClock
    ) -> None:
        key = await issue(service, Role.READER)
        async with (
            calling(app, new_key()[1], "192.0.2.7") as guesser,
            calling(app, "mistyped", "::ffff:192.0.2.7") as mistyped,
            calling(app, key, "192.0.2.7") as neighbour,
            calling(app, new_key()[1], "192.0.2.8") as elsewhere,
        ):
            for number in range(5):
                refusal(await (guesser if number % 2 else mistyped).get(EVSES), 401, "unauthenticated")
            for bad in (guesser, mistyped):
                answer = await bad.get(EVSES)
                refusal(answer, 429, "rate-exceeded")
                assert answer.headers["retry-after"] == "12"
            good(await neighbour.get(EVSES))
            refusal(await elsewhere.get(EVSES), 401, "unauthenticated")
            clock.advance(12 * SECOND)
            refusal(await guesser.get(EVSES), 401, "unauthenticated")
            refusal(await guesser.get(EVSES), 429, "rate-exceeded")

    async def test_all_of_an_ipv6_64_is_one(self, app: Litestar) -> None:
        for number in range(7):
            async with calling(app, new_key()[1], f"2001:db8::{number:x}:1") as guesser:
                assert (await guesser.get(EVSES)).status_code == (401 if number < 5 else 429)


async def test_a_call_from_elsewhere_looks_like_any_bad_key_and_is_in_the_log(
    app: Litestar, admin: Client, service: Service
) -> None:
    made = await make(admin, role="reader", rights={"networks": ["192.0.2.0/24", "2001:db8::/32"]})
    for address in ("192.0.2.1", "::ffff:192.0.2.255", "2001:db8::1"):
        async with calling(app, made["key"], address) as holder:
            good(await holder.get(EVSES))
    await service.key_uses.write()
    async with calling(app, made["key"], "192.0.3.1") as thief, calling(app, new_key()[1], "192.0.3.1") as stranger:
        with capture_logs() as logs:
            answers = [await one.get(EVSES, headers={"X-Request-Id": "mine"}) for one in (thief, stranger)]
    assert answers[0].json() == answers[1].json()
    refusal(answers[0], 401, "unauthenticated")
    assert answers[0].headers["www-authenticate"] == answers[1].headers["www-authenticate"]
    warned = [(one["log_level"], one["key"], one["address"]) for one in logs if one["event"] != "request"]
    assert warned == [("warning", made["id"], "192.0.3.1")]
    assert made["key"] not in str(logs)
    await service.key_uses.write()
    assert (await get(admin, f"{KEYS}/{made['id']}"))["lastUsedFrom"] == "2001:db8::1"


async def test_the_last_use_of_a_key_is_told_with_time_and_address(
    app: Litestar, admin: Client, service: Service, clock: FrozenClock
) -> None:
    made = await make(admin, role="reader")
    assert (await get(admin, f"{KEYS}/{made['id']}"))["lastUsedAt"] is None
    rotated = good(await admin.post(f"{KEYS}/{made['id']}/rotate", json={}))
    async with calling(app, made["key"], "192.0.2.1") as old, calling(app, rotated["key"], "192.0.2.2") as new:
        good(await old.get(EVSES))
        clock.advance(SECOND)
        good(await new.get(EVSES))
    assert (await get(admin, f"{KEYS}/{made['id']}"))["lastUsedAt"] is None  # a call waits for no write
    await service.key_uses.write()
    shown = await get(admin, f"{KEYS}/{made['id']}")
    assert (shown["lastUsedAt"], shown["lastUsedFrom"]) == ("2026-03-01T08:00:01.000Z", "192.0.2.2")
    assert shown["previousUsedAt"] == "2026-03-01T08:00:00.000Z"


async def test_what_was_noted_last_is_written_when_the_service_stops(settings: Settings, clock: FrozenClock) -> None:
    service = Service(settings, clock=clock)
    async with service.running():
        service.key_uses.note("nobody", "digest", "192.0.2.1")
        await issue(service, Role.READER)
        (row,) = await stored(service.database, "api_key")
        service.key_uses.note(row["id"], row["digest"], "192.0.2.1")
    again = Service(settings, clock=clock)
    (row,) = await stored(again.database, "api_key")
    await again.database.close()
    assert (row["last_used_at"], row["last_used_from"]) == (clock.now(), "192.0.2.1")


async def test_whoever_the_brake_stops_is_told_when_it_lets_go(admin: Client, client: NewClient) -> None:
    made = await make(admin, role="client", rights=EVERYWHERE)
    holder = await client(key=made["key"])
    evses = [f"DE*ABC*E{number}" for number in range(6)]
    for one in evses:
        await register(admin, one)
    for one in evses[:5]:
        await plan(holder, one, validTo="2026-03-01T09:00:00Z")
    body = {"evseId": evses[5], "temporaryStatus": "BLOCKED", "validTo": "2026-03-01T09:00:00Z"}
    answer = await holder.post(STATUSES, json=body)
    refusal(answer, 429, "blast-radius")
    assert answer.headers["retry-after"] == "1800"
