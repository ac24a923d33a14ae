"""The decisions of delivery: what a claim and an outcome make of a delivery, and of the partner."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.domain.delivery import Delivery
from app.domain.partner import Partner
from app.schedule.decisions import (
    Claim,
    Limits,
    Told,
    after_outcome,
    claimed,
    is_held,
    needs_sending,
    put_back,
    standing_after,
)

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LIMITS = Limits(
    lease=35 * SECOND,
    settle=90 * SECOND,
    back_off_first=SECOND,
    back_off_longest=timedelta(minutes=5),
    retry_slowly=timedelta(hours=6),
)
NO = Rejected("unknown EVSE")
REFUSED = Refused("the key is wrong")
AWAY = NotSent("could not connect")
LOST = Unknown("no answer within 10 s")
YES = Delivered("ok")


def row(**different: Any) -> Delivery:
    """A delivery of version 3, due now, to a partner that acknowledged version 2."""
    usual: dict[str, Any] = {"want": 3, "acked": 2, "acked_digest": "FREE", "generation": 1, "next_at": AT}
    return Delivery(partner=1, evse=7, shared_at=AT, **(usual | different))


def claim_of(one: Delivery, at: datetime = AT, token: str = "t1") -> Claim:
    return Claim(claimed(one, token, at, LIMITS), at)


def told(version: int = 3, digest: str = "BUSY") -> Told:
    return Told(version, digest)


def after(claim: Claim, outcome: Outcome, at: datetime, said: Told | None = None, **meanwhile: Any) -> Delivery:
    """The row after `outcome`; `meanwhile` is what others changed of it while the request was under way."""
    in_store = msgspec.structs.replace(claim.delivery, **meanwhile)
    new = after_outcome(in_store, claim, said or told(), outcome, at, LIMITS)
    assert new is not None
    return new


# Claiming


def test_a_claim_owns_the_row_until_its_lease_ends_and_changes_nothing_else() -> None:
    assert claimed(row(), "t1", AT, LIMITS) == row(in_flight=True, token="t1", lease_until=AT + LIMITS.lease)


def test_what_was_never_acknowledged_is_not_empty_while_it_is_under_way_so_that_emptying_it_is_noticed() -> None:
    assert claimed(row(acked_digest=None), "t1", AT, LIMITS).acked_digest == ""
    assert needs_sending(claimed(row(acked_digest=None), "t1", AT, LIMITS), told())


def test_a_row_whose_owner_died_in_flight_is_suspect_from_its_next_claim_on() -> None:
    orphan = row(in_flight=True, token="dead", lease_until=AT - SECOND)
    new = claimed(orphan, "t2", AT, LIMITS)
    assert (new.suspect, new.confirm_at, new.token) == (True, None, "t2")


def test_an_owner_that_dies_while_confirming_starts_the_settling_over() -> None:
    orphan = row(in_flight=True, suspect=True, confirm_at=AT - SECOND)
    assert claimed(orphan, "t2", AT, LIMITS).confirm_at is None


def test_a_suspect_row_that_was_not_in_flight_keeps_when_it_settles() -> None:
    waiting = row(suspect=True, confirm_at=AT)
    new = claimed(waiting, "t2", AT, LIMITS)
    assert (new.suspect, new.confirm_at) == (True, AT)


def test_a_claim_put_back_leaves_the_row_as_it_was_due_at_the_time_given() -> None:
    claim = claim_of(row())
    assert put_back(claim.delivery, claim, AT + SECOND) == row(next_at=AT + SECOND)


def test_a_claim_put_back_does_not_forget_that_an_earlier_owner_died() -> None:
    claim = claim_of(row(in_flight=True))
    new = put_back(claim.delivery, claim, AT)
    assert new is not None
    assert new.suspect


@pytest.mark.parametrize("outcome", [NO, REFUSED, AWAY], ids=lambda one: type(one).__name__)
def test_who_lost_the_row_to_another_claim_changes_nothing_more(outcome: Outcome) -> None:
    mine = claim_of(row(), token="mine")
    theirs = claimed(mine.delivery, "theirs", AT + LIMITS.lease, LIMITS)
    assert after_outcome(theirs, mine, told(), outcome, AT + LIMITS.lease, LIMITS) is None
    assert put_back(theirs, mine, AT) is None
    assert theirs.suspect


@pytest.mark.parametrize("outcome", [YES, LOST], ids=lambda one: type(one).__name__)
def test_what_a_late_owner_may_have_put_back_is_told_once_more_and_settled(outcome: Outcome) -> None:
    late = AT + 10 * LIMITS.settle
    mine = claim_of(row(), token="mine")
    settled = msgspec.structs.replace(
        mine.delivery, in_flight=False, token=None, lease_until=None, acked=9, acked_digest="newer", next_at=None
    )
    new = after_outcome(settled, mine, told(), outcome, late, LIMITS)
    assert new is not None
    assert (new.suspect, new.confirm_at, new.next_at) == (True, None, late)
    assert (new.acked, new.acked_digest) == (9, "newer"), "it acknowledges nothing"

    theirs = claimed(settled, "theirs", late, LIMITS)
    new = after_outcome(theirs, mine, told(), outcome, late, LIMITS)
    assert new is not None
    assert (new.suspect, new.token, new.in_flight, new.next_at) == (True, "theirs", True, None), "it is theirs still"


def test_a_late_owner_that_sent_nothing_put_nothing_back() -> None:
    mine = claim_of(row(acked_digest="known"), token="mine")
    theirs = claimed(mine.delivery, "theirs", AT + LIMITS.lease, LIMITS)
    assert after_outcome(theirs, mine, Told(2, "known"), YES, AT + LIMITS.lease, LIMITS) is None


def test_what_was_not_sent_as_the_partner_knew_it_does_not_count_as_told_now() -> None:
    known = row(acked=1, acked_digest="known", acked_at=AT - 9 * SECOND)
    new = after(claim_of(known), YES, AT, said=Told(2, "known"))
    assert (new.acked, new.acked_at) == (2, AT - 9 * SECOND)


@pytest.mark.parametrize(
    ("acked_digest", "suspect", "sent"),
    [("BUSY", False, False), ("BUSY", True, True), ("FREE", False, True), ("FREE", True, True), (None, False, True)],
)
def test_nothing_is_sent_to_a_partner_that_has_the_very_same_unless_that_is_suspect(
    acked_digest: str | None, suspect: bool, sent: bool
) -> None:
    assert needs_sending(row(acked_digest=acked_digest, suspect=suspect), told(digest="BUSY")) is sent


# Outcomes


def test_what_was_delivered_is_acknowledged_and_nothing_is_owed() -> None:
    claim = claim_of(row(attempts=4, last_error="away", rejected_version=2))
    later = AT + SECOND
    assert after(claim, YES, later) == row(acked=3, acked_digest="BUSY", acked_at=later, next_at=None)


def test_what_was_delivered_is_owed_again_at_once_where_there_is_something_newer() -> None:
    new = after(claim_of(row()), YES, AT + SECOND, want=4)
    assert (new.acked, new.want, new.next_at) == (3, 4, AT + SECOND)


def test_what_was_rejected_is_parked_for_that_version() -> None:
    new = after(claim_of(row()), NO, AT + SECOND)
    assert new == row(rejected_version=3, attempts=1, last_error="unknown EVSE", next_at=None)


def test_what_was_rejected_is_tried_again_later_where_the_other_side_may_come_to_know_it() -> None:
    new = after(claim_of(row()), Rejected("603", retry_slowly=True), AT)
    assert (new.rejected_version, new.next_at) == (3, AT + LIMITS.retry_slowly)


@pytest.mark.parametrize("slowly", [False, True])
def test_what_was_rejected_is_tried_again_at_once_where_there_is_something_newer(slowly: bool) -> None:
    new = after(claim_of(row()), Rejected("no", slowly), AT + SECOND, want=4)
    assert (new.rejected_version, new.next_at) == (3, AT + SECOND)


@pytest.mark.parametrize("outcome", [REFUSED, AWAY])
def test_what_surely_was_not_applied_goes_to_the_end_of_the_queue_and_is_not_suspect(
    outcome: Refused | NotSent,
) -> None:
    new = after(claim_of(row()), outcome, AT + SECOND)
    assert new == row(attempts=1, last_error=outcome.reason, next_at=AT + SECOND)


def test_what_may_have_been_applied_goes_to_the_end_of_the_queue_and_is_suspect() -> None:
    new = after(claim_of(row()), LOST, AT + SECOND)
    assert new == row(attempts=1, last_error=LOST.reason, next_at=AT + SECOND, suspect=True)


@pytest.mark.parametrize("outcome", [NO, REFUSED, AWAY, LOST], ids=lambda one: type(one).__name__)
def test_only_a_delivery_acknowledges(outcome: Outcome) -> None:
    new = after(claim_of(row()), outcome, AT)
    assert (new.acked, new.acked_digest, new.acked_at) == (2, "FREE", None)


@pytest.mark.parametrize("outcome", [NO, REFUSED, AWAY], ids=lambda one: type(one).__name__)
def test_no_answer_but_a_delivery_settles_anything(outcome: Outcome) -> None:
    new = after(claim_of(row(suspect=True, confirm_at=AT)), outcome, AT + SECOND)
    assert (new.suspect, new.confirm_at) == (True, AT)


# Reconfigured, or asked for anew, while a request was under way


@pytest.mark.parametrize("outcome", [YES, NO, REFUSED, AWAY, LOST], ids=lambda one: type(one).__name__)
def test_an_answer_to_an_older_generation_acknowledges_nothing_and_is_owed_at_once(outcome: Outcome) -> None:
    new = after(claim_of(row()), outcome, AT + SECOND, generation=2, acked_digest=None)
    assert (new.generation, new.acked, new.acked_digest, new.rejected_version) == (2, 2, None, None)
    assert (new.next_at, new.in_flight, new.token) == (AT + SECOND, False, None)
    assert new.suspect is (outcome is LOST)


def test_a_change_of_generation_starts_the_settling_over() -> None:
    new = after(claim_of(row(suspect=True, confirm_at=AT)), YES, AT + SECOND, generation=2)
    assert (new.suspect, new.confirm_at) == (True, None)


def test_what_is_asked_for_anew_while_it_turns_out_to_be_known_is_owed_all_the_same() -> None:
    claim = claim_of(row(acked_digest="BUSY"))
    new = after(claim, YES, AT + SECOND, told(digest="BUSY"), acked_digest=None, next_at=AT)
    assert (new.acked_digest, new.next_at) == (None, AT + SECOND)


def test_what_was_asked_for_anew_is_owed_even_if_nothing_had_been_acknowledged_before() -> None:
    claim = claim_of(row(acked=None, acked_digest=None))
    new = after(claim, YES, AT + SECOND, acked_digest=None, next_at=AT)
    assert (new.acked, new.acked_digest, new.next_at) == (None, None, AT + SECOND)


# The settle rule


def test_a_delivery_of_what_is_suspect_is_followed_by_one_more_once_nothing_can_arrive_late() -> None:
    new = after(claim_of(row(suspect=True)), YES, AT + SECOND)
    confirm_at = AT + SECOND + LIMITS.settle
    assert (new.suspect, new.confirm_at, new.next_at) == (True, confirm_at, confirm_at)


def test_a_newer_acknowledgement_does_not_cancel_the_confirmation() -> None:
    confirm_at = AT + LIMITS.settle
    newer = claim_of(row(suspect=True, confirm_at=confirm_at, want=4), at=confirm_at - SECOND)
    new = after(newer, YES, confirm_at - SECOND, told(version=4))
    assert new.acked == 4
    assert (new.suspect, new.confirm_at, new.next_at) == (True, confirm_at, confirm_at)


def test_a_send_claimed_before_the_confirmation_is_due_does_not_count_however_late_its_answer() -> None:
    confirm_at = AT + LIMITS.settle
    early = claim_of(row(suspect=True, confirm_at=confirm_at), at=confirm_at - timedelta(milliseconds=1))
    new = after(early, YES, confirm_at + 9 * SECOND)
    assert (new.suspect, new.confirm_at, new.next_at) == (True, confirm_at, confirm_at)


def test_a_send_claimed_when_the_confirmation_is_due_settles() -> None:
    claim = claim_of(row(suspect=True, confirm_at=AT))
    new = after(claim, YES, AT + SECOND)
    assert (new.suspect, new.confirm_at, new.next_at) == (False, None, None)


def test_a_lost_answer_to_the_confirmation_starts_the_settling_over() -> None:
    lost = after(claim_of(row(suspect=True, confirm_at=AT)), LOST, AT + 10 * SECOND)
    assert (lost.suspect, lost.confirm_at) == (True, None)
    again = after(claim_of(lost, at=lost.next_at or AT, token="t2"), YES, AT + 20 * SECOND)
    assert again.confirm_at == AT + 20 * SECOND + LIMITS.settle


def test_a_confirmation_set_under_a_clock_since_stepped_back_is_set_anew_and_not_sent_again_and_again() -> None:
    new = after(claim_of(row(suspect=True, confirm_at=AT + timedelta(days=3650))), YES, AT + SECOND)
    assert (new.suspect, new.next_at) == (True, AT + SECOND + LIMITS.settle)


@pytest.mark.parametrize(
    ("steady_for", "settled"),
    [(timedelta(0), False), (LIMITS.settle - SECOND, False), (LIMITS.settle, True), (timedelta(days=1), True)],
    ids=["stepped ahead", "stepped ahead during the wait", "as long as the wait", "for long"],
)
def test_a_wait_that_ended_by_a_step_of_the_clock_does_not_settle_and_begins_anew(
    steady_for: timedelta, settled: bool
) -> None:
    confirming = claimed(row(suspect=True, confirm_at=AT), "t1", AT, LIMITS)
    new = after(Claim(confirming, AT, steady_since=AT - steady_for), YES, AT + SECOND)
    later = None if settled else AT + SECOND + LIMITS.settle
    assert (new.suspect, new.confirm_at, new.next_at) == (not settled, later, later)


# How the partner stands


def partner(**different: Any) -> Partner:
    usual: dict[str, Any] = {"created_by": "test", "created_at": AT, "updated_at": AT}
    return Partner(id=1, name="app", channel="scripted", configuration={}, **(usual | different))


def standing(one: Partner, outcome: Outcome, *, claimed_at: datetime = AT, at: datetime = AT, chance: float = 1.0):
    return standing_after(one, claimed_at, outcome, at, LIMITS, chance)


FAILED = {"failures": 3, "failed_at": AT - SECOND, "hold_until": AT, "last_error": "away"}


def test_a_delivery_frees_the_partner() -> None:
    assert standing(partner(**FAILED), YES) == partner(last_success_at=AT)


def test_a_no_to_one_evse_frees_the_partner_too_for_it_is_there_and_talks_to_us() -> None:
    assert standing(partner(**FAILED), NO) == partner()


@pytest.mark.parametrize("outcome", [AWAY, LOST], ids=["NotSent", "Unknown"])
def test_the_wait_doubles_with_every_failure_up_to_the_longest(outcome: NotSent | Unknown) -> None:
    waits = []
    one = partner()
    at = AT
    for _ in range(12):
        one = standing(one, outcome, claimed_at=at, at=at)
        assert one.hold_until is not None
        waits.append((one.hold_until - at).total_seconds())
        at = one.hold_until
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert (one.failures, one.last_error) == (12, outcome.reason)


@given(failures=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_the_wait_is_spread_over_everything_up_to_its_longest(failures: int, chance: float) -> None:
    one = standing(partner(failures=failures), LOST, chance=chance)
    assert one.hold_until is not None
    longest = min(2 ** min(failures, 30), 300) * SECOND
    assert one.hold_until - AT == longest * chance


@given(chance=st.floats(0, 1), failures=st.integers(0, 100))
def test_a_refusal_waits_at_least_half_the_longest_for_somebody_has_to_mend_something(
    chance: float, failures: int
) -> None:
    one = standing(partner(failures=failures), REFUSED, chance=chance)
    assert one.hold_until is not None
    assert LIMITS.back_off_longest / 2 <= one.hold_until - AT <= LIMITS.back_off_longest


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(30, 30), (300, 300), (86_400, 300), (1, 1), (0, 1)],
    ids=["honoured", "the longest", "cut", "the shortest", "not at once, or it would never end"],
)
def test_a_partner_that_says_when_to_come_back_is_heard_within_bounds(asked: int, waited: int) -> None:
    one = standing(partner(), NotSent("429", timedelta(seconds=asked)), chance=0.0)
    assert one.hold_until == AT + waited * SECOND


def test_one_storm_of_32_failures_counts_once() -> None:
    one = partner()
    for number in range(32):
        one = standing(one, LOST, at=AT + 10 * SECOND + number * timedelta(milliseconds=1))
    assert (one.failures, one.failed_at) == (1, AT + 10 * SECOND)
    assert one.hold_until == AT + 11 * SECOND
    assert standing(one, LOST, claimed_at=AT + 12 * SECOND, at=AT + 22 * SECOND).failures == 2


def test_a_failure_counted_under_a_clock_since_stepped_back_does_not_hide_those_that_follow() -> None:
    one = standing(partner(failures=1, failed_at=AT + timedelta(days=3650)), AWAY)
    assert (one.failures, one.failed_at) == (2, AT)
    assert is_held(one, AT + SECOND, LIMITS)


@pytest.mark.parametrize(
    ("different", "held"),
    [
        ({}, False),
        ({"paused": True}, True),
        ({"hold_until": AT + SECOND}, True),
        ({"hold_until": AT}, False),
        ({"hold_until": AT - SECOND}, False),
        ({"hold_until": AT + 2 * LIMITS.back_off_longest}, True),
        ({"hold_until": AT + 2 * LIMITS.back_off_longest + SECOND}, False),
        ({"hold_until": AT - SECOND, "failures": 3}, False),
    ],
)
def test_a_partner_is_held_while_paused_or_until_its_time_unless_that_is_further_than_ever_set(
    different: dict[str, Any], held: bool
) -> None:
    assert is_held(partner(**different), AT, LIMITS) is held


def test_what_may_be_gone_in_a_moment_is_tried_again_soon_and_ever_more_slowly() -> None:
    waits = []
    for attempts in (0, 1, 2, 3, 4, 5, 1000):
        new = after(claim_of(row(attempts=attempts)), Rejected("009", retry_slowly=True, passing=True), AT)
        assert new is not None
        assert new.next_at is not None
        waits.append(new.next_at - AT)
    assert waits[:4] == [timedelta(seconds=one) for one in (10, 60, 360, 2160)]
    assert waits[-1] == LIMITS.retry_slowly
