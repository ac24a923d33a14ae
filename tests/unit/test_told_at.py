"""At which address a partner may have an EVSE, after each outcome: what has to be removed once it moves."""

import msgspec
import pytest

from app.channels.outcomes import Apart, Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.domain.delivery import LEFT
from app.schedule.decisions import Told, after_outcome
from tests.contract.ocpi.given import an_evse
from tests.integration.scripted_channel import LIMITS
from tests.unit.test_delivery_decisions import AT, SECOND, after, claim_of, row

HERE, THERE = "DE/ABC/L2/7", "DE/ABC/L1/7"
YES = Delivered("ok")
LOST = Unknown("no answer within 10 s")
SAID = Told(3, "BUSY", HERE)


@pytest.mark.parametrize("before", [None, LEFT, THERE, HERE])
def test_what_was_delivered_is_where_it_was_said(before: str | None) -> None:
    assert after(claim_of(row(told_at=before)), YES, AT, SAID).told_at == HERE


def test_what_was_not_sent_as_the_partner_knew_it_is_where_it_was() -> None:
    known = row(acked_digest="BUSY", told_at=THERE)
    assert after(claim_of(known), YES, AT, SAID).told_at == THERE


@pytest.mark.parametrize(
    ("before", "then"), [(None, HERE), (LEFT, HERE), (HERE, HERE), (THERE, THERE)], ids=["new", "left", "same", "moved"]
)
def test_what_may_have_been_delivered_may_be_there_unless_it_was_still_to_be_removed_elsewhere(
    before: str | None, then: str
) -> None:
    assert after(claim_of(row(told_at=before)), LOST, AT, SAID).told_at == then


@pytest.mark.parametrize(
    "outcome",
    [Rejected("no"), Refused("the key is wrong"), NotSent("could not connect"), Apart("later")],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("before", [None, LEFT, THERE])
def test_what_was_not_delivered_is_where_it_was(outcome: Outcome, before: str | None) -> None:
    assert after(claim_of(row(told_at=before)), outcome, AT, SAID).told_at == before


@pytest.mark.parametrize("outcome", [YES, LOST], ids=lambda one: type(one).__name__)
def test_it_is_there_also_where_it_moved_on_while_that_was_being_said(outcome: Outcome) -> None:
    new = after(claim_of(row()), outcome, AT, SAID, acked_digest=None)
    assert (new.acked, new.told_at) == (2, HERE), "it acknowledges nothing"


@pytest.mark.parametrize(("left", "suspect"), [(THERE, True), (None, False)])
def test_a_late_owner_that_removed_it_may_have_done_so_after_it_came_back(left: str | None, suspect: bool) -> None:
    mine = claim_of(row(told_at=THERE), token="mine")
    theirs = msgspec.structs.replace(mine.delivery, token="theirs", in_flight=True)
    new = after_outcome(theirs, mine, SAID, Apart("first it is gone", left=left), AT + 9 * SECOND, LIMITS)
    assert (new is not None and new.suspect) is suspect


@pytest.mark.parametrize(
    ("different", "address"),
    [
        ({}, "DE/XPO/XPO-LARKENAU/1001-1"),
        ({"location": "a/b ä"}, "DE/XPO/a%2Fb%20%C3%A4/1001-1"),
        ({"location": None}, None),
        ({"location": ".."}, None),
    ],
)
def test_an_address_is_what_a_url_can_hold(different: dict[str, str | None], address: str | None) -> None:
    assert an_evse(**different).address == address
