"""Since when the clock runs evenly: what a step of it hides is not believed."""

from datetime import timedelta

from app.schedule.steadiness import Steadiness
from tests.clock import START, FrozenClock

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def test_a_clock_that_runs_evenly_is_believed_from_the_beginning(clock: FrozenClock) -> None:
    steadiness = Steadiness(clock)
    for _ in range(3):
        assert steadiness.since(clock.advance(HOUR)) == START


def test_a_step_ahead_is_noticed_at_the_next_look_and_what_was_before_it_no_longer_counts(clock: FrozenClock) -> None:
    steadiness = Steadiness(clock)
    clock.advance(MINUTE)
    clock.set(clock.now() + HOUR)
    stepped_at = clock.now()
    assert steadiness.since(stepped_at) == stepped_at
    assert steadiness.since(clock.advance(MINUTE)) == stepped_at


def test_a_step_back_does_not_leave_it_in_the_future(clock: FrozenClock) -> None:
    steadiness = Steadiness(clock)
    clock.set(START + HOUR)
    steadiness.since(clock.now())
    clock.set(START + MINUTE)
    assert steadiness.since(clock.now()) == START + MINUTE
    assert steadiness.since(clock.advance(HOUR)) == START + MINUTE


def test_a_clock_that_is_nudged_by_a_second_runs_evenly(clock: FrozenClock) -> None:
    steadiness = Steadiness(clock)
    clock.set(clock.advance(MINUTE) + timedelta(seconds=1))
    assert steadiness.since(clock.now()) == START
