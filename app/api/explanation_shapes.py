"""Explanations as they are answered."""

from typing import Annotated

from msgspec import Meta

from app.api.shapes import Told, ToldTime
from app.domain.explanation import Tense, Verdict
from app.domain.knowing import Knows
from app.domain.partner import Standing
from app.domain.presentation import Gate
from app.domain.status import ActualStatus, AppliesWhen, Kind


class ChannelExplained(Told):
    """What one channel shows, showed or would show.

    `status` is in the channel's own words; `null` where it is told nothing, or where nobody knows any more (`known` is
    false then). `since` is `null` where that is longer ago than the record goes back, or has not been recorded yet.
    `until` is when it changes by the clock alone, for the past when it did change; `null` where it does or did not.
    """

    status: str | None
    since: ToldTime | None
    until: ToldTime | None


class Reason(Told):
    """Why: a temporary status, the charger or the deployment state; all three are empty where nobody knows any more.

    Of a temporary status that the key may not see only the kind is told. `words` say all of it for people.
    """

    words: str
    temporary_status_id: int | None = None
    temporary_status: Kind | None = None
    actual_status: ActualStatus | None = None
    gate: Annotated[
        Gate | None,
        Meta(description="`WITHHELD`: not shared (yet), as in `STOCK`. `REMOVED`: gone for good, as in `DEPRECATED`"),
    ] = None


class ChargerExplained(Told):
    """What the charger itself does at that instant.

    `actualStatus` is `null` for a past instant of which that is not known: only what was shown is recorded. `reported`
    is the word it came in, and `observedAt` when the charger's backend saw it. From `staleFrom` on (`observedAt` plus
    `EVSE_STATUS_ACTUAL_STATUS_MAX_AGE`, if that is set) it counts as `UNKNOWN`, and `stale` is true. `assumed`: the
    instant lies ahead, and the charger may well do something else by then.
    """

    actual_status: ActualStatus | None
    reported: str | None
    observed_at: ToldTime | None
    stale_from: ToldTime | None
    stale: bool
    assumed: bool


class Considered(Told):
    """A temporary status that has a say at that instant, is yet to begin or was over, and what decides about it.

    `verdict`: `shown`; `outranked` by the one with the id `outrankedBy` (`null` if the key may not see that);
    `notIdle` (for an idle charger only, and it was not idle); `gate` (the deployment state stands in front);
    `notBegun`; `over`; `endedEarly`; `neverBegan` (ended before it began); `unrecorded` (the record of that time does
    not agree with what is known of it today). `createdByName` is the key's name, where the asking key may look at keys.
    `changedSince`: it was changed after that instant and is told as it is today.
    """

    id: int
    temporary_status: Kind
    valid_from: ToldTime
    valid_to: ToldTime | None
    applies_when: AppliesWhen
    reason: str | None
    created_by: str
    created_by_name: str | None
    created_at: ToldTime
    ended_at: ToldTime | None
    ended_by: str | None
    ended_by_name: str | None
    end_reason: str | None
    verdict: Verdict
    outranked_by: int | None
    changed_since: bool
    words: str


class NextChange(Told):
    """What is shown next, by channel, from `at` on; and why."""

    at: ToldTime
    presented: dict[str, str | None]
    because: Reason


class PartnerTold(Told):
    """An attempt to tell a partner.

    `said` is the status in the partner's own word, `version` the version of the EVSE that it stands for. `outcome` is
    `Delivered`, `Rejected`, `Refused`, `NotSent`, `Unknown` or `Apart`, `answer` what the partner said to it,
    `reference` its own number of the request.
    """

    at: ToldTime
    said: str
    version: int
    outcome: str
    answer: str | None
    reference: str | None


class PartnerExplained(Told):
    """What one partner was told of the EVSE, and how far it is.

    `told` is what it took last at or before that instant, `lastAttempt` the attempt after that, if one came to
    something else. Attempts are kept for `EVSE_STATUS_ATTEMPTS_KEPT`. The rest is as of now and `null` for the past:
    `state` is how the partner does, `knows` how far it is with this EVSE: it has the `latest`, is `owed` it since
    `owedSince` and tried again at `nextTryAt`, refused it (`parked`), is told of changes only (`notTold`), does not get
    this EVSE (`filteredOut`), or was never told of it (`neverShared`). `acknowledgedAt` is when it last acknowledged.
    """

    name: str
    channel: str
    told: PartnerTold | None
    last_attempt: PartnerTold | None
    state: Standing | None
    knows: Knows | None
    why_not: str
    acknowledged_at: ToldTime | None
    owed_since: ToldTime | None
    next_try_at: ToldTime | None


class Explanation(Told):
    """Why an EVSE is shown as it is at an instant, and to whom.

    `known` is false where the record does not go back so far. `temporaryStatuses` holds those in effect, the strongest
    first, then the next 10 to begin and the last 10 that were over; `leftOut` counts the others. `notes` are sentences
    for people on how far this can be relied on. `partners` is `null` for a key that may not look at partners.
    """

    evse_id: str | None
    at: ToldTime
    answered_at: ToldTime
    tense: Tense
    known: bool
    presented: dict[str, ChannelExplained]
    because: Reason
    charger: ChargerExplained
    temporary_statuses: list[Considered]
    left_out: int
    next_change: NextChange | None
    notes: list[str]
    partners: list[PartnerExplained] | None
