"""Ways to get delivery wrong on purpose: each must show, or the simulation proves nothing."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import msgspec

from app.channels.outcomes import Delivered, Outcome
from app.domain.delivery import Delivery
from app.schedule import decisions
from app.schedule.decisions import Claim, Limits, Told
from tests.simulation.rules import LIMITS, Rules, Settled


def _but(row: Settled, **different: Any) -> Settled:
    return None if row is None else msgspec.structs.replace(row, **different)


def _trusting(row: Settled) -> Settled:
    return _but(row, suspect=False, confirm_at=None)


def _claimed_and_trusted(row: Delivery, token: str, at: datetime, limits: Limits) -> Delivery:
    new = decisions.claimed(row, token, at, limits)
    return msgspec.structs.replace(new, suspect=False, confirm_at=None)


def _orphans_trusted(row: Delivery, token: str, at: datetime, limits: Limits) -> Delivery:
    return decisions.claimed(msgspec.structs.replace(row, in_flight=False), token, at, limits)


def _wait_goes_on(row: Delivery, token: str, at: datetime, limits: Limits) -> Delivery:
    return msgspec.structs.replace(decisions.claimed(row, token, at, limits), confirm_at=row.confirm_at)


def _empty(row: Delivery, token: str, at: datetime, limits: Limits) -> Delivery:
    return msgspec.structs.replace(decisions.claimed(row, token, at, limits), acked_digest=row.acked_digest)


def _after_and_trusted(
    row: Delivery, claim: Claim, told: Told, outcome: Outcome, at: datetime, limits: Limits
) -> Settled:
    return _trusting(decisions.after_outcome(row, claim, told, outcome, at, limits))


def _newer_cancels(row: Delivery, claim: Claim, told: Told, outcome: Outcome, at: datetime, limits: Limits) -> Settled:
    new = decisions.after_outcome(row, claim, told, outcome, at, limits)
    return _trusting(new) if row.confirm_at is not None and isinstance(outcome, Delivered) else new


def says_nothing_when_late(
    row: Delivery, claim: Claim, told: Told, outcome: Outcome, at: datetime, limits: Limits
) -> Settled:
    """As if an owner that lost its row died before it could tell what it had been answered."""
    if row.token != claim.delivery.token:
        return None
    return decisions.after_outcome(row, claim, told, outcome, at, limits)


def _any_token(row: Delivery, claim: Claim, told: Told, outcome: Outcome, at: datetime, limits: Limits) -> Settled:
    mine = msgspec.structs.replace(row, token=claim.delivery.token)
    return decisions.after_outcome(mine, claim, told, outcome, at, limits)


def _any_token_put_back(row: Delivery, claim: Claim, at: datetime) -> Settled:
    return decisions.put_back(msgspec.structs.replace(row, token=claim.delivery.token), claim, at)


def _any_generation(row: Delivery, claim: Claim, told: Told, outcome: Outcome, at: datetime, limits: Limits) -> Settled:
    same = {"generation": row.generation, "acked_digest": row.acked_digest}
    claim = msgspec.structs.replace(claim, delivery=msgspec.structs.replace(claim.delivery, **same))
    return decisions.after_outcome(row, claim, told, outcome, at, limits)


def _newer_forgotten(
    row: Delivery, claim: Claim, told: Told, outcome: Outcome, at: datetime, limits: Limits
) -> Settled:
    return decisions.after_outcome(row, claim, msgspec.structs.replace(told, version=row.want), outcome, at, limits)


def _known_is_known(row: Delivery, told: Told) -> bool:
    return row.acked_digest != told.digest


class Flaw(Enum):
    """What is wrong, and the rules that have it."""

    NO_SETTLE_RULE = Rules(claimed=_claimed_and_trusted, after_outcome=_after_and_trusted)
    A_NEWER_ACKNOWLEDGEMENT_CANCELS = Rules(after_outcome=_newer_cancels)
    SETTLES_TOO_SOON = Rules(limits=msgspec.structs.replace(LIMITS, settle=timedelta(seconds=5)))
    A_STEP_OF_THE_CLOCK_SETTLES = Rules(mistrusts_the_clock=False)
    ORPHANS_ARE_TRUSTED = Rules(claimed=_orphans_trusted)
    A_DEAD_OWNERS_WAIT_GOES_ON = Rules(claimed=_wait_goes_on)
    WHAT_IS_SUSPECT_BUT_KNOWN_IS_NOT_SENT = Rules(needs_sending=_known_is_known)
    NO_LANE_LEASE = Rules(takes_the_lane=False)
    EVERY_REPLICA_PROBES = Rules(probes_alone=False)
    EVERY_REPLICA_FINDS_OUT_BY_ITSELF = Rules(observes=False)
    TOKEN_NOT_CHECKED = Rules(after_outcome=_any_token, put_back=_any_token_put_back)
    GENERATION_NOT_CHECKED = Rules(after_outcome=_any_generation)
    ASKED_ANEW_AND_NOT_NOTICED = Rules(claimed=_empty)
    LEASE_NOT_LOOKED_AT_AGAIN = Rules(looks_at_its_lease=False)
    # What it leads to is put right by an owner that lives to be answered; not so by one that dies before.
    LEASE_BY_ONE_CLOCK = Rules(by_both_clocks=False, after_outcome=says_nothing_when_late)
    WHAT_CAME_MEANWHILE_IS_FORGOTTEN = Rules(after_outcome=_newer_forgotten)
