"""The channel against a strict simulated Hubject on a real socket."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from app.channels.oicp.connection import OicpConnection
from app.channels.oicp.mapping import ACTUAL, KIND
from app.channels.oicp.simulator import Hub, Trouble
from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.demo.listening import free_port
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind
from tests.contract.oicp.conftest import Door
from tests.contract.oicp.samples import EVSE_ID, notice, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def connection(door: Door, hub: Hub) -> AsyncGenerator[OicpConnection]:
    async with opened(door.base_url, seconds=5.0) as connection:
        yield connection


async def until_inserting(hub: Hub) -> None:
    """Wait until the `insert` has arrived; the hub's delay leaves time to change its mind about it."""
    async with asyncio.timeout(5):
        while actions(hub) != ["update", "insert"]:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.005)


async def push(connection: OicpConnection, what: What, evse_id: str | None = EVSE_ID) -> Outcome:
    return await connection.deliver(connection.translate(notice(what, evse_id)))


def actions(hub: Hub) -> list[str]:
    return [one.action for one in hub.received]


async def test_every_row_of_both_tables_is_shown_at_hubject(hub: Hub, connection: OicpConnection) -> None:
    rows: list[tuple[What, str]] = [*KIND.items(), *ACTUAL.items()]
    assert len(rows) == len(Kind) + len(ActualStatus)
    for what, word in rows:
        outcome = await push(connection, what)

        assert isinstance(outcome, Delivered), outcome
        assert hub.shown == {EVSE_ID: word}
    assert hub.wrong == []


async def test_a_partner_can_be_shown_something_else(door: Door, hub: Hub) -> None:
    mapping = {"BLOCKED": "OutOfService", "actual.BLOCKED": "Unknown"}
    async with opened(door.base_url, mapping=mapping) as connection:
        await push(connection, Kind.BLOCKED)
        assert hub.shown == {EVSE_ID: "OutOfService"}
        await push(connection, ActualStatus.BLOCKED)
        assert hub.shown == {EVSE_ID: "Unknown"}
        await push(connection, Kind.RESERVED)
        assert hub.shown == {EVSE_ID: "Reserved"}


async def test_an_evse_of_a_sub_operator_is_pushed_under_the_hub_operator(hub: Hub, connection: OicpConnection) -> None:
    assert isinstance(await push(connection, Kind.BLOCKED, "DE*SUB*E1"), Delivered)
    assert hub.shown == {"DE*SUB*E1": "Occupied"}


@pytest.mark.parametrize("gate", list(Gate))
async def test_what_is_no_longer_shared_is_deleted(hub: Hub, connection: OicpConnection, gate: Gate) -> None:
    await push(connection, ActualStatus.AVAILABLE)

    assert isinstance(await push(connection, gate), Delivered)
    assert hub.shown == {}
    assert actions(hub) == ["update", "delete"]


async def test_an_update_without_a_record_is_followed_by_one_insert(hub: Hub, connection: OicpConnection) -> None:
    hub.strict_update = True

    outcome = await push(connection, Kind.MAINTENANCE)

    assert isinstance(outcome, Delivered)
    assert outcome.detail.endswith(f"Process-ID {outcome.reference}")
    assert actions(hub) == ["update", "insert"]
    assert hub.shown == {EVSE_ID: "OutOfService"}
    await push(connection, ActualStatus.AVAILABLE)
    assert actions(hub) == ["update", "insert", "update"]
    assert hub.wrong == []


async def test_the_outcome_of_the_insert_counts(hub: Hub, connection: OicpConnection) -> None:
    hub.strict_update = True
    hub.delay = 0.2
    pushing = asyncio.create_task(push(connection, Kind.MAINTENANCE))
    await until_inserting(hub)
    hub.fault = "500"

    assert isinstance(await pushing, Unknown)
    assert actions(hub) == ["update", "insert"]


async def test_an_update_refused_for_another_reason_is_not_followed_by_an_insert(
    hub: Hub, connection: OicpConnection
) -> None:
    hub.known = set()

    outcome = await push(connection, Kind.MAINTENANCE)

    assert isinstance(outcome, Rejected)
    assert outcome.retry_slowly
    assert EVSE_ID in outcome.reason
    assert actions(hub) == ["update"]


async def test_an_insert_that_is_refused_too_tells_both_reasons(hub: Hub, connection: OicpConnection) -> None:
    hub.strict_update = True
    hub.delay = 0.2
    pushing = asyncio.create_task(push(connection, Kind.MAINTENANCE))
    await until_inserting(hub)
    hub.shown[EVSE_ID] = "Available"

    outcome = await pushing

    assert isinstance(outcome, Rejected)
    assert "does not exist" in outcome.reason
    assert "already exists" in outcome.reason
    insert, _ = outcome.reason.split("; update before it: ")
    assert insert.endswith(f"Process-ID {outcome.reference}"), "Hubject's number of the last request"
    assert actions(hub) == ["update", "insert"]


@pytest.mark.parametrize("known", [None, set[str]()])
async def test_deleting_what_is_not_there_is_delivered(
    hub: Hub, connection: OicpConnection, known: set[str] | None
) -> None:
    hub.strict_update = True
    hub.known = known

    outcome = await push(connection, Gate.REMOVED)

    assert isinstance(outcome, Delivered)
    assert outcome.detail.endswith(f"Process-ID {outcome.reference}")
    assert actions(hub) == ["delete"]


@pytest.mark.parametrize(
    ("trouble", "meant", "applied"),
    [
        ("500", Unknown, False),
        ("429", NotSent, False),
        ("garbage", Unknown, False),
        ("017", Refused, False),
        ("cut", Unknown, True),
        ("slow", Unknown, True),
    ],
)
async def test_trouble_is_told_for_what_it_is(
    door: Door, hub: Hub, connection: OicpConnection, trouble: Trouble, meant: type, applied: bool
) -> None:
    hub.fault = trouble

    async with opened(door.base_url, seconds=0.5) as impatient:
        assert isinstance(await push(impatient, Kind.BLOCKED), meant)
    assert (EVSE_ID in hub.shown) == applied
    assert actions(hub) == ["update"]

    hub.fault = None
    assert isinstance(await push(connection, ActualStatus.AVAILABLE), Delivered)
    assert hub.shown == {EVSE_ID: "Available"}
    assert hub.wrong == []


async def test_nobody_listening_means_not_sent() -> None:
    async with opened(f"http://127.0.0.1:{free_port()}") as connection:
        assert isinstance(await push(connection, Kind.BLOCKED), NotSent)


async def test_two_pushes_side_by_side_are_held_against_us_and_never_called_delivered(
    hub: Hub, connection: OicpConnection
) -> None:
    hub.delay = 0.2

    outcomes = await asyncio.gather(
        push(connection, Kind.BLOCKED), push(connection, Gate.REMOVED, "DE*ABC*E2"), return_exceptions=True
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["Delivered", "NotSent"]
    assert len(hub.wrong) == 1
    assert "under way" in hub.wrong[0]
    assert len(hub.received) == 1


async def test_requests_follow_each_other_no_faster_than_the_partners_rate(door: Door, hub: Hub) -> None:
    hub.strict_update = True  # so that the first one takes two requests
    async with opened(door.base_url, requestsPerMinute=600) as connection:
        began = time.monotonic()
        for _ in range(4):
            assert isinstance(await push(connection, Kind.BLOCKED), Delivered)
        took = time.monotonic() - began

    assert len(hub.pushed) == 5
    assert took >= 4 * 0.1


async def test_a_partner_may_have_a_timeout_of_its_own(door: Door, hub: Hub) -> None:
    hub.delay = 5.0
    async with opened(door.base_url, seconds=60.0, timeoutSeconds=1) as connection:
        outcome = await push(connection, Kind.BLOCKED)

    assert isinstance(outcome, Unknown)
    assert outcome.reason == "no answer within 1 s"
