"""The one decision, as truth tables: every role, every action, every sort of thing. Written out anew, not derived."""

from datetime import timedelta
from itertools import product
from typing import Any

import msgspec
import pytest

from app.domain.api_key import ApiKey
from app.domain.evse import Evse
from app.domain.interval import Interval
from app.domain.permission import (
    MOST_ON_ONE_EVSE,
    ROLES,
    Action,
    Allowed,
    Call,
    Denied,
    OfKey,
    On,
    Target,
    Wanted,
    Why,
    Within,
    may,
    sees_others,
)
from app.domain.principal import COMMAND_LINE, TRUSTED, Principal, Role
from app.domain.rights import UNLIMITED, Rights
from app.domain.scope import EVERYTHING, Scope
from app.domain.status import Kind
from tests.unit.builders import at, evse, temporary_status

HERE, ELSEWHERE = evse(), evse(operator="DEXYZ")
ABC = Scope(operators=("DEABC",))
R, C, I, T, O, A = Role  # noqa: E741 - the columns of the tables
MAY: dict[Action, set[Role]] = {
    Action.SEE_EVSES: {R, C, T, O, A},
    Action.SEE: {R, C, T, O, A},
    Action.PLAN: {C, I, T, O, A},
    Action.CHANGE: {C, I, T, O, A},
    Action.END: {C, I, T, O, A},
    Action.REGISTER: {A},
    Action.REPORT: {A},
    Action.SEE_PARTNERS: {O, A},
    Action.RUN_PARTNERS: {O, A},
    Action.SET_UP_PARTNERS: {A},
    Action.SEE_KEYS: {O, A},
    Action.ISSUE_KEYS: {A},
    Action.PANIC: {O, A},
    Action.SEE_BRAKES: {T, O, A},
    Action.LIFT_BRAKES: {O, A},
    Action.SEE_METRICS: {R, O, A},
}
FLEET_WIDE = {Action.SEE_PARTNERS, Action.RUN_PARTNERS, Action.SET_UP_PARTNERS, Action.SEE_METRICS}


def holder(role: Role, **rights: Any) -> Principal:
    return Principal("mine", role, Rights(**rights), holds_key=True)


def why(principal: Principal, action: Action, target: Target) -> Why | None:
    verdict = may(principal, action, target)
    return verdict.why if isinstance(verdict, Denied) else None


def test_an_action_says_who_may_ever_do_it():
    for role, action in product(Role, Action):
        expected = None if role in MAY[action] else Why.ROLE
        assert why(holder(role), action, Call()) is expected, f"{role} {action}"
        assert (role in ROLES[action]) is (expected is None)


def test_whoever_is_not_good_for_all_evses_has_no_say_about_partners_nor_sees_metrics():
    for role, action in product(Role, Action):
        expected = None if role in MAY[action] and action not in FLEET_WIDE else Why.ROLE
        assert why(holder(role, scope=ABC), action, Call()) is expected, f"{role} {action}"


def test_a_role_that_may_never_is_refused_for_its_role_whatever_the_target():
    window = temporary_status()
    key = api_key()
    targets: list[Target] = [On(HERE), On(HERE, window), wanted(), OfKey(key), Within(ABC)]
    for role, action, target in product(Role, Action, targets):
        if role not in MAY[action]:
            verdict = may(holder(role), action, target)
            assert isinstance(verdict, Denied)
            assert verdict.why is Why.ROLE
            assert verdict.detail == f"a key with the role {role} may not {action}"


# EVSEs and temporary statuses


def test_an_evse_is_reached_in_scope_only():
    for role, action in product(Role, Action):
        if role in MAY[action]:
            assert why(holder(role, scope=ABC), action, On(HERE)) is None, f"{role} {action}"
            assert why(holder(role, scope=ABC), action, On(ELSEWHERE)) is Why.UNSEEN, f"{role} {action}"
            assert why(holder(role), action, On(ELSEWHERE)) is None, f"{role} {action}"


#: Of others, in scope: who sees any, who may change or end any, and who a MAINTENANCE. Its own everybody always.
SEES = {R, T, O, A}
CHANGES = {O, A}
CHANGES_MAINTENANCE = {T, O, A}


@pytest.mark.parametrize("action", [Action.SEE, Action.CHANGE, Action.END])
def test_a_temporary_status_is_reached_by_who_made_it_and_by_role_in_scope(action: Action):
    for role, kind, own, here in product(Role, Kind, (True, False), (True, False)):
        if role not in MAY[action]:
            continue
        one = msgspec.structs.replace(temporary_status(kind=kind), created_by="mine" if own else "somebody")
        changing = CHANGES_MAINTENANCE if kind is Kind.MAINTENANCE else CHANGES
        reached = own or (here and role in (SEES if action is Action.SEE else changing))
        expected = None if reached else Why.UNSEEN
        target = On(HERE if here else ELSEWHERE, one)
        assert why(holder(role, scope=ABC), action, target) is expected, f"{role} {kind} own={own} here={here}"


def test_who_sees_others_is_who_is_shown_them():
    for role in Role:
        of_somebody = On(HERE, temporary_status())
        assert sees_others(holder(role)) is (role in SEES)
        assert sees_others(holder(role)) is isinstance(may(holder(role), Action.SEE, of_somebody), Allowed)


def test_what_is_unseen_is_denied_without_a_word_about_it():
    verdict = may(holder(C, scope=ABC), Action.SEE, On(ELSEWHERE, temporary_status(reason="secret")))
    assert verdict == Denied(Why.UNSEEN, "there is no such thing for this key")


# What is wanted


def wanted(
    kind: Kind = Kind.BLOCKED, begin: float = 0, end: float | None = 60, beside: int = 0, on: Evse = HERE
) -> Wanted:
    interval = Interval(at(begin), None if end is None else at(end))
    return Wanted(evse=on, kind=kind, interval=interval, at=at(0), beside=beside)


@pytest.mark.parametrize("action", [Action.PLAN, Action.CHANGE])
def test_a_role_has_its_kinds_whatever_the_key_says(action: Action):
    for role, kind, rights_kind in product(MAY[action], Kind, (None, *Kind)):
        rights = {} if rights_kind is None else {"kinds": (rights_kind,)}
        good = (role is not I or kind is Kind.BLOCKED) and rights_kind in {None, kind}
        assert why(holder(role, **rights), action, wanted(kind)) is (None if good else Why.KIND), f"{role} {kind}"


def test_the_refusal_of_a_kind_names_those_that_are_left():
    verdict = may(holder(I, kinds=(Kind.BLOCKED, Kind.RESERVED)), Action.PLAN, wanted(Kind.RESERVED))
    assert verdict == Denied(Why.KIND, "this key may only say BLOCKED")
    verdict = may(holder(I, kinds=(Kind.RESERVED,)), Action.PLAN, wanted())
    assert verdict == Denied(Why.KIND, "this key may only say nothing")


MINUTE = timedelta(minutes=1)
MILLISECOND = 1 / 60_000


@pytest.mark.parametrize(
    ("rights", "edge", "beyond", "expected"),
    [
        ({"longest": 60 * MINUTE}, wanted(), wanted(end=60 + MILLISECOND), Why.TOO_LONG),
        # Once it has begun, how far ahead of now it reaches counts: so a lease may be renewed for days.
        ({"longest": 60 * MINUTE}, wanted(begin=-900), wanted(begin=-900, end=61), Why.TOO_LONG),
        ({"longest": 60 * MINUTE}, wanted(begin=500, end=560), wanted(begin=500, end=561), Why.TOO_LONG),
        ({"furthest": 60 * MINUTE}, wanted(begin=60, end=99), wanted(begin=60 + MILLISECOND, end=99), Why.TOO_FAR),
        ({"most_active": 2}, wanted(beside=1), wanted(beside=2), Why.TOO_MANY),
        ({"most_active": 0}, None, wanted(beside=0), Why.TOO_MANY),
        ({"open_ended": False}, wanted(end=99_999), wanted(end=None), Why.OPEN_ENDED),
        ({"scope": ABC}, wanted(), wanted(on=ELSEWHERE), Why.UNSEEN),
    ],
)
def test_each_limit_at_its_edge_for_every_role(rights: Any, edge: Wanted | None, beyond: Wanted, expected: Why):
    for role, action in product((C, I, T, O, A), (Action.PLAN, Action.CHANGE)):
        assert edge is None or why(holder(role, **rights), action, edge) is None
        assert why(holder(role, **rights), action, beyond) is expected
        assert why(holder(role), action, beyond) is None


@pytest.mark.parametrize("role", [Role.CLIENT, Role.INGEST, Role.TECHNICIAN, Role.OPERATIONS, Role.ADMIN])
def test_keys_below_operations_do_not_heap_up_plans_on_one_evse(role: Role):
    by = Principal("mine", role)
    room = msgspec.structs.replace(wanted(), on_evse=MOST_ON_ONE_EVSE - 1)
    full = msgspec.structs.replace(wanted(), on_evse=MOST_ON_ONE_EVSE)
    assert may(by, Action.PLAN, room) == Allowed()
    verdict = may(by, Action.PLAN, full)
    assert isinstance(verdict, Denied) is by.is_braked
    assert not isinstance(verdict, Denied) or verdict.why is Why.TOO_MANY


def test_a_limit_is_said_as_people_type_it():
    verdict = may(holder(C, longest=90 * MINUTE), Action.PLAN, wanted(end=91))
    says = "with this key a temporary status ends within 1h30m of its beginning, or of now once it has begun"
    assert verdict == Denied(Why.TOO_LONG, says)
    verdict = may(holder(C, furthest=timedelta(days=90)), Action.PLAN, wanted(begin=200_000, end=None))
    assert verdict == Denied(Why.TOO_FAR, "with this key a temporary status begins within 90d from now")


def test_what_is_not_seen_is_said_before_anything_else_that_is_wrong():
    nothing = Rights(scope=ABC, kinds=(), longest=MINUTE, furthest=MINUTE, most_active=0, open_ended=False)
    far = wanted(begin=99, end=None, beside=9, on=ELSEWHERE)
    assert why(Principal("mine", C, nothing), Action.PLAN, far) is Why.UNSEEN


# Keys, and parts of the fleet


def api_key(role: Role = C, rights: Rights = UNLIMITED) -> ApiKey:
    return ApiKey(id="k", name="k", role=role, digest="", created_by="cli", created_at=at(0), rights=rights)


@pytest.mark.parametrize("action", [Action.SEE_KEYS, Action.ISSUE_KEYS, Action.PANIC])
def test_a_key_is_reached_by_rank_and_scope(action: Action):
    scopes = {EVERYTHING: "all", ABC: "abc", Scope(operators=("DEXYZ",)): "xyz"}
    reach = {("all", "all"), ("all", "abc"), ("all", "xyz"), ("abc", "abc"), ("xyz", "xyz")}
    for role, theirs, (mine, of_key) in product(MAY[action], Role, product(scopes, scopes)):
        ranked = role is A or action is Action.SEE_KEYS or theirs not in TRUSTED
        good = ranked and (scopes[mine], scopes[of_key]) in reach
        target = OfKey(api_key(theirs, Rights(scope=of_key)))
        assert why(holder(role, scope=mine), action, target) is (None if good else Why.UNSEEN), f"{role} {theirs}"


@pytest.mark.parametrize(
    "limit",
    [{"kinds": (Kind.BLOCKED,)}, {"longest": MINUTE}, {"furthest": MINUTE}, {"most_active": 1}, {"open_ended": False}],
)
def test_a_limited_admin_makes_no_key_without_its_limit_but_may_stop_one(limit: Any):
    limited, unlimited = OfKey(api_key(rights=Rights(**limit))), OfKey(api_key())
    assert why(holder(A, **limit), Action.ISSUE_KEYS, limited) is None
    assert why(holder(A), Action.ISSUE_KEYS, limited) is None
    assert why(holder(A, **limit), Action.ISSUE_KEYS, unlimited) is Why.UNSEEN
    for action in (Action.SEE_KEYS, Action.PANIC):
        assert why(holder(A, **limit), action, unlimited) is None


def test_where_and_how_often_a_key_is_used_is_its_own_affair():
    by = holder(A, networks=("192.0.2.0/24",), rate=1)
    assert why(by, Action.ISSUE_KEYS, OfKey(api_key())) is None


def test_a_part_of_the_fleet_is_reached_by_who_is_good_for_all_of_it():
    for role, action in product(Role, Action):
        if role in MAY[action]:
            assert why(holder(role), action, Within(ABC)) is None
            assert why(holder(role, scope=ABC), action, Within(ABC)) is None
            for wider in (EVERYTHING, Scope(operators=("DEABC", "DEXYZ")), Scope(sites=(("DE", "ABC", "L"),))):
                assert why(holder(role, scope=ABC), action, Within(wider)) is Why.UNSEEN


def test_the_command_line_may_do_everything():
    targets: list[Target] = [Call(), On(ELSEWHERE, temporary_status()), OfKey(api_key(A)), wanted(), Within(EVERYTHING)]
    for action, target in product(Action, targets):
        assert why(COMMAND_LINE, action, target) is None
