"""What is asked of a partner that has an EVSE at another address than its own."""

from typing import Any

import pytest

from app.channels.ocpi.partner_release import RELEASES
from app.channels.outcomes import Apart, Delivered, NotSent, Outcome, Rejected, Unknown
from app.demo.listening import listening
from app.domain.delivery import LEFT, Aspect, Known
from app.domain.presentation import Gate
from tests.contract.ocpi.given import Recorder, connected
from tests.contract.ocpi.test_whole_evses import EVSE_PATH, FAILS, LACKS, PLANNED, REJECTS, imported, say

OLD = "DE/XPO/L%2F1/old%20one"
LACKED = (404, 2000)
LATER = (429, 2000)
MOVED = Known(told_at=OLD)
GONE = Known(told_at=LEFT)


@pytest.mark.parametrize("version", RELEASES)
async def test_first_it_is_removed_where_it_was_and_the_rest_is_said_apart(version: str) -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/l", version=version, uidInPatch=True) as connection:
        (outcome,) = await say(connection, imported(known=MOVED))
    assert isinstance(outcome, Apart)
    assert outcome.left == OLD
    assert server.said == [("PATCH", f"/l/{OLD}")]
    assert server.bodies() == [{"uid": "old one", "status": "REMOVED", "last_updated": "2026-11-21T08:30:01.000Z"}]


async def test_it_was_another_partys_then_and_that_one_says_so() -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/l") as connection:
        await say(connection, imported(known=Known(told_at="NL/ABC/1/2")))
    headers = dict(server.requests[0]["headers"])
    assert (headers["ocpi-from-country-code"], headers["ocpi-from-party-id"]) == ("NL", "ABC")
    assert "uid" not in server.bodies()[0]


@pytest.mark.parametrize("lacks", [LACKS, LACKED])
async def test_a_partner_that_lacks_it_where_it_was_needs_no_more(lacks: tuple[int, int]) -> None:
    server = Recorder()
    server.first = [lacks]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        (outcome,) = await say(connection, imported(known=MOVED))
    assert isinstance(outcome, Apart)
    assert outcome.left == OLD


@pytest.mark.parametrize(
    ("answer", "comes_to"), [(FAILS, Unknown), (REJECTS, Rejected), (LATER, NotSent)], ids=["500", "2001", "429"]
)
async def test_until_it_is_removed_where_it_was_nothing_else_is_said(
    answer: tuple[int, int], comes_to: type[Outcome]
) -> None:
    server = Recorder()
    server.first = [answer]
    async with listening(server) as base, connected(f"{base}/l") as connection:
        (outcome,) = await say(connection, imported(known=MOVED))
    assert isinstance(outcome, comes_to)
    assert len(server.requests) == 1


async def test_what_is_gone_from_where_it_was_is_given_whole_where_it_is() -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/l", schedule=True) as connection:
        await say(connection, imported(known=GONE))
        await say(connection, imported(known=GONE, announced=PLANNED, aspect=Aspect.SCHEDULE))
        await say(connection, imported(Gate.REMOVED, known=GONE))
        await say(connection, imported(known=GONE, ocpi_object=None))
    assert server.said == [("PUT", EVSE_PATH), ("PUT", EVSE_PATH), ("PATCH", EVSE_PATH), ("PATCH", EVSE_PATH)]


async def test_what_stands_where_the_partner_has_it_is_patched() -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/l") as connection:
        notice: Any = imported()
        outcomes = await say(connection, imported(known=Known(told_at=notice.evse.address)))
    assert server.said == [("PATCH", EVSE_PATH)]
    assert isinstance(outcomes[0], Delivered)
