"""Who may do what to what: the one decision that the API, the batch and the command line all ask for.

It knows what it is handed and asks nobody: no database, no clock, no HTTP.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Final, TypeAlias, assert_never

import msgspec

from app.domain.api_key import ApiKey
from app.domain.duration import short_duration
from app.domain.evse import Evse
from app.domain.interval import Interval
from app.domain.principal import TRUSTED, Principal, Role
from app.domain.scope import Scope
from app.domain.status import Kind
from app.domain.temporary_status import TemporaryStatus
from app.domain.total import total


class Action(StrEnum):
    """What a call does, in words that complete "a key with the role … may not"."""

    SEE_EVSES = "look at EVSEs"
    SEE = "look at temporary statuses"
    PLAN = "plan temporary statuses"
    CHANGE = "change temporary statuses"
    END = "end temporary statuses"
    REGISTER = "register EVSEs"
    REPORT = "report actual statuses"
    SEE_PARTNERS = "look at partners"
    RUN_PARTNERS = "pause, resume and resend to partners"
    SET_UP_PARTNERS = "add, configure and remove partners"
    SEE_KEYS = "look at API keys"
    ISSUE_KEYS = "make, change, rotate and revoke API keys"
    PANIC = "end all that a key did and revoke it"
    SEE_BRAKES = "look at the brakes"
    LIFT_BRAKES = "lift a brake"
    SEE_METRICS = "look at the metrics"


_ALL: Final = frozenset(Role)
_LOOKING: Final = _ALL - {Role.INGEST}
_WRITING: Final = _ALL - {Role.READER}
_ADMIN: Final = frozenset({Role.ADMIN})

ROLES: Final[Mapping[Action, frozenset[Role]]] = total(
    Action,
    {
        Action.SEE_EVSES: _LOOKING,
        Action.SEE: _LOOKING,
        Action.PLAN: _WRITING,
        Action.CHANGE: _WRITING,
        Action.END: _WRITING,
        Action.REGISTER: _ADMIN,
        Action.REPORT: _ADMIN,
        Action.SEE_PARTNERS: TRUSTED,
        Action.RUN_PARTNERS: TRUSTED,
        Action.SET_UP_PARTNERS: _ADMIN,
        Action.SEE_KEYS: TRUSTED,
        Action.ISSUE_KEYS: _ADMIN,
        Action.PANIC: TRUSTED,
        Action.SEE_BRAKES: TRUSTED | {Role.TECHNICIAN},
        Action.LIFT_BRAKES: TRUSTED,
        Action.SEE_METRICS: TRUSTED | {Role.READER},
    },
)

#: What is no EVSE's own affair: a partner is told of all of them, and metrics count them all.
_FLEET_WIDE: Final = frozenset({Action.SEE_PARTNERS, Action.RUN_PARTNERS, Action.SET_UP_PARTNERS, Action.SEE_METRICS})

#: What a role may ever say, whatever its key's rights are.
KINDS: Final[Mapping[Role, frozenset[Kind]]] = total(
    Role,
    {
        Role.READER: frozenset(),
        Role.CLIENT: frozenset(Kind),
        Role.INGEST: frozenset({Kind.BLOCKED}),
        Role.TECHNICIAN: frozenset(Kind),
        Role.OPERATIONS: frozenset(Kind),
        Role.ADMIN: frozenset(Kind),
    },
)

#: Temporary statuses that are not over on one EVSE, for keys below operations: half-hours of seven weeks, and nobody's
#: plans make everybody's calls slow.
MOST_ON_ONE_EVSE: Final = 2500

#: Those who see what others planned; the rest see their own.
_SEES_OTHERS: Final = _ALL - {Role.CLIENT, Role.INGEST}


class Call(msgspec.Struct, frozen=True):
    """No one thing: whether the call could ever be for this key."""


class On(msgspec.Struct, frozen=True):
    """An EVSE, or a temporary status on it that is there already."""

    evse: Evse
    one: TemporaryStatus | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A temporary status as it would be after the call at `at`.

    `beside` of the same key are in effect with it; `on_evse` of anybody's are not over on its EVSE.
    """

    evse: Evse
    kind: Kind
    interval: Interval
    at: datetime
    beside: int = 0
    on_evse: int = 0


class OfKey(msgspec.Struct, frozen=True):
    """An API key, as it is or as it would be."""

    key: ApiKey


class Within(msgspec.Struct, frozen=True):
    """A part of the fleet, as it is called, and its EVSEs as far as they are known."""

    scope: Scope
    members: tuple[Evse, ...] = ()


Target: TypeAlias = Call | On | Wanted | OfKey | Within


class Why(Enum):
    """Why not."""

    ROLE = "the role"
    UNSEEN = "unseen"  #: to be answered like what does not exist
    KIND = "the kind"
    OPEN_ENDED = "the open end"
    TOO_LONG = "the length"
    TOO_FAR = "the beginning"
    TOO_MANY = "the number"


class Allowed(msgspec.Struct, frozen=True):
    """Go on."""


class Denied(msgspec.Struct, frozen=True):
    """Not this key; `detail` is meant for whoever holds it, and names nothing that it may not see."""

    why: Why
    detail: str


ALLOWED: Final = Allowed()
_UNSEEN: Final = Denied(Why.UNSEEN, "there is no such thing for this key")


def may(principal: Principal, action: Action, target: Target) -> Allowed | Denied:
    """Decide whether `principal` may do `action` to `target`."""
    if principal.role not in ROLES[action]:
        return Denied(Why.ROLE, f"a key with the role {principal.role} may not {action}")
    match target:
        case Call():
            if action in _FLEET_WIDE and not principal.rights.scope.is_everything:
                return Denied(Why.ROLE, f"a key that is not good for all EVSEs may not {action}")
            return ALLOWED
        case On(evse, one):
            return ALLOWED if _reaches(principal, action, evse, one) else _UNSEEN
        case Wanted():
            return _may_want(principal, target)
        case OfKey(key):
            return ALLOWED if _is_over(principal, action, key) else _UNSEEN
        case Within(scope, members):
            mine = principal.rights.scope
            every = bool(members) and all(mine.covers(one) for one in members)
            return ALLOWED if every or mine.includes(scope) else _UNSEEN
    assert_never(target)


def sees_others(principal: Principal) -> bool:
    """Tell whether it sees temporary statuses that other keys made, where it is good for at all."""
    return principal.role in _SEES_OTHERS


def _reaches(principal: Principal, action: Action, evse: Evse, one: TemporaryStatus | None) -> bool:
    """Its own everybody may look at, change and end, also where the EVSE is no longer in its scope."""
    if one is not None and one.created_by == principal.id:
        return True
    if not principal.rights.scope.covers(evse):
        return False
    if one is None:
        return True
    if action is Action.SEE:
        return sees_others(principal)
    return principal.role in TRUSTED or (principal.role is Role.TECHNICIAN and one.kind is Kind.MAINTENANCE)


def _may_want(principal: Principal, wanted: Wanted) -> Allowed | Denied:
    rights = principal.rights
    begin, end = wanted.interval.begin, wanted.interval.end
    if not rights.scope.covers(wanted.evse):
        return _UNSEEN
    if wanted.kind not in rights.kinds or wanted.kind not in KINDS[principal.role]:
        allowed = [kind for kind in rights.kinds if kind in KINDS[principal.role]]
        return Denied(Why.KIND, f"this key may only say {', '.join(allowed) or 'nothing'}")
    if end is None:
        if not rights.open_ended or rights.longest is not None:
            return Denied(Why.OPEN_ENDED, "this key may not leave the end open: send validTo, and renew it in time")
    elif rights.longest is not None and end - max(begin, wanted.at) > rights.longest:
        return Denied(Why.TOO_LONG, _too_long(rights.longest))
    if rights.furthest is not None and begin - wanted.at > rights.furthest:
        return Denied(
            Why.TOO_FAR, f"with this key a temporary status begins within {short_duration(rights.furthest)} from now"
        )
    if rights.most_active is not None and wanted.beside >= rights.most_active:
        return Denied(Why.TOO_MANY, f"this key may have {rights.most_active} in effect at once, and has them then")
    if principal.is_braked and wanted.on_evse >= MOST_ON_ONE_EVSE:
        return Denied(Why.TOO_MANY, f"{MOST_ON_ONE_EVSE} are planned for this EVSE already")
    return ALLOWED


def _is_over(principal: Principal, action: Action, key: ApiKey) -> bool:
    """Below admins a key reaches only keys below its own rank, and nobody reaches further than their own scope.

    Nobody makes a key, nor gets the secret of one, that may say more than they: what limits a key it cannot shake off.
    """
    if not principal.rights.scope.includes(key.rights.scope):
        return False
    if action is Action.ISSUE_KEYS:
        return principal.rights.includes(key.rights)
    return principal.role is Role.ADMIN or action is Action.SEE_KEYS or key.role not in TRUSTED


def _too_long(longest: timedelta) -> str:
    long = short_duration(longest)
    return f"with this key a temporary status ends within {long} of its beginning, or of now once it has begun"
