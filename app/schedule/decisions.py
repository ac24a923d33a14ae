"""The decisions of delivery, pure: what a claim and an outcome make of a delivery and of its partner.

The settle rule is here. A request whose outcome is unknown may still be applied later, over a newer one; so after
the next confirmed send the then-latest state is sent once more, later than any request can still arrive.
"""

from datetime import datetime, timedelta
from typing import Final, assert_never

import msgspec

from app.channels.outcomes import Apart, Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.domain.delivery import Aspect, Delivery
from app.domain.partner import Partner

#: After the first rejection that may be a passing one; six times as long after each further one.
_SOON: Final = timedelta(seconds=10)
STALE: Final = timedelta(milliseconds=50)  #: when to look again at what reconcile is about to change


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The durations that delivery works with; see the settings of the same names."""

    lease: timedelta
    settle: timedelta
    back_off_first: timedelta
    back_off_longest: timedelta
    retry_slowly: timedelta


class Claim(msgspec.Struct, frozen=True):
    """A delivery that is ours to send until the lease ends, and since when (UTC).

    `steady_since`: no step ahead of the clock from then on has escaped the claimer, see `steadiness`.
    """

    delivery: Delivery
    at: datetime
    steady_since: datetime | None = None

    @property
    def key(self) -> tuple[int, int, Aspect]:
        return (self.delivery.partner, self.delivery.evse, self.delivery.aspect)


class Told(msgspec.Struct, frozen=True):
    """What a claim was used to say: a version of the EVSE, in words with this digest, at this address if at any."""

    version: int
    digest: str
    address: str | None = None


def claimed(row: Delivery, token: str, at: datetime, limits: Limits) -> Delivery:
    """Return `row` as ours. If its last owner died with a request in flight, that request may still be applied."""
    orphaned = row.in_flight
    return msgspec.structs.replace(
        row,
        in_flight=True,
        token=token,
        lease_until=at + limits.lease,
        # Not empty while it is under way: whoever asks for it anew empties it, which `after_outcome` then notices.
        acked_digest=row.acked_digest or "",
        suspect=row.suspect or orphaned,
        confirm_at=None if orphaned else row.confirm_at,
    )


def needs_sending(row: Delivery, told: Told) -> bool:
    """Tell whether the partner could notice: not when it acknowledged the very same, unless that is suspect."""
    return row.suspect or row.acked_digest != told.digest


def after_outcome(
    row: Delivery, claim: Claim, told: Told, outcome: Outcome, at: datetime, limits: Limits
) -> Delivery | None:
    """Return what remains of `row`, as it is in the store now, after a claim came to `outcome`.

    `None` if the claim is no longer ours, and nothing was put back by it: whoever took the row over marked it suspect.
    """
    if row.token != claim.delivery.token:
        applied = isinstance(outcome, Delivered | Unknown) or (isinstance(outcome, Apart) and outcome.left is not None)
        if not needs_sending(claim.delivery, told) or not applied:
            return None
        # We were frozen for longer than our lease, and what we then said may lie over something newer.
        due = row.next_at if row.in_flight or (row.next_at is not None and row.next_at < at) else at
        return msgspec.structs.replace(row, suspect=True, confirm_at=None, next_at=due)
    row = msgspec.structs.replace(
        row, in_flight=False, token=None, lease_until=None, told_at=_told_at(row, claim, told, outcome)
    )
    if (row.generation, row.acked_digest) != (claim.delivery.generation, claim.delivery.acked_digest):
        # The partner was reconfigured meanwhile, or this EVSE was asked for anew: whatever the partner said, it said
        # to a request that no longer counts.
        may_arrive = isinstance(outcome, Unknown) or row.suspect
        return msgspec.structs.replace(row, suspect=may_arrive, confirm_at=None, next_at=at)
    newer = row.want > told.version
    match outcome:
        case Delivered():
            return _confirmed(row, claim, told, at, limits)
        case Rejected(reason=reason, retry_slowly=retry_slowly, passing=passing):
            wait = min(_SOON * 6 ** min(row.attempts, 9), limits.retry_slowly) if passing else limits.retry_slowly
            later = at + wait if retry_slowly else None
            return msgspec.structs.replace(
                row,
                rejected_version=told.version,
                attempts=row.attempts + 1,
                last_error=reason,
                next_at=at if newer else later,
            )
        case Refused(reason=reason) | NotSent(reason=reason):
            # To the end of the queue, so that the next attempt at this partner is at another row.
            return msgspec.structs.replace(row, attempts=row.attempts + 1, last_error=reason, next_at=at)
        case Unknown(reason=reason):
            return msgspec.structs.replace(
                row, attempts=row.attempts + 1, last_error=reason, suspect=True, confirm_at=None, next_at=at
            )
        case Apart():
            return msgspec.structs.replace(row, next_at=at)
        case _:
            assert_never(outcome)


def may_arrive_late(row: Delivery, claim: Claim, outcome: Outcome) -> bool:
    """Tell whether what was said may be applied, or may have been, at a time that nobody knows."""
    return isinstance(outcome, Unknown) or (row.token != claim.delivery.token and isinstance(outcome, Delivered))


def put_back(row: Delivery, claim: Claim, at: datetime) -> Delivery | None:
    """Return `row` as it was before a claim that was not used: nothing was sent."""
    if row.token != claim.delivery.token:
        return None
    return msgspec.structs.replace(row, in_flight=False, token=None, lease_until=None, next_at=at)


def _told_at(row: Delivery, claim: Claim, told: Told, outcome: Outcome) -> str | None:
    """Return where the partner may have the EVSE now, whether or not what it was told still counts."""
    if isinstance(outcome, Delivered) and needs_sending(claim.delivery, told):
        return told.address
    # Of an EVSE that moved several times the address that was acknowledged counts: nothing is said at another one
    # before it is gone from there. So if it has one, it is that request of which nothing is known.
    return row.told_at or told.address if isinstance(outcome, Unknown) else row.told_at


def _confirmed(row: Delivery, claim: Claim, told: Told, at: datetime, limits: Limits) -> Delivery:
    suspect, confirm_at = row.suspect, row.confirm_at
    if suspect and (confirm_at is None or confirm_at > at + limits.settle):
        # The latter was set under a clock that has since been stepped back.
        confirm_at = at + limits.settle
    elif suspect and confirm_at is not None and claim.at >= confirm_at:
        if claim.steady_since is not None and confirm_at - limits.settle < claim.steady_since:
            confirm_at = at + limits.settle  # the clock was stepped ahead: the wait may have been none at all
        else:
            suspect, confirm_at = False, None
    return msgspec.structs.replace(
        row,
        acked=told.version,
        acked_digest=told.digest,
        # Not where the partner could tell no difference, so that nothing was sent: re-assertion counts from here.
        acked_at=at if row.acked_at is None or needs_sending(claim.delivery, told) else row.acked_at,
        suspect=suspect,
        confirm_at=confirm_at,
        rejected_version=None,
        attempts=0,
        last_error=None,
        next_at=at if row.want > told.version else confirm_at,
    )


def standing_after(
    partner: Partner, claimed_at: datetime, outcome: Outcome, at: datetime, limits: Limits, chance: float
) -> Partner:
    """Return the partner as an outcome leaves it: free after an answer, held back after a failure.

    `chance`, between 0 and 1, spreads the wait (full jitter), so that many partners do not return in step.
    """
    refused = isinstance(outcome, Refused)
    match outcome:
        case Delivered():
            return msgspec.structs.replace(partner.tried_now(), last_error=None, last_success_at=at)
        case Rejected():
            return msgspec.structs.replace(partner.tried_now(), last_error=None)
        case Apart():
            return partner  # it answered; but what is to follow may be what it fails at
        case Refused(reason=reason):
            wait = limits.back_off_longest * (0.5 + chance / 2)
        case NotSent(reason=reason, retry_after=retry_after) if retry_after is not None:
            wait = min(max(retry_after, limits.back_off_first), limits.back_off_longest)
        case NotSent(reason=reason) | Unknown(reason=reason):
            wait = _jittered(partner.failures, limits, chance)
        case _:
            assert_never(outcome)
    # Unless the clock was stepped back since: a failure that lies ahead would hide all that follow.
    if partner.failed_at is not None and claimed_at <= partner.failed_at <= at:
        return partner  # one of many that were under way when the first of them failed: it counts once
    return msgspec.structs.replace(
        partner, failures=partner.failures + 1, refused=refused, failed_at=at, hold_until=at + wait, last_error=reason
    )


def is_held(partner: Partner, at: datetime, limits: Limits) -> bool:
    """Tell whether nothing may be sent to the partner at `at`."""
    if partner.paused:
        return True
    # A hold further ahead than it can be set comes from a clock that has since been stepped back.
    return partner.hold_until is not None and at < partner.hold_until <= at + 2 * limits.back_off_longest


def _jittered(failures: int, limits: Limits, chance: float) -> timedelta:
    doubled: timedelta = limits.back_off_first * (1 << min(failures, 30))
    return min(doubled, limits.back_off_longest) * chance
