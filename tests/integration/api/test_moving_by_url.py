"""An export and an import over the API, in calls for many."""

import io
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import IntegrityError

from app.cli import importing, importing_at_url, moving_file
from app.cli.calling import Calling
from app.cli.exporting import of_api, write
from app.cli.importing_at_url import AtUrl
from app.domain.status import ActualStatus, DeploymentState
from app.service import Service
from app.store.tables import metadata
from tests.builders import HOUR, plan, register, report, stored
from tests.clock import START, FrozenClock
from tests.integration.api.calls import Client
from tests.integration.moving import counted, exported, fill


async def taken_in(file: io.BytesIO, admin: Client, *, dry_run: bool = False) -> dict[str, dict[str, int]]:
    file.seek(0)
    importing.checked(file)
    with AtUrl(Calling(admin), START, dry_run=dry_run) as target:
        await target.look_around()
        return counted(await importing.take_in(file, target))


async def emptied(service: Service) -> None:
    for attempt in range(20):
        try:
            async with service.database.write() as connection:
                for table in ("delivery", "presented_change", "presented", "temporary_status", "evse"):
                    await connection.execute(metadata.tables[table].delete())
        except IntegrityError:  # PostgreSQL: what the service wrote of an EVSE between two of them
            assert attempt < 19
        else:
            return


def said(row: dict[str, Any]) -> tuple[Any, ...]:
    begun = row["valid_from"] <= START
    return row["kind"], None if begun else row["valid_from"], row["valid_to"], row["applies_when"], row["reason"]


async def test_what_the_api_tells_is_taken_in_by_it_once(
    service: Service, admin: Client, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_TOGETHER", 17)
    monkeypatch.setattr(importing_at_url, "MOST_ITEMS", 5)
    await fill(service.database, 40, seed=3)
    file = await exported(service.database, clock)
    evses = {row["id"]: row for row in await stored(service.database, "evse")}
    carried = {key for key, one in evses.items() if one["evse_id"] and one["deployment_state"] != "DEPRECATED"}
    rows = [one for one in await stored(service.database, "temporary_status") if one["evse"] in carried]
    expected = Counter(
        (evses[one["evse"]]["evse_id"], *said(one))
        for one in rows
        if one["ended_at"] is None and (one["valid_to"] is None or one["valid_to"] > START)
    )
    await emptied(service)

    would = await taken_in(file, admin, dry_run=True)
    assert await stored(service.database, "evse") == []
    done = await taken_in(file, admin)
    assert done == would
    assert done["evses"] == {"created": len(carried), "leftOut": len(evses) - len(carried)}

    now = {row["id"]: row for row in await stored(service.database, "evse")}
    moved = await stored(service.database, "temporary_status")
    assert Counter((now[one["evse"]]["evse_id"], *said(one)) for one in moved) == expected
    fields = ("deployment_state", "location", "actual_status", "reported_status", "observed_at")
    assert {row["uid"]: [row[one] for one in fields] for row in now.values()} == {
        evses[key]["uid"]: [evses[key][one] for one in fields] for key in carried
    }

    again = await taken_in(file, admin)
    assert again["temporaryStatuses"] == {"known": expected.total(), **_left_out(done)}
    assert await stored(service.database, "temporary_status") == moved


def _left_out(done: dict[str, dict[str, int]]) -> dict[str, int]:
    return {word: count for word, count in done["temporaryStatuses"].items() if word == "leftOut"}


async def test_what_the_api_exports_can_be_read(service: Service, admin: Client) -> None:
    await register(service.writer, deployment=DeploymentState.STOCK, location="LOC1")
    await report(service.writer, "Charging", observed_at=START - HOUR)
    made = await plan(service.writer, valid_from=START + HOUR, reason="x")
    out = io.BytesIO()
    header = moving_file.Header(moving_file.FORMAT, 1, "", "test", "api")
    counts = await write(out, header, of_api(Calling(admin)))
    assert (counts.evses, counts.temporary_statuses) == (1, 1)
    out.seek(0)
    moving_file.read_header(out)
    (_, evse), (_, temporary) = moving_file.records(out)
    assert isinstance(evse, moving_file.EvseLine)
    assert isinstance(temporary, moving_file.TemporaryStatusLine)
    assert (evse.deployment_state, evse.location_id) == (DeploymentState.STOCK, "LOC1")
    assert (evse.actual_status, evse.reported) == (ActualStatus.CHARGING, "Charging")
    assert (temporary.id, temporary.created_by, temporary.reason) == (made.id, made.created_by, "x")


async def test_what_the_api_refuses_is_told_and_the_rest_goes_on(
    service: Service, admin: Client, clock: FrozenClock
) -> None:
    for evse_id in ("DE*ABC*E1", "DE*ABC*E2"):
        await register(service.writer, evse_id)
        await plan(service.writer, evse_id, valid_from=START + HOUR)
    file = await exported(service.database, clock)
    await emptied(service)
    await register(service.writer, "DE*ABC*E1", uid="theirs")
    once = {"refused": 1, "created": 1}
    assert await taken_in(file, admin) == {"locations": {}, "evses": once, "temporaryStatuses": once}


async def test_many_are_planned_in_few_calls(service: Service, admin: Client, clock: FrozenClock) -> None:
    await register(service.writer)
    for hours in range(1, 61):
        await plan(service.writer, valid_from=START + hours * HOUR, valid_to=START + (hours + 1) * HOUR)
    file = await exported(service.database, clock)
    await emptied(service)
    asked: Counter[str] = Counter()

    async def note(request: httpx.Request) -> None:
        asked[request.method] += 1

    admin.event_hooks["request"] = [note]
    assert (await taken_in(file, admin))["temporaryStatuses"] == {"created": 60}
    assert asked == {"GET": 1, "PUT": 1, "POST": 1}


async def test_another_spelling_of_an_evse_id_is_not_planned_twice(
    service: Service, admin: Client, clock: FrozenClock
) -> None:
    known = await register(service.writer, "DE*ABC*E1")
    await plan(service.writer, "DE*ABC*E1", valid_from=START + HOUR)
    file = await exported(service.database, clock)
    await emptied(service)
    await register(service.writer, "DEABCE1", uid=known.uid)
    assert (await taken_in(file, admin))["temporaryStatuses"] == {"created": 1}
    assert (await taken_in(file, admin))["temporaryStatuses"] == {"known": 1}


async def test_what_begins_while_the_list_is_read_is_not_planned_twice(
    service: Service, admin: Client, clock: FrozenClock
) -> None:
    await register(service.writer)
    await plan(service.writer, valid_from=START + HOUR)
    file = await exported(service.database, clock)
    # It begins between the look at the time and the page of the list that has it.
    clock.advance(HOUR)
    assert (await taken_in(file, admin))["temporaryStatuses"] == {"known": 1}


async def test_what_is_over_is_so_by_the_clock_over_there(
    service: Service, admin: Client, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(service.writer)
    await plan(service.writer, valid_from=START + HOUR, valid_to=START + 2 * HOUR)  # over by this machine's clock
    file = await exported(service.database, clock)
    await emptied(service)

    @asynccontextmanager
    async def over_there(*_: object) -> AsyncGenerator[Calling]:
        yield Calling(admin, clock)

    monkeypatch.setattr(importing, "calling", over_there)
    async with importing._target("https://x", "k", dry_run=False) as target:
        assert counted(await importing.take_in(file, target))["temporaryStatuses"] == {"created": 1}
