"""One look at one EVSE: what is shown now, when to look again, and who is owed what."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.announcing import HORIZON, Announced
from app.domain.delivery import Aspect, Delivery
from app.domain.evse import Evse
from app.domain.instant import MILLISECOND
from app.domain.partner import Audience, Partner
from app.domain.presentation import Gate, Presentation, What
from app.domain.status import ActualStatus, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.schedule.resolving import LONGEST_WAIT, owed_by, resolve
from app.store.deliveries import Owed
from app.store.presented import Due, Resolved, Shown
from tests.unit import builders
from tests.unit.builders import at, temporary_status

NOW = at(0)


def evse(deployment: DeploymentState = DeploymentState.PRODUCTION, **different: Any) -> Evse:
    return msgspec.structs.replace(builders.evse(**different), deployment=deployment)


def shown(what: What = ActualStatus.AVAILABLE, because: int | None = None, until: float | None = None) -> Shown:
    end = None if until is None else at(until)
    announced = (Announced(what, NOW, end),) if isinstance(what, Kind) else ()
    return stored(Presentation(what, because, end), 7, at(-60), announced)


def stored(
    presentation: Presentation, version: int = 0, last_updated: datetime = NOW, announced: tuple[Announced, ...] = ()
) -> Shown:
    return Shown(
        evse=1,
        presentation=presentation,
        announced=announced,
        version=version,
        status_version=version,
        schedule_version=0,
        last_updated=last_updated,
        recheck_at=NOW,
    )


def looked(
    one: Evse | None = None, *temporary: TemporaryStatus, before: Shown | None = None, minute: float = 0
) -> Resolved:
    return resolve(Due(before or shown(), one or evse(), [*temporary]), at(minute), None)


# What is shown, and its version


def test_nothing_rises_where_nothing_differs() -> None:
    result = looked()
    assert not result.moved
    assert (result.now.version, result.now.last_updated) == (7, at(-60))


def test_what_is_shown_moves_the_version_by_one() -> None:
    result = looked(evse(), temporary_status(0, 60, number=5))
    assert result.moved
    assert result.now.presentation == Presentation(Kind.BLOCKED, 5, at(60))
    assert (result.now.version, result.now.last_updated) == (8, NOW)


def test_until_when_moves_the_version_too_for_partners_may_announce_it() -> None:
    result = looked(evse(), temporary_status(0, 30), before=shown(Kind.BLOCKED, 1, 60))
    assert result.moved
    assert result.now.version == 8


def test_what_is_said_for_a_while_is_not_what_the_charger_says_though_the_word_is_the_same() -> None:
    temporary = temporary_status(0, None)
    result = looked(evse(), temporary, before=shown(ActualStatus.BLOCKED))
    assert result.moved
    back = looked(evse(actual_status=ActualStatus.BLOCKED), before=result.now, minute=1)
    assert (back.moved, back.now.version) == (True, 9)


def test_why_alone_moves_nothing() -> None:
    result = looked(evse(), temporary_status(0, 60, number=9), before=shown(Kind.BLOCKED, 5, 60))
    assert not result.moved
    assert result.now.presentation.because == 9
    assert (result.now.version, result.now.last_updated) == (7, at(-60))


def test_last_updated_rises_even_where_the_clock_does_not() -> None:
    before = msgspec.structs.replace(shown(), last_updated=at(10))
    result = looked(evse(), temporary_status(0, 60), before=before)
    assert result.now.last_updated == at(10) + MILLISECOND


def test_what_is_in_stock_from_the_start_has_no_version_to_speak_of() -> None:
    new = stored(Presentation(Gate.WITHHELD))
    result = looked(evse(DeploymentState.STOCK), temporary_status(0, 60), before=new)
    assert not result.moved
    assert result.now.version == 0


def test_what_enters_production_gets_its_first_version() -> None:
    new = stored(Presentation(Gate.WITHHELD))
    result = looked(evse(), before=new)
    assert result.moved
    assert result.now.version == 1


@given(
    statuses=st.lists(st.tuples(st.integers(-30, 30), st.integers(1, 60), st.sampled_from(Kind)), max_size=4),
    minutes=st.lists(st.integers(-40, 100), min_size=1, max_size=8),
)
def test_versions_rise_by_one_with_each_difference_and_never_else(
    statuses: list[tuple[int, int, Kind]], minutes: list[int]
) -> None:
    temporary = [
        temporary_status(begin, begin + length, kind=kind, number=number)
        for number, (begin, length, kind) in enumerate(statuses)
    ]
    now = shown()
    for minute in minutes:  # in any order: the clock may step either way
        result = looked(evse(), *temporary, before=now, minute=minute)
        new, old = result.now.presentation, now.presentation
        shows_another = (new.what, new.until) != (old.what, old.until)
        announces_another = result.now.announced != now.announced
        differs = shows_another or announces_another
        assert result.moved is shows_another
        assert result.now.version == now.version + differs
        assert result.now.status_version == (result.now.version if shows_another else now.status_version)
        assert result.now.schedule_version == (result.now.version if announces_another else now.schedule_version)
        assert (result.now.last_updated > now.last_updated) is differs
        assert result.now.recheck_at is not None
        assert at(minute) < result.now.recheck_at <= at(minute) + LONGEST_WAIT
        now = result.now


# When to look again


def test_the_next_look_is_at_the_next_boundary() -> None:
    assert looked(evse(), temporary_status(20, 60)).now.recheck_at == at(20)
    assert looked(evse(), temporary_status(-20, 60), temporary_status(30, 40)).now.recheck_at == at(30)


def test_nothing_in_production_waits_longer_than_the_longest_wait() -> None:
    assert looked().now.recheck_at == NOW + LONGEST_WAIT
    assert looked(evse(), temporary_status(60 * 24 * 365, None)).now.recheck_at == NOW + LONGEST_WAIT


def test_a_silent_backend_is_looked_at_when_its_word_expires() -> None:
    one = evse(observed_at=at(-50))
    result = resolve(Due(shown(), one, []), NOW, timedelta(hours=1))
    assert result.now.recheck_at == at(10)
    later = resolve(Due(result.now, one, []), at(10), timedelta(hours=1))
    assert later.now.presentation.what is ActualStatus.UNKNOWN


@pytest.mark.parametrize("state", [DeploymentState.STOCK, DeploymentState.DEPRECATED])
def test_behind_a_gate_nothing_is_looked_at_by_the_clock(state: DeploymentState) -> None:
    assert looked(evse(state), temporary_status(20, 60)).now.recheck_at is None


# Who is owed what


def partner(key: int = 1, **different: Any) -> Partner:
    return Partner(
        id=key,
        name=f"partner {key}",
        channel="any",
        configuration={},
        created_by="test",
        created_at=NOW,
        updated_at=NOW,
        **different,
    )


def delivery(**different: Any) -> Delivery:
    """What a partner that has been told version 7 is owed: nothing."""
    usual: dict[str, Any] = {"want": 7, "acked": 7, "acked_digest": "AVAILABLE", "generation": 1}
    return Delivery(partner=1, evse=1, shared_at=at(-600), **(usual | different))


def owed(result: Resolved, receiver: Partner, old: Delivery | None = None) -> Owed | None:
    known = {} if old is None else {(old.partner, old.evse, old.aspect): old}
    found = owed_by(result, [receiver], known, NOW)
    assert len(found) <= 1
    return found[0] if found else None


UNMOVED = looked()
MOVED = looked(evse(), temporary_status(0, 60))
ENTERED = looked(before=stored(Presentation(Gate.WITHHELD)))


@pytest.mark.parametrize("tells_fleet", [False, True])
def test_a_change_is_owed_to_every_partner_new_or_not(tells_fleet: bool) -> None:
    new = owed(MOVED, partner(tells_fleet=tells_fleet))
    assert new is not None
    assert (new.created, new.at, new.delivery.want, new.delivery.acked, new.delivery.next_at) == (
        True,
        NOW,
        8,
        None,
        NOW,
    )
    old = owed(MOVED, partner(tells_fleet=tells_fleet), delivery())
    assert old is not None
    assert (old.created, old.at, old.delivery.want, old.delivery.acked) == (False, NOW, 8, 7)


def test_a_new_partner_that_asks_for_it_is_told_of_what_was_there_before_it() -> None:
    new = owed(UNMOVED, partner(tells_fleet=True))
    assert new is not None
    assert (new.created, new.at, new.delivery.want, new.delivery.acked) == (True, NOW, 7, None)


def test_a_new_partner_that_does_not_ask_is_only_noted_as_sharing_it() -> None:
    new = owed(UNMOVED, partner())
    assert new is not None
    assert (new.created, new.at, new.delivery.next_at) == (True, None, None)
    assert (new.delivery.want, new.delivery.acked, new.delivery.acked_digest) == (7, 7, None)


def test_an_evse_newly_in_production_is_owed_to_everybody_it_concerns() -> None:
    for tells_fleet in (False, True):
        new = owed(ENTERED, partner(tells_fleet=tells_fleet))
        assert new is not None
        assert (new.at, new.delivery.want, new.delivery.shared_at) == (NOW, 1, NOW)


def test_nothing_is_owed_twice() -> None:
    assert owed(UNMOVED, partner(tells_fleet=True), delivery()) is None


@pytest.mark.parametrize("state", [DeploymentState.STOCK, DeploymentState.DEPRECATED])
def test_leaving_production_is_owed_to_those_it_was_shared_with(state: DeploymentState) -> None:
    left = looked(evse(state))
    old = owed(left, partner(), delivery())
    assert old is not None
    assert (old.created, old.at, old.delivery.want) == (False, NOW, 8)
    never_told = owed(left, partner(), delivery(acked=7, acked_digest=None))
    assert never_told is not None


@pytest.mark.parametrize("state", [DeploymentState.STOCK, DeploymentState.DEPRECATED])
def test_an_evse_never_shared_is_never_mentioned(state: DeploymentState) -> None:
    assert owed(looked(evse(state)), partner(tells_fleet=True)) is None


@pytest.mark.parametrize(
    ("audience", "included"),
    [
        (Audience(operators=("DE*ABC",)), True),
        (Audience(operators=("DE*XYZ",)), False),
        (Audience(locations=("LOC1",)), True),
        (Audience(locations=("LOC2",)), False),
        (Audience(operators=("DE*ABC",), locations=("LOC2",)), False),
    ],
)
def test_only_those_whose_filter_it_passes_are_owed_it(audience: Audience, included: bool) -> None:
    assert (owed(MOVED, partner(audience=audience, tells_fleet=True)) is not None) is included


def test_a_new_generation_is_owed_everything_that_was_ever_shared() -> None:
    old = owed(UNMOVED, partner(generation=2), delivery())
    assert old is not None
    assert (old.created, old.at, old.delivery.generation, old.delivery.want) == (False, NOW, 2, 7)


def test_a_new_generation_whose_filter_leaves_an_evse_out_is_owed_its_removal() -> None:
    elsewhere = Audience(locations=("LOC2",))
    assert owed(UNMOVED, partner(generation=2, audience=elsewhere), delivery()) is not None


def test_an_evse_that_is_moved_out_of_a_filter_is_owed_its_removal_once_and_itself_when_it_comes_back() -> None:
    choosy = partner(audience=Audience(locations=("LOC1",)))
    away = looked(evse(location="LOC2"))
    gone = owed(away, choosy, delivery())
    assert gone is not None
    assert gone.at == NOW
    assert owed(away, choosy, gone.delivery) is None
    back = owed(UNMOVED, choosy, gone.delivery)
    assert back is not None
    assert back.delivery.generation == choosy.generation
    assert owed(UNMOVED, choosy, back.delivery) is None


def test_each_partner_is_owed_its_own() -> None:
    receivers = [partner(1), partner(2, audience=Audience(locations=("LOC2",))), partner(3, generation=4)]
    known = {
        (1, 1, Aspect.STATUS): delivery(want=8),
        (3, 1, Aspect.STATUS): msgspec.structs.replace(delivery(), partner=3),
    }
    found = owed_by(MOVED, receivers, known, NOW)
    assert [(one.delivery.partner, one.delivery.want, one.delivery.generation) for one in found] == [(3, 8, 4)]


# What was imported, and what is announced


def test_another_import_moves_the_version_of_the_status_and_says_that_it_was_that() -> None:
    result = looked(evse(object_changed_at=at(-1)))
    assert (result.moved, result.renewed) == (False, True)
    assert (result.now.version, result.now.status_version, result.now.schedule_version) == (8, 8, 0)
    again = looked(evse(object_changed_at=at(-1)), before=result.now, minute=1)
    assert (again.renewed, again.now.version) == (False, 8)


def test_it_is_dated_by_the_import_even_where_the_clock_was_stepped_back_since() -> None:
    result = looked(evse(object_changed_at=at(5)))
    assert result.now.last_updated == at(5)
    assert not looked(evse(object_changed_at=at(5)), before=result.now, minute=1).renewed


def test_another_import_is_told_to_who_only_pulled_so_far_as_some_are_given_evses_whole() -> None:
    renewed = looked(evse(object_changed_at=at(-1)))
    old = owed(renewed, partner(), delivery(acked_digest=None))
    assert old is not None
    assert old.at == NOW


def test_the_next_look_is_when_something_comes_near_enough_to_be_announced() -> None:
    minutes = HORIZON.total_seconds() / 60
    assert looked(evse(), temporary_status(minutes + 90, None)).now.recheck_at == at(90)


def test_what_is_only_announced_owes_nobody_a_status() -> None:
    first, second = temporary_status(60, 120), temporary_status(180, 240, number=2)
    before = looked(evse(), first).now
    ahead = looked(evse(), first, second, before=before, minute=1)
    assert (ahead.now.version, ahead.now.status_version, ahead.now.schedule_version) == (9, 8, 9)
    assert owed(ahead, partner(), delivery(want=8, acked=8)) is None


AHEAD = looked(evse(), temporary_status(60, 120))
TOLD = {(1, 1, Aspect.STATUS): delivery(want=8, acked=8, acked_at=at(-1))}


def test_a_schedule_is_owed_to_who_gets_schedules_once_there_is_one() -> None:
    (new,) = owed_by(AHEAD, [partner(gets_schedule=True)], TOLD, NOW)
    assert (new.created, new.at, new.delivery.aspect, new.delivery.want) == (True, NOW, Aspect.SCHEDULE, 8)
    assert owed_by(AHEAD, [partner()], TOLD, NOW) == []
    assert owed_by(UNMOVED, [partner(gets_schedule=True)], {(1, 1, Aspect.STATUS): delivery()}, NOW) == []


def test_a_schedule_that_was_there_before_a_new_partner_is_told_it_only_if_it_asked_for_that() -> None:
    later = looked(evse(), temporary_status(60, 120), before=AHEAD.now, minute=1)
    for tells_fleet in (False, True):
        receiver = partner(gets_schedule=True, tells_fleet=tells_fleet)
        status, schedule = owed_by(later, [receiver], {}, NOW)
        assert (status.delivery.aspect, schedule.delivery.aspect) == (Aspect.STATUS, Aspect.SCHEDULE)
        assert (schedule.at is not None) is tells_fleet


def test_a_schedule_that_is_empty_again_is_owed_as_such_also_where_no_more_are_wanted() -> None:
    given_up = looked(evse(), before=AHEAD.now, minute=1)
    schedule = delivery(aspect=Aspect.SCHEDULE, want=8, acked=8)
    for gets_schedule in (False, True):
        found = owed_by(given_up, [partner(gets_schedule=gets_schedule)], {**TOLD, schedule.key: schedule}, NOW)
        assert [(one.created, one.at, one.delivery.aspect, one.delivery.want) for one in found] == [
            (False, NOW, Aspect.STATUS, 9),
            (False, NOW, Aspect.SCHEDULE, 9),
        ]
