"""The simulated Hubject makes the trouble that it is told to make, and nobody is blamed for it."""

import asyncio
import contextlib
from typing import Literal, get_args

import pytest

from app.channels.faults import Faults
from app.channels.oicp.simulator import Behaviour, Hub, Trouble
from app.channels.outcomes import Unknown
from app.channels.transport import LARGEST_ANSWER
from tests.contract.oicp.pushing import SECOND, Client, body
from tests.contract.oicp.samples import EVSE_ID

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWERED: list[tuple[Trouble, int, bytes, bool]] = [
    ("500", 500, b'"Code":"001"', False),
    ("009", 200, b'"Code":"009"', False),
    ("busy", 200, b"The push of data is already in progress.", False),
    ("017", 401, b'"Code":"017"', False),
    ("210", 403, b'"Code":"210"', False),
    ("300", 404, b'"Code":"300"', False),
    ("429", 429, b"<html>", False),
    ("403", 403, b"<html>", False),
    ("502", 502, b"<html>", False),
    ("certificate", 400, b"400 The SSL certificate error", False),
    ("garbage", 200, b"<html>", False),
    ("huge", 200, b"xxxxxxxx", True),
    ("slow", 200, b'"Code":"000"', True),
    ("late-504", 504, b"<html>", False),
]
LOST: list[tuple[Trouble, bool]] = [("cut", True), ("late", False)]


async def until_pending(hub: Hub, pushes: int) -> None:
    async with asyncio.timeout(30):
        while hub.pending != pushes:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("trouble", "status", "said", "applied"), ANSWERED)
async def test_each_trouble_is_answered_as_it_was_seen(
    hub: Hub, client: Client, trouble: Trouble, status: int, said: bytes, applied: bool
) -> None:
    hub.fault, hub.slow_by, hub.late_by = trouble, 0.05, 60

    answer = await client.send(body())

    assert answer.status == status
    assert said in answer.body
    assert ("process-id" in answer.headers) == answer.is_json
    assert (EVSE_ID in hub.shown) == applied
    assert len(hub.received) == 1
    assert hub.wrong == []
    hub.apply_pending()


@pytest.mark.parametrize(("trouble", "applied"), LOST)
async def test_an_answer_can_be_lost(hub: Hub, client: Client, trouble: Trouble, applied: bool) -> None:
    hub.fault, hub.late_by = trouble, 60

    sent = await client.try_sending(body())

    assert isinstance(sent, Unknown)
    assert (EVSE_ID in hub.shown) == applied
    hub.apply_pending()
    assert hub.shown == {EVSE_ID: "Available"}
    assert hub.wrong == []


async def test_every_trouble_was_seen_here() -> None:
    seen = {one for one, *_ in ANSWERED} | {one for one, _ in LOST} | {"late-silent"}
    assert seen == set(get_args(Trouble))


async def test_a_huge_answer_is_more_than_anybody_should_read(hub: Hub, client: Client) -> None:
    hub.fault = "huge"
    assert len((await client.send(body())).body) == LARGEST_ANSWER


@pytest.mark.parametrize("retry_after", [None, 3])
async def test_too_many_requests_may_say_when_to_come_back(hub: Hub, client: Client, retry_after: int | None) -> None:
    hub.behaviour = Behaviour(retry_after=retry_after)
    hub.fault = "429"
    assert (await client.send(body())).headers.get("retry-after") == (None if retry_after is None else "3")


@pytest.mark.parametrize("trouble", ["late", "late-504"])
async def test_a_late_push_overwrites_a_newer_one(hub: Hub, client: Client, trouble: Trouble) -> None:
    hub.late_by = 60
    hub.faults.script(trouble)
    await client.try_sending(body())
    assert hub.pending == 1
    assert await client.code(body(status="Occupied")) == "000"
    assert hub.shown == {EVSE_ID: "Occupied"}

    hub.apply_pending()

    assert hub.pending == 0
    assert hub.shown == {EVSE_ID: "Available"}
    assert hub.wrong == []


async def test_a_late_push_is_applied_after_a_while(hub: Hub, client: Client) -> None:
    hub.late_by = 0.1
    hub.faults.script("late-504", "late-504")
    await client.send(body())
    await client.send(body(status="Occupied"))

    await until_pending(hub, 0)
    assert hub.shown == {EVSE_ID: "Occupied"}


async def test_a_client_that_gives_up_waiting_is_overtaken_too(hub: Hub, client: Client) -> None:
    hub.late_by = 60
    hub.faults.script("late-silent")
    impatient = asyncio.create_task(client.try_sending(body()))
    await until_pending(hub, 1)
    impatient.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await impatient
    async with asyncio.timeout(30):
        while await client.code(body(status="Occupied")) == "009":  # until its going away was noticed
            hub.wrong.clear()
    assert hub.shown == {EVSE_ID: "Occupied"}

    hub.apply_pending()

    assert hub.shown == {EVSE_ID: "Available"}
    assert hub.wrong == []


async def test_a_patient_client_gets_its_late_answer(hub: Hub, client: Client) -> None:
    hub.late_by = 0.1
    hub.fault = "late-silent"
    assert await client.code(body()) == "000"
    assert hub.shown == {EVSE_ID: "Available"}


async def test_what_has_become_impossible_meanwhile_is_not_applied(hub: Hub, client: Client) -> None:
    hub.strict_update = True
    hub.late_by = 60
    await client.code(body("insert"))
    hub.faults.script("late-504")
    await client.send(body("update", "Occupied"))
    assert await client.code(body("delete")) == "000"

    hub.apply_pending()

    assert hub.pending == 0
    assert hub.shown == {}


@pytest.mark.parametrize(("parallel", "code"), [("refused", "009"), ("unnoticed", "000")])
async def test_a_parallel_push_is_refused_or_goes_unnoticed_and_is_wrong_all_the_same(
    hub: Hub, client: Client, parallel: Literal["refused", "unnoticed"], code: str
) -> None:
    hub.behaviour = Behaviour(parallel=parallel)
    hub.late_by = 60
    hub.faults.script("late-silent")
    first = asyncio.create_task(client.code(body()))
    await until_pending(hub, 1)

    second = await client.code(body(ids=(SECOND,)))
    assert second == code
    hub.apply_pending()

    assert await first == "000"
    assert hub.wrong == ["a push of DE*ABC while another one is under way"]
    assert (SECOND in hub.shown) == (code == "000")
    assert await client.code(body()) == "000"
    assert len(hub.wrong) == 1


async def test_trouble_for_the_next_pushes_only(hub: Hub, client: Client) -> None:
    hub.faults.script("500", None, "502")
    statuses = [(await client.send(body())).status for _ in range(5)]
    assert statuses == [500, 200, 502, 200, 200]


async def test_a_push_that_is_refused_on_its_own_account_uses_up_no_trouble(hub: Hub, client: Client) -> None:
    hub.faults.script("502")
    assert (await client.send(b"{")).status == 400
    assert (await client.send(body())).status == 502


async def test_drawn_trouble_is_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[Trouble | None]:
        faults = Faults[Trouble]()
        faults.draw({"500": 1, "cut": 1, None: 2}, seed)
        return [faults.next() for _ in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert set(drawn(1)) == {"500", "cut", None}
    assert 60 < drawn(1).count(None) < 140


async def test_what_is_scripted_comes_before_what_is_always_so_and_that_before_what_is_drawn() -> None:
    faults = Faults[Trouble]()
    faults.draw({"500": 1}, seed=1)
    assert faults.next() == "500"
    faults.always = "502"
    assert faults.next() == "502"
    faults.script(None, "cut")
    assert [faults.next() for _ in range(3)] == [None, "cut", "502"]
    faults.script("cut")
    faults.peace()
    assert faults.next() is None
