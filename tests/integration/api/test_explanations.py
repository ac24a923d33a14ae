"""Why an EVSE is, was or will be shown as it is, against a history that the clockwork really recorded."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.channels import REGISTER
from app.channels.outcomes import Delivered, NotSent, Rejected
from app.domain.instant import parse_instant, rfc3339
from app.domain.principal import Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.schedule.reconcile import Reconciler
from app.service import Service
from app.settings import Settings
from app.store import chores
from tests.builders import HOUR, MINUTE
from tests.clock import START, FrozenClock
from tests.integration.api.calls import (
    EVSE,
    EVSES,
    PARTNERS,
    STATUSES,
    Client,
    NewClient,
    eventually,
    get,
    good,
    plan,
    refusal,
    register,
)
from tests.integration.scripted_channel import ScriptedChannel

EXPLANATION = f"{EVSES}/{EVSE}/explanation"
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def scripted() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
async def service(
    settings: Settings, clock: FrozenClock, scripted: ScriptedChannel, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Service]:
    """Beside the real channels one that answers by script. What changes is computed in `later`, and not before."""
    monkeypatch.setattr(Reconciler, "look", lambda _: None)
    with_age = settings.model_copy(update={"actual_status_max_age": 12 * HOUR})
    started = Service(with_age, clock=clock, channels={**REGISTER, "scripted": scripted})
    async with started.running():
        yield started


async def later(service: Service, clock: FrozenClock, by: timedelta) -> datetime:
    """Let time pass, and have what came due computed and recorded."""
    clock.advance(by)
    async with asyncio.timeout(10):  # not after one pass, where another that began earlier has hold of it
        while (due := await service.reconciler.next_at()) is not None and due <= clock.now():
            await service.reconciler.pass_once()
            await asyncio.sleep(0.01)
    return clock.now()


async def explain(client: Client, at: datetime | None = None) -> Any:
    return await get(client, EXPLANATION, **({} if at is None else {"at": rfc3339(at)}))


def shown(explanation: Any) -> tuple[Any, Any, Any, Any]:
    one = explanation["presented"]["ocpi"]
    return one["status"], one["since"], one["until"], explanation["because"]["temporaryStatusId"]


async def test_past_present_and_future_of_a_night(service: Service, clock: FrozenClock, admin: Client) -> None:
    await register(admin)
    await service.reconciler.pass_once()
    good(await admin.put(f"{EVSES}/{EVSE}/actual-status", json={"status": "Charging"}))
    works = await plan(
        admin, kind="MAINTENANCE", validFrom=rfc3339(START + HOUR), validTo=rfc3339(START + 3 * HOUR), reason="cable"
    )
    idle = await plan(admin, kind="COMMISSIONING", appliesWhen="idle", validTo=rfc3339(START + 5 * HOUR))
    weak = await plan(admin, kind="RESERVED", validTo=rfc3339(START + 3 * HOUR))
    reserved = await later(service, clock, MINUTE)
    await later(service, clock, HOUR - MINUTE)
    now = await later(service, clock, HOUR)

    here = await explain(admin)
    begun, over = rfc3339(START + HOUR), rfc3339(START + 3 * HOUR)
    assert (here["tense"], *shown(here)) == ("now", "INOPERATIVE", begun, over, works["id"])
    assert here["because"]["words"] == f"temporary status {works['id']} (MAINTENANCE): cable"
    assert {one["id"]: (one["verdict"], one["outrankedBy"]) for one in here["temporaryStatuses"]} == {
        works["id"]: ("shown", None),
        idle["id"]: ("notIdle", None),
        weak["id"]: ("outranked", works["id"]),
    }
    assert here["temporaryStatuses"][0]["createdByName"] == "somebody"
    assert here["nextChange"]["at"] == over
    assert here["nextChange"]["presented"]["ocpi"] == "CHARGING"
    assert here["nextChange"]["because"]["words"] == "the charger reports Charging"
    assert here["notes"] == []
    assert (await get(admin, f"{EVSES}/{EVSE}"))["presented"]["ocpi"]["why"] == here["because"]["words"]

    # A day ahead the charger's last report is too old to be believed, so that what is for an idle charger would show.
    ahead = await explain(admin, START + 4 * HOUR)
    assert (ahead["tense"], *shown(ahead)) == ("future", "CHARGING", over, rfc3339(START + 12 * HOUR), None)
    assert ahead["charger"]["assumed"]
    assert "if the charger goes on to be CHARGING" in ahead["notes"][0]
    stale = await explain(admin, START + 13 * HOUR)
    assert shown(stale) == ("UNKNOWN", rfc3339(START + 12 * HOUR), None, None)
    assert (stale["charger"]["stale"], stale["charger"]["actualStatus"]) == (True, "UNKNOWN")

    # Ended early, and changed, afterwards: of the past the record tells.
    good(await admin.patch(f"{STATUSES}/{weak['id']}", json={"validTo": rfc3339(START + 4 * HOUR)}))
    assert (await admin.delete(f"{STATUSES}/{works['id']}")).status_code == 204
    after = await later(service, clock, MINUTE)
    before = await explain(admin, now - MINUTE)
    assert (before["tense"], *shown(before)) == ("past", "INOPERATIVE", begun, rfc3339(after), works["id"])
    assert before["because"]["words"] == f"temporary status {works['id']} (MAINTENANCE): cable"
    assert {one["id"]: one["changedSince"] for one in before["temporaryStatuses"]} == {
        works["id"]: False,
        idle["id"]: False,
        weak["id"]: True,
    }
    assert "changed since are told as they are today" in before["notes"][0]
    assert before["charger"]["reported"] == "Charging"
    today = await explain(admin)
    ended = next(one for one in today["temporaryStatuses"] if one["id"] == works["id"])
    assert ended["verdict"] == "endedEarly"
    assert ended["words"] == f"ended early, {rfc3339(now)} by somebody"
    assert ended["endedByName"] == "somebody"

    # The edges of the record: at a line, and just before it.
    assert shown(await explain(admin, START + HOUR))[0] == "INOPERATIVE"
    first = await explain(admin, START + HOUR - MILLISECOND)
    status, since, until, because = shown(first)
    assert (status, until, because) == ("RESERVED", begun, weak["id"])
    assert rfc3339(START) < since <= rfc3339(reserved)
    assert [one["verdict"] for one in first["temporaryStatuses"]] == ["shown", "notIdle", "notBegun"]
    refusal(await admin.get(EXPLANATION, params={"at": "yesterday"}), 400, "malformed-time", parameter="at")
    refusal(await admin.get(f"{EVSES}/DE*ABC*E9/explanation"), 404)


async def test_what_was_purged_is_not_known_any_more_and_not_invented(
    service: Service, clock: FrozenClock, admin: Client
) -> None:
    await register(admin)
    await service.reconciler.pass_once()
    kept = service.settings.changes_kept
    clock.advance(HOUR)
    one = await plan(admin, kind="BLOCKED")
    await later(service, clock, MINUTE)
    clock.advance(kept)
    await admin.delete(f"{STATUSES}/{one['id']}")
    ended = await later(service, clock, HOUR)
    async with service.database.write() as connection:
        await chores.purge(connection, "presented_change", ended - kept)

    # The line of its beginning is gone; that of its end says what was shown before, as far as all lines are kept.
    assert (await explain(admin, ended - kept))["presented"]["ocpi"]["status"] == "BLOCKED"
    assert (await explain(admin, ended - 2 * HOUR))["because"]["temporaryStatusId"] == one["id"]
    gone = await explain(admin, ended - kept - MILLISECOND)
    assert (gone["known"], shown(gone)[0], gone["because"]["words"]) == (False, None, "not known any more")
    assert gone["notes"] == [f"Changes before {rfc3339(ended - kept)} are not kept."]
    assert (await explain(admin, START - HOUR))["notes"] == ["The EVSE was not registered yet."]

    # And where nothing has changed since, what is shown today was shown all the time.
    now = await later(service, clock, 2 * kept)
    async with service.database.write() as connection:
        await chores.purge(connection, "presented_change", now - kept)
    quiet = await explain(admin, ended + HOUR)
    assert (quiet["known"], shown(quiet)[:3]) == (True, ("UNKNOWN", rfc3339(ended), None))


async def test_a_window_that_nobody_looked_at_is_told_as_recorded(
    service: Service, clock: FrozenClock, admin: Client
) -> None:
    await register(admin)
    await plan(admin, kind="BLOCKED", validTo=rfc3339(START + HOUR))
    await service.reconciler.pass_once()
    await service.reconciler.stop()
    clock.advance(3 * HOUR)
    found = await explain(admin, START + 2 * HOUR)
    assert shown(found)[0] == "BLOCKED"
    assert "by then nobody had computed what came after" in found["notes"][0]
    here = await explain(admin)
    assert shown(here)[:2] == ("UNKNOWN", rfc3339(START + HOUR))
    assert here["notes"] == ["Not recorded yet: a running service computes and tells it within a second."]
    await service.reconciler.start()


async def test_partners_what_they_were_told_and_why_one_does_not_have_the_latest(
    service: Service, clock: FrozenClock, admin: Client, scripted: ScriptedChannel, client: NewClient
) -> None:
    await register(admin, locationId="LOC1")
    await service.reconciler.pass_once()
    outcomes: dict[str, Any] = {"no": Rejected("no such EVSE"), "gone": NotSent("connection refused")}
    scripted.answer = lambda said: outcomes.get(said.partner, Delivered("ok"))
    for name in ("good", "no", "gone", "paused"):
        good(await admin.post(PARTNERS, json={"name": name, "channel": "scripted", "configuration": {}}))
    good(await admin.patch(f"{PARTNERS}/paused", json={"paused": True}))
    clock.advance(MINUTE)
    await plan(admin, kind="MAINTENANCE")

    async def all_tried() -> bool:
        clock.advance(timedelta(seconds=1))  # or who came too early to be told would never be looked at again
        partners = {one["name"]: one for one in (await explain(admin))["partners"]}
        news = [partners["good"]["told"], partners["no"]["lastAttempt"]]
        heard = all(one is not None and one["said"] == "MAINTENANCE" for one in news)
        known = (partners["good"]["knows"], partners["no"]["knows"], partners["gone"]["state"])
        return heard and known == ("latest", "parked", "failing")

    await eventually(all_tried)
    found = {one["name"]: one for one in (await explain(admin))["partners"]}
    assert {name: (one["knows"], one["state"], one["whyNot"]) for name, one in found.items()} == {
        "good": ("latest", "good", ""),
        "no": ("parked", "good", "it refused this: no such EVSE"),
        "gone": ("owed", "failing", "it cannot be reached or does not answer: connection refused"),
        "paused": ("owed", "paused", "it is paused: `partners resume` goes on"),
    }
    assert found["good"]["told"]["said"] == "MAINTENANCE"
    assert found["good"]["told"]["outcome"] == "Delivered"
    assert found["good"]["acknowledgedAt"] >= rfc3339(START + MINUTE)
    assert found["no"]["told"] is None
    assert found["no"]["lastAttempt"]["answer"] == "no such EVSE"
    assert found["gone"]["owedSince"] >= rfc3339(START + MINUTE)
    assert (found["gone"]["nextTryAt"] is not None, found["paused"]["nextTryAt"]) == (True, None)

    # Of the past only what was said is told, and nothing of what was said later.
    clock.advance(HOUR)
    was = {
        one["name"]: one for one in (await explain(admin, parse_instant(found["good"]["acknowledgedAt"])))["partners"]
    }
    assert (was["good"]["told"]["said"], was["good"]["knows"], was["good"]["state"]) == ("MAINTENANCE", None, None)
    assert all(one["told"] is None for one in (await explain(admin, START - MINUTE))["partners"])

    for nobody in (Role.READER, Role.TECHNICIAN):
        assert (await explain(await client(nobody)))["partners"] is None


async def test_a_key_is_told_of_others_only_what_any_driver_sees(
    service: Service, clock: FrozenClock, admin: Client, booking: Client, client: NewClient
) -> None:
    await register(admin)
    await plan(admin, kind="MAINTENANCE", reason="secret")
    own = await plan(booking, kind="RESERVED", validTo=rfc3339(START + 2 * HOUR))
    await later(service, clock, MINUTE)
    await later(service, clock, MINUTE)
    for at in (None, START + MINUTE):
        found = await explain(booking, at)
        assert found["because"] == {
            "words": "a temporary status (MAINTENANCE)",
            "temporaryStatusId": None,
            "temporaryStatus": "MAINTENANCE",
            "actualStatus": None,
            "gate": None,
        }
        (one,) = found["temporaryStatuses"]
        assert (one["id"], one["verdict"], one["outrankedBy"]) == (own["id"], "outranked", None)
        assert one["words"] == "outranked by another one (MAINTENANCE)"
        assert (one["createdByName"], found["leftOut"]) == (None, 0)
    elsewhere = await client(Role.READER, rights=Rights(scope=Scope(operators=("DEXYZ",))))
    refusal(await elsewhere.get(EXPLANATION), 404)


async def test_notes_name_none_that_the_key_may_not_see(
    service: Service, clock: FrozenClock, admin: Client, booking: Client
) -> None:
    await register(admin)
    until = rfc3339(START + 2 * HOUR)
    first = await plan(admin, kind="MAINTENANCE", validTo=until)
    await later(service, clock, MINUTE)
    await plan(admin, kind="MAINTENANCE", validTo=until)
    (await admin.delete(f"{STATUSES}/{first['id']}")).raise_for_status()
    await later(service, clock, MINUTE)
    await later(service, clock, MINUTE)
    at = START + 2 * MINUTE + MINUTE / 2
    assert f"names temporary status {first['id']}" in (await explain(admin, at))["notes"][0]
    assert (await explain(booking, at))["notes"] == []


@pytest.mark.parametrize(
    ("state", "status", "gate"), [("STOCK", None, "WITHHELD"), ("DEPRECATED", "REMOVED", "REMOVED")]
)
async def test_the_gate_stands_in_front_today_and_in_the_record(
    service: Service, clock: FrozenClock, admin: Client, state: str, status: str | None, gate: str
) -> None:
    await register(admin)
    await plan(admin)
    await service.reconciler.pass_once()
    await register(admin, deploymentState=state)
    await later(service, clock, MINUTE)
    clock.advance(MINUTE)
    for at in (None, START + MINUTE):
        found = await explain(admin, at)
        assert (shown(found)[0], found["because"]["gate"]) == (status, gate)
        assert [one["verdict"] for one in found["temporaryStatuses"]] == ["gate"]
