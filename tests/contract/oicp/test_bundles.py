"""Several records in one push, and all of them at once, against a strict simulated Hubject on a real socket."""

from collections.abc import AsyncGenerator, Mapping

import pytest
import pytest_asyncio

from app.channels.channel import Message
from app.channels.oicp.bundle import named
from app.channels.oicp.connection import OicpConnection
from app.channels.oicp.simulator import Hub, Trouble
from app.channels.oicp.wire import EvseStatus, EvseStatusRecord
from app.channels.outcomes import Apart, Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind
from tests.contract.oicp.conftest import Door
from tests.contract.oicp.samples import notice, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE, TWO, THREE = "DE*ABC*E1", "DE*ABC*E2", "+49*810*000*3"


@pytest_asyncio.fixture(loop_scope="module")
async def connection(door: Door, hub: Hub) -> AsyncGenerator[OicpConnection]:
    hub.operators = {"DE*ABC": ["DE*SUB", "+49*810"]}
    async with opened(door.base_url) as connection:
        yield connection


def said(connection: OicpConnection, whats: Mapping[str, What]) -> list[Message]:
    return [connection.translate(notice(what, evse_id)) for evse_id, what in whats.items()]


async def push(connection: OicpConnection, whats: Mapping[str, What]) -> list[Outcome]:
    return await connection.deliver_together(said(connection, whats))


def kinds(outcomes: list[Outcome]) -> list[type[Outcome]]:
    return [type(one) for one in outcomes]


def pushes(hub: Hub) -> list[str]:
    """The actions, one for each request; all records of a request arrive at one time."""
    return [action for action, _ in dict.fromkeys((one.action, one.at) for one in hub.received)]


async def test_several_go_in_one_request(hub: Hub, connection: OicpConnection) -> None:
    outcomes = await push(connection, {ONE: Kind.BLOCKED, TWO: ActualStatus.AVAILABLE, THREE: Kind.RESERVED})

    assert kinds(outcomes) == [Delivered, Delivered, Delivered]
    assert hub.shown == {ONE: "Occupied", TWO: "Available", THREE: "Reserved"}
    assert pushes(hub) == ["update"]
    assert hub.wrong == []


async def test_an_evse_that_hubject_does_not_know_is_rejected_and_the_others_are_not(
    hub: Hub, connection: OicpConnection
) -> None:
    hub.known = {ONE, THREE}

    outcomes = await push(connection, {ONE: Kind.BLOCKED, TWO: Kind.BLOCKED, THREE: Kind.BLOCKED})

    assert kinds(outcomes) == [Apart, Rejected, Apart]
    assert hub.shown == {}
    rejected = outcomes[1]
    assert isinstance(rejected, Rejected)
    assert rejected.retry_slowly


async def test_where_hubject_does_not_say_for_which_it_refuses_all_are_apart(
    hub: Hub, connection: OicpConnection
) -> None:
    hub.known = {"DE*ABC*E9"}  # it names those that it misses, and here they are all of them
    assert kinds(await push(connection, {ONE: Kind.BLOCKED, TWO: Kind.BLOCKED})) == [Rejected, Rejected]
    hub.known = None
    hub.operators = {"DE*ABC": []}
    hub.strict_update = True
    await push(connection, {ONE: Kind.BLOCKED})
    assert set(hub.shown) == {ONE}
    # `insert` of one that exists says so of that one, which nothing follows from for the others.
    hub.shown[TWO] = "Available"
    outcomes = await connection._insert_together(
        [EvseStatusRecord(evse_id=one, evse_status=EvseStatus.UNKNOWN) for one in (ONE, "DE*ABC*E5")], set()
    )
    assert kinds(outcomes) == [Apart, Apart]


async def test_those_without_a_record_are_inserted_and_the_others_updated_after_them(
    hub: Hub, connection: OicpConnection
) -> None:
    hub.strict_update = True
    hub.shown[TWO] = "Available"

    outcomes = await push(connection, {ONE: Kind.BLOCKED, TWO: Kind.BLOCKED, THREE: Kind.BLOCKED})

    assert kinds(outcomes) == [Delivered, Apart, Delivered]
    assert pushes(hub) == ["update", "insert"]
    assert kinds(await push(connection, {ONE: Kind.RESERVED, TWO: Kind.RESERVED})) == [Delivered, Delivered]


async def test_what_is_gone_goes_in_a_request_of_its_own(hub: Hub, connection: OicpConnection) -> None:
    await push(connection, {ONE: Kind.BLOCKED, TWO: Kind.BLOCKED, THREE: Kind.BLOCKED})

    outcomes = await push(connection, {ONE: Gate.REMOVED, TWO: Kind.RESERVED, THREE: Gate.WITHHELD})

    assert kinds(outcomes) == [Delivered, Apart, Delivered]
    assert hub.shown == {TWO: "Occupied"}


async def test_nothing_left_to_delete_is_delivered_whoever_else_was_to_be_deleted(
    hub: Hub, connection: OicpConnection
) -> None:
    hub.strict_update = True
    await connection.deliver_together(said(connection, {ONE: Kind.BLOCKED}))

    assert kinds(await push(connection, {ONE: Gate.REMOVED, TWO: Gate.REMOVED})) == [Apart, Delivered]


async def test_one_evse_never_stands_twice_in_a_request(hub: Hub, connection: OicpConnection) -> None:
    twice = [
        *said(connection, {ONE: Kind.BLOCKED}),
        *said(connection, {ONE: Kind.RESERVED}),
        # The same without its separators, as Hubject may read it.
        *said(connection, {"DEABCE1": Kind.RESERVED}),
    ]

    assert kinds(await connection.deliver_together(twice)) == [Delivered, Apart, Apart]
    assert hub.wrong == []


async def test_what_cannot_be_said_spoils_nothing(hub: Hub, connection: OicpConnection) -> None:
    messages = [connection.translate(notice(Kind.BLOCKED, None)), *said(connection, {ONE: Kind.BLOCKED})]

    assert kinds(await connection.deliver_together(messages)) == [Rejected, Delivered]
    assert kinds(await connection.deliver_together(messages[:1])) == [Rejected]
    assert hub.shown == {ONE: "Occupied"}


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [("500", Unknown), ("cut", Unknown), ("429", NotSent), ("017", Refused), ("garbage", Unknown)],
)
async def test_what_becomes_of_the_request_becomes_of_all_in_it(
    hub: Hub, connection: OicpConnection, trouble: Trouble, outcome: type[Outcome]
) -> None:
    hub.fault = trouble

    assert kinds(await push(connection, {ONE: Kind.BLOCKED, TWO: Kind.BLOCKED})) == [outcome, outcome]


async def test_all_of_them_are_replaced_at_once(hub: Hub, connection: OicpConnection) -> None:
    await push(connection, {ONE: Kind.BLOCKED, TWO: Kind.BLOCKED})

    replaced = await connection.replace_all(said(connection, {TWO: ActualStatus.AVAILABLE, THREE: Kind.RESERVED}))

    assert isinstance(replaced.outcome, Delivered)
    assert hub.shown == {TWO: "Available", THREE: "Reserved"}
    assert pushes(hub) == ["update", "fullLoad"]
    assert isinstance((await connection.replace_all([])).outcome, Delivered)
    assert hub.shown == {}
    assert hub.wrong == []


async def test_a_full_load_that_is_refused_says_for_which(hub: Hub, connection: OicpConnection) -> None:
    hub.known = {ONE, THREE}

    replaced = await connection.replace_all(said(connection, dict.fromkeys((ONE, TWO, THREE), Kind.BLOCKED)))

    assert isinstance(replaced.outcome, Rejected)
    assert replaced.named == {1}


async def test_an_evse_id_that_is_cut_off_is_nobodys(hub: Hub, connection: OicpConnection) -> None:
    """AdditionalInfo has 1000 characters at the most, and what is left of the last EVSE ID may be another one's."""
    ids = [f"DE*ABC*E{number}" for number in range(10, 130)]
    hub.known = set(ids[:5])  # among them those that `DE*ABC*E10…` could be cut down to

    outcomes = await push(connection, dict.fromkeys(ids, Kind.BLOCKED))

    rejected = {one for one, outcome in zip(ids, outcomes, strict=True) if isinstance(outcome, Rejected)}
    assert 40 < len(rejected) < len(ids) - 5
    assert rejected.isdisjoint(hub.known)


@pytest.mark.parametrize(
    ("about", "places"),
    [
        ("EVSE data records missing for EvseIDs: DE*ABC*E2,+49*810*000*3", {1, 2}),
        ("EVSE data records missing for EvseIDs: DEABCE1", {0}),
        ("missing: de*abc*e1", {0}),
        ("operatorEvseStatus.evseStatusRecord[2].evseID", {2}),
        ("DE*ABC*E12 DE*ABC*E", set()),
        ("Duplicate EVSE IDs", set()),
        ("", set()),
    ],
)
async def test_hubject_names_evses_with_or_without_their_separators_or_by_their_place(
    about: str, places: set[int]
) -> None:
    records = [EvseStatusRecord(evse_id=one, evse_status=EvseStatus.AVAILABLE) for one in (ONE, TWO, THREE)]
    assert named(records, about) == places
