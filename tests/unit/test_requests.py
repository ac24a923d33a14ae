import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta

import pytest

from app.channels.outcomes import Delivered, NotSent, Outcome
from app.domain.delivery import Delivery
from app.schedule.claiming import Ready
from app.schedule.decisions import Claim, Told
from app.schedule.requests import Requests
from app.schedule.settling import Done
from app.schedule.telling import Teller
from app.store.deliveries import Attempt
from tests.clock import START, FrozenClock


class Said(Teller):
    """Says nothing to anybody: each request waits until it is answered."""

    def __init__(self) -> None:
        self.answers: dict[int, asyncio.Future[Outcome]] = {}

    async def say(self, ready: Sequence[Ready]) -> list[Done | Claim]:
        evse = ready[0].claim.delivery.evse
        self.answers[evse] = asyncio.get_running_loop().create_future()
        outcome = await self.answers[evse]
        attempt = Attempt(
            at=START, partner=1, evse=evse, aspect=ready[0].claim.delivery.aspect, version=1, said="", outcome="",
            answer="", took_ms=1,
        )  # fmt: skip
        return [Done(one.claim, Told(1, ""), outcome, attempt) for one in ready]

    async def answer(self, *evses: int, outcome: Outcome | None = None) -> None:
        for evse in evses:
            self.answers[evse].set_result(outcome or Delivered())
        for _ in range(5):
            await asyncio.sleep(0)


def ready(evse: int) -> Ready:
    delivery = Delivery(partner=1, evse=evse, want=1, shared_at=START, generation=1)
    return Ready(Claim(delivery, START), None, False, 0.0)  # type: ignore[arg-type]  # nobody looks at the notice


@pytest.fixture
def teller() -> Said:
    return Said()


@pytest.fixture
async def requests(teller: Said, clock: FrozenClock) -> AsyncGenerator[Requests]:
    made = Requests(teller, clock, 2, lambda: None)
    yield made
    for one in list(made.under_way):
        one.cancel()
    await asyncio.gather(*made.under_way, return_exceptions=True)


async def test_the_next_begins_as_soon_as_one_is_through_and_never_more_than_may(
    requests: Requests, teller: Said
) -> None:
    requests.make([[ready(evse)] for evse in (1, 2, 3, 4)])
    await asyncio.sleep(0)
    assert set(teller.answers) == {1, 2}
    await teller.answer(2)
    assert set(teller.answers) == {1, 2, 3}
    assert [one.key[1] for one in requests.through] == [2]
    assert requests.count == 3
    assert requests.busy == {1, 2, 3, 4}


async def test_after_a_failure_nothing_more_is_said_and_what_was_not_is_given_back(
    requests: Requests, teller: Said
) -> None:
    requests.make([[ready(evse)] for evse in (1, 2, 3, 4)])
    await asyncio.sleep(0)
    await teller.answer(1, outcome=NotSent("nobody there"))
    await teller.answer(2)
    assert set(teller.answers) == {1, 2}
    requests.take_back()
    assert [type(one) for one in requests.through] == [Done, Done, Claim, Claim]
    assert requests.count == 0
    requests.settled(list(requests.through))
    assert requests.busy == set()
    requests.make([[ready(5)]])
    await asyncio.sleep(0)
    assert 5 in teller.answers


async def test_what_waits_in_the_end_is_given_back(requests: Requests, teller: Said) -> None:
    requests.make([[ready(evse)] for evse in (1, 2, 3)])
    await asyncio.sleep(0)
    requests.closing = True
    await teller.answer(1, 2)
    assert set(teller.answers) == {1, 2}
    requests.take_back()
    assert [type(one) for one in requests.through] == [Done, Done, Claim]


async def test_what_has_waited_for_a_partner_that_became_slow_is_given_back(
    requests: Requests, teller: Said, clock: FrozenClock
) -> None:
    requests.make([[ready(evse)] for evse in (1, 2, 3, 4)])
    await asyncio.sleep(0)
    clock.advance(timedelta(seconds=8))
    await teller.answer(1, 2)
    assert set(teller.answers) == {1, 2}
    assert sorted((one.key[1], type(one)) for one in requests.through) == [(1, Done), (2, Done), (3, Claim), (4, Claim)]
    assert requests.count == 0


async def test_claims_ahead_are_for_partners_that_answer_quickly(
    requests: Requests, teller: Said, clock: FrozenClock
) -> None:
    assert requests.ahead == 0
    for evse in range(1, 30):
        requests.make([[ready(evse)]])
        await asyncio.sleep(0)
        await teller.answer(evse)
    assert requests.ahead == 64
    for evse in range(30, 60):
        requests.make([[ready(evse)]])
        await asyncio.sleep(0)
        clock.advance(timedelta(seconds=1))
        await teller.answer(evse)
    assert requests.ahead == 0
