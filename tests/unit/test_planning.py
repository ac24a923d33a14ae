from datetime import datetime

import msgspec
import pytest

from app.domain.errors import AlreadyOver, DomainError, EmptyInterval, HasBegun, HasEnded
from app.domain.interval import Interval
from app.domain.planning import Changes, asked_interval, changed, ended, may_become
from app.domain.status import AppliesWhen, Kind
from app.domain.temporary_status import State, TemporaryStatus
from tests.unit.builders import at, temporary_status

NOW = at(15)
PLANNED = temporary_status(20, 40)
ACTIVE = temporary_status(10, 40)
OPEN = temporary_status(10, None)
OVER = temporary_status(0, 10)
ENDED_EARLY = temporary_status(0, 40, ended_at=10)
NEVER_BEGUN = temporary_status(20, 40, ended_at=10)
ENDED_BY_A_FAST_CLOCK = temporary_status(10, 40, ended_at=30)


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "window"),
    [
        pytest.param(None, None, Interval(NOW), id="neither: from now on"),
        pytest.param(None, at(16), Interval(NOW, at(16)), id="no start: from now"),
        pytest.param(at(20), None, Interval(at(20)), id="no end: open"),
        pytest.param(at(20), at(40), Interval(at(20), at(40)), id="both ahead"),
        pytest.param(at(10), at(40), Interval(NOW, at(40)), id="a start in the past is now"),
        pytest.param(at(10), None, Interval(NOW), id="a start in the past, open"),
        pytest.param(NOW, at(40), Interval(NOW, at(40)), id="a start that is now"),
    ],
)
def test_a_window_is_asked_for(valid_from: datetime | None, valid_to: datetime | None, window: Interval) -> None:
    assert asked_interval(valid_from, valid_to, NOW) == window


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "refusal"),
    [
        pytest.param(at(20), at(20), EmptyInterval, id="ends as it begins"),
        pytest.param(at(20), at(19), EmptyInterval, id="ends before it begins"),
        pytest.param(at(10), at(9), EmptyInterval, id="empty and past: empty is said"),
        pytest.param(at(10), at(10), EmptyInterval, id="no time at all, and past: empty is said"),
        pytest.param(at(10), at(14), AlreadyOver, id="wholly past"),
        pytest.param(at(10), NOW, AlreadyOver, id="ends now"),
        pytest.param(None, NOW, AlreadyOver, id="no start, ends now"),
        pytest.param(None, at(14), AlreadyOver, id="no start, ends in the past"),
    ],
)
def test_a_window_that_could_never_be_shown_is_refused(
    valid_from: datetime | None, valid_to: datetime, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal) as refused:
        asked_interval(valid_from, valid_to, NOW)

    assert refused.value.field == "validTo"


@pytest.mark.parametrize(
    ("one", "changes", "different"),
    [
        pytest.param(PLANNED, Changes(kind=Kind.RESERVED), temporary_status(20, 40, kind=Kind.RESERVED), id="kind"),
        pytest.param(PLANNED, Changes(valid_from=at(30)), temporary_status(30, 40), id="later start"),
        pytest.param(PLANNED, Changes(valid_from=at(18)), temporary_status(18, 40), id="earlier start"),
        pytest.param(PLANNED, Changes(valid_from=NOW), temporary_status(15, 40), id="start now"),
        pytest.param(PLANNED, Changes(valid_from=at(5)), temporary_status(15, 40), id="a start in the past is now"),
        pytest.param(PLANNED, Changes(valid_to=at(30)), temporary_status(20, 30), id="earlier end"),
        pytest.param(PLANNED, Changes(valid_to=at(50)), temporary_status(20, 50), id="later end"),
        pytest.param(PLANNED, Changes(valid_to=None), temporary_status(20, None), id="open end"),
        pytest.param(
            PLANNED, Changes(valid_from=at(50), valid_to=at(60)), temporary_status(50, 60), id="moved past its old end"
        ),
        pytest.param(
            PLANNED, Changes(valid_from=at(5), valid_to=at(16)), temporary_status(15, 16), id="moved ahead of its start"
        ),
        pytest.param(
            temporary_status(20, None),
            Changes(valid_from=at(30)),
            temporary_status(30, None),
            id="later start, open end",
        ),
        pytest.param(PLANNED, Changes(reason="car"), temporary_status(20, 40, reason="car"), id="reason"),
        pytest.param(ACTIVE, Changes(valid_to=at(16)), temporary_status(10, 16), id="active: earlier end"),
        pytest.param(ACTIVE, Changes(valid_to=at(50)), temporary_status(10, 50), id="active: later end"),
        pytest.param(ACTIVE, Changes(valid_to=None), temporary_status(10, None), id="active: open end"),
        pytest.param(OPEN, Changes(valid_to=at(50)), temporary_status(10, 50), id="active: an end at last"),
        pytest.param(ACTIVE, Changes(reason="car"), temporary_status(10, 40, reason="car"), id="active: reason"),
        pytest.param(
            ACTIVE,
            Changes(applies_when=AppliesWhen.IDLE),
            temporary_status(10, 40, applies_when=AppliesWhen.IDLE),
            id="active: applies when",
        ),
        pytest.param(
            ACTIVE, Changes(valid_from=at(10), valid_to=at(50)), temporary_status(10, 50), id="active: its own start"
        ),
    ],
)
def test_a_change_touches_what_it_names_and_counts_up_the_revision(
    one: TemporaryStatus, changes: Changes, different: TemporaryStatus
) -> None:
    assert changed(one, changes, NOW) == msgspec.structs.replace(different, revision=2, updated_at=NOW)


def test_a_reason_can_be_taken_back() -> None:
    one = temporary_status(10, 40, reason="car")

    assert changed(one, Changes(reason=None), NOW).reason is None


@pytest.mark.parametrize(
    ("one", "changes"),
    [
        pytest.param(PLANNED, Changes(), id="nothing named"),
        pytest.param(PLANNED, Changes(kind=Kind.BLOCKED, valid_from=at(20), valid_to=at(40)), id="what it is already"),
        pytest.param(ACTIVE, Changes(kind=Kind.BLOCKED, valid_from=at(10)), id="active: what it is already"),
        pytest.param(OPEN, Changes(valid_to=None), id="open already"),
    ],
)
def test_a_change_that_changes_nothing_is_no_revision(one: TemporaryStatus, changes: Changes) -> None:
    assert changed(one, changes, NOW) is one


@pytest.mark.parametrize(
    ("one", "changes", "refusal", "field"),
    [
        pytest.param(ACTIVE, Changes(valid_from=at(9)), HasBegun, "validFrom", id="begun: an earlier start"),
        pytest.param(ACTIVE, Changes(valid_from=at(20)), HasBegun, "validFrom", id="begun: a later start"),
        pytest.param(ACTIVE, Changes(valid_from=NOW), HasBegun, "validFrom", id="begun: a start now"),
        pytest.param(ACTIVE, Changes(kind=Kind.RESERVED), HasBegun, "temporaryStatus", id="begun: another kind"),
        pytest.param(ACTIVE, Changes(valid_to=NOW), AlreadyOver, "validTo", id="begun: ends now"),
        pytest.param(ACTIVE, Changes(valid_to=at(14)), AlreadyOver, "validTo", id="begun: ends in the past"),
        pytest.param(ACTIVE, Changes(valid_to=at(5)), AlreadyOver, "validTo", id="begun: ends before it began"),
        pytest.param(PLANNED, Changes(valid_to=at(20)), EmptyInterval, "validTo", id="planned: ends as it begins"),
        pytest.param(PLANNED, Changes(valid_to=at(19)), EmptyInterval, "validTo", id="planned: ends before it begins"),
        pytest.param(PLANNED, Changes(valid_to=NOW), AlreadyOver, "validTo", id="planned: ends now"),
        pytest.param(
            PLANNED, Changes(valid_from=at(40)), EmptyInterval, "validTo", id="planned: start moved onto its end"
        ),
        pytest.param(
            PLANNED, Changes(valid_from=at(5), valid_to=at(5)), EmptyInterval, "validTo", id="planned: empty and past"
        ),
        pytest.param(
            PLANNED, Changes(valid_from=at(5), valid_to=at(14)), AlreadyOver, "validTo", id="planned: wholly past"
        ),
        pytest.param(OVER, Changes(valid_to=at(50)), HasEnded, None, id="over: no longer"),
        pytest.param(OVER, Changes(), HasEnded, None, id="over: not even nothing"),
        pytest.param(ENDED_EARLY, Changes(reason="car"), HasEnded, None, id="ended early: no reason any more"),
        pytest.param(NEVER_BEGUN, Changes(valid_from=at(30)), HasEnded, None, id="never begun: not planned again"),
    ],
)
def test_a_change_that_would_rewrite_what_was_shown_is_refused(
    one: TemporaryStatus, changes: Changes, refusal: type[DomainError], field: str | None
) -> None:
    with pytest.raises(refusal) as refused:
        changed(one, changes, NOW)

    assert type(refused.value) is refusal
    assert refused.value.field == field


def test_what_begins_at_this_instant_has_begun() -> None:
    with pytest.raises(HasBegun):
        changed(PLANNED, Changes(kind=Kind.RESERVED), at(20))


def test_ending_says_when_who_and_why() -> None:
    expected = msgspec.structs.replace(
        ACTIVE, ended_at=NOW, ended_by="sensor", end_reason="free again", revision=2, updated_at=NOW
    )

    assert ended(ACTIVE, NOW, "sensor", "free again") == expected


@pytest.mark.parametrize("one", [PLANNED, ACTIVE, OPEN], ids=["planned", "active", "open end"])
def test_whatever_is_ended_is_over_at_once_and_for_ever(one: TemporaryStatus) -> None:
    over = ended(one, NOW, "key", "deleted")

    assert [over.state(at(minute)) for minute in (15, 20, 39, 40, 999)] == [State.ENDED] * 5


def test_what_is_ended_keeps_the_window_that_was_asked_for() -> None:
    assert ended(ACTIVE, NOW, "key", "deleted").interval == ACTIVE.interval


@pytest.mark.parametrize("one", [OVER, ENDED_EARLY, NEVER_BEGUN], ids=["over", "ended early", "never begun"])
def test_what_is_over_is_not_ended_again(one: TemporaryStatus) -> None:
    assert ended(one, NOW, "key", "deleted") is one


def test_what_ends_at_this_instant_needs_no_ending() -> None:
    assert ended(ACTIVE, at(40), "key", "deleted") is ACTIVE


@pytest.mark.parametrize(
    ("old", "kind", "begin", "allowed"),
    [
        pytest.param(PLANNED, Kind.BLOCKED, 30, True, id="planned: later"),
        pytest.param(PLANNED, Kind.RESERVED, 10, True, id="planned: another kind, at once"),
        pytest.param(ACTIVE, Kind.BLOCKED, 10, True, id="active: goes on from its start"),
        pytest.param(ACTIVE, Kind.BLOCKED, 15, True, id="active: goes on from now"),
        pytest.param(ACTIVE, Kind.BLOCKED, 16, False, id="active: cannot begin again later"),
        pytest.param(ACTIVE, Kind.RESERVED, 15, False, id="active: cannot be another kind"),
        pytest.param(OPEN, Kind.BLOCKED, 15, True, id="open end: goes on"),
        pytest.param(OVER, Kind.BLOCKED, 30, False, id="over: a new one follows"),
        pytest.param(ENDED_EARLY, Kind.BLOCKED, 15, False, id="ended early: a new one follows"),
        pytest.param(NEVER_BEGUN, Kind.BLOCKED, 30, False, id="never begun: a new one follows"),
    ],
)
def test_what_may_become_of_it_in_place(old: TemporaryStatus, kind: Kind, begin: float, allowed: bool) -> None:
    assert may_become(old, kind, at(begin), NOW) is allowed


def test_what_begins_at_this_instant_may_only_go_on() -> None:
    assert may_become(PLANNED, PLANNED.kind, at(20), at(20))
    assert not may_become(PLANNED, Kind.RESERVED, at(20), at(20))
    assert not may_become(PLANNED, PLANNED.kind, at(21), at(20))


def test_what_was_ended_stays_ended_though_the_clock_that_said_when_was_ahead() -> None:
    with pytest.raises(HasEnded):
        changed(ENDED_BY_A_FAST_CLOCK, Changes(valid_to=at(50)), NOW)

    assert ended(ENDED_BY_A_FAST_CLOCK, NOW, "the-key", "deleted") is ENDED_BY_A_FAST_CLOCK
    assert not may_become(ENDED_BY_A_FAST_CLOCK, ENDED_BY_A_FAST_CLOCK.kind, NOW, NOW)
