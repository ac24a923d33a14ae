"""What may come of telling a partner something. HTTP 200 is not among it: both roaming protocols say no with it."""

from datetime import timedelta
from typing import TypeAlias

import msgspec


class Delivered(msgspec.Struct, frozen=True, tag=True):
    """The partner has it. `detail` is what it said.

    `whole`: it has the other aspect of the EVSE as well, as true as that was then.

    `reference`, here as in every outcome, is the partner's own number of the request, for which its support asks.
    `disturbs`, in every outcome as well: what the partner had of the other EVSEs at the location may be gone.
    """

    detail: str = ""
    reference: str | None = None
    disturbs: bool = False
    whole: bool = False


class Rejected(msgspec.Struct, frozen=True, tag=True):
    """The partner understood and said no to this EVSE. `retry_slowly`: what is missing may turn up on its side.

    `passing`: what is in the way may be gone in a moment, so that the first tries follow sooner.

    `asked` is false where it was found out here and the partner knows nothing of it: that says nothing about how the
    partner does.
    """

    reason: str
    retry_slowly: bool = False
    asked: bool = True
    passing: bool = False
    reference: str | None = None
    disturbs: bool = False


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The partner refuses us altogether: a key, a certificate or a contract is wrong. Every EVSE would be refused."""

    reason: str
    reference: str | None = None
    disturbs: bool = False


class NotSent(msgspec.Struct, frozen=True, tag=True):
    """The partner surely did not apply it: never reached, or it asked us to come back."""

    reason: str
    retry_after: timedelta | None = None
    reference: str | None = None
    disturbs: bool = False


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """The partner may have applied it, or may yet: the answer was lost, late or garbage."""

    reason: str
    reference: str | None = None
    disturbs: bool = False


class Apart(msgspec.Struct, frozen=True, tag=True):
    """The bundle that it was in was not applied, or went without it: it is to be said again at once.

    Or something else has to be said before it. Nothing is known against this EVSE.

    `left` is the address (`Evse.address`) from which the EVSE is gone now, as the partner has just acknowledged.
    """

    reason: str
    left: str | None = None
    reference: str | None = None
    disturbs: bool = False


Outcome: TypeAlias = Delivered | Rejected | Refused | NotSent | Unknown | Apart


class Replaced(msgspec.Struct, frozen=True):
    """What came of replacing everything. `named` are the places of the messages that a rejection says it is about."""

    outcome: Outcome
    named: frozenset[int] = frozenset()
