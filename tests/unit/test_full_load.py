"""When a full load is wanted, and when it is better not made."""

from datetime import UTC, datetime, time, timedelta

import pytest

from app.domain.daily import Daily
from app.domain.full_load import MOST_TRIES, PUT_OFF, FullLoad

DAILY = Daily(time(3), "UTC")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
THREE = datetime(2026, 7, 2, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SETTLE = timedelta(seconds=90)


def load(**known: object) -> FullLoad:
    return FullLoad(**{"partner": 1, "settled_at": NOON, **known})  # type: ignore[arg-type]


def test_it_is_wanted_daily_from_when_it_is_ours_to_make_and_not_before_its_time_of_day() -> None:
    assert not load().is_wanted(DAILY, NOON)
    assert not load().is_wanted(DAILY, THREE - SECOND)
    assert load().is_wanted(DAILY, THREE)
    assert load().is_wanted(DAILY, THREE + timedelta(days=100))


@pytest.mark.parametrize("how", ["accepted", "given up"])
def test_once_it_was_settled_it_is_wanted_the_next_day(how: str) -> None:
    begun = load().begun(THREE)
    settled = begun.accepted(5, THREE + SECOND) if how == "accepted" else begun.given_up("too small", THREE + SECOND)
    assert not settled.is_wanted(DAILY, THREE + SECOND)
    assert settled.is_wanted(DAILY, THREE + timedelta(days=1))


def test_it_is_wanted_at_once_when_somebody_asks_and_until_it_is_made() -> None:
    asked = load().asked("ops", NOON, forced=False)
    assert asked.is_wanted(DAILY, NOON)
    assert asked.begun(NOON).failed("the partner is away").is_wanted(DAILY, NOON + SECOND)
    assert not asked.begun(NOON).accepted(5, NOON + SECOND).is_wanted(DAILY, NOON + SECOND)


def test_one_that_is_asked_for_while_one_is_under_way_is_made_after_it() -> None:
    begun = load().asked("ops", NOON, forced=True).begun(NOON + SECOND)
    done = begun.asked("backend", NOON + 2 * SECOND, forced=False).accepted(5, NOON + 3 * SECOND)
    assert done.is_wanted(DAILY, NOON + 3 * SECOND)
    assert (done.asked_by, done.forced) == ("backend", False)


def test_force_holds_for_one_load() -> None:
    forced = load(accepted_count=100).asked("ops", NOON, forced=True)
    assert forced.objection(1) is None
    assert forced.begun(NOON).accepted(1, NOON).asked("ops", NOON, forced=False).objection(0) is not None


@pytest.mark.parametrize(
    ("before", "count", "good"),
    [
        (None, 0, False),
        (None, 1, True),
        (100, 90, True),
        (100, 89, False),
        (5, 4, False),
        (10, 9, True),
        (100, 500, True),
    ],
)
def test_one_that_is_empty_or_more_than_a_tenth_smaller_is_not_made(before: int | None, count: int, good: bool) -> None:
    assert (load(accepted_count=before).objection(count) is None) is good
    assert load(accepted_count=before, forced=True).objection(count) is None


def test_one_of_unknown_outcome_is_in_doubt_until_it_can_no_longer_arrive() -> None:
    doubtful = load().begun(NOON).doubted(NOON, SETTLE).put_off("no answer", NOON)
    assert not doubtful.is_in_doubt(NOON + SETTLE - SECOND, SETTLE)
    assert doubtful.is_in_doubt(NOON + SETTLE, SETTLE)
    assert not doubtful.told_anew().is_in_doubt(NOON + SETTLE, SETTLE)


def test_a_later_one_that_is_accepted_leaves_the_doubt() -> None:
    again = (
        load()
        .begun(NOON)
        .doubted(NOON, SETTLE)
        .put_off("no answer", NOON)
        .begun(NOON + SECOND)
        .accepted(5, NOON + 2 * SECOND)
    )
    assert again.is_in_doubt(NOON + SETTLE, SETTLE)


def test_one_that_comes_to_nothing_waits_and_is_given_up_in_the_end() -> None:
    one = load().asked("ops", NOON, forced=False)
    at = NOON
    for _ in range(MOST_TRIES - 1):
        one = one.begun(at).put_off("unknown EVSE", at)
        assert not one.is_wanted(DAILY, at + PUT_OFF - SECOND)
        at += PUT_OFF
        assert one.is_wanted(DAILY, at)
    one = one.begun(at).put_off("unknown EVSE", at)
    assert not one.is_wanted(DAILY, at)
    assert one.last_error == "unknown EVSE"


def test_one_asked_for_by_a_clock_that_was_ahead_is_made_once() -> None:
    ahead = load(asked_at=NOON + timedelta(days=3653)).begun(NOON).accepted(5, NOON + SECOND)
    assert not ahead.is_wanted(DAILY, NOON + SECOND)


def test_that_others_are_refused_is_said_before_anybody_forces_it() -> None:
    assert "35 more that the partner refuses" in str(load(accepted_count=37).objection(2, 35))
    assert "1 more that the partner refuses" in str(load().objection(0, 1))
    assert load(accepted_count=37).objection(37, 35) is None


def test_a_clock_that_was_ahead_leaves_nothing_waiting_for_years() -> None:
    years = timedelta(days=3653)
    assert load(settled_at=NOON + years).is_wanted(DAILY, NOON)
    assert load(asked_at=NOON, next_at=NOON + years).is_wanted(DAILY, NOON)
    assert load(doubtful_until=NOON + years).is_in_doubt(NOON, SETTLE)
