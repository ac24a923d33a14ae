"""Thousands of histories in memory: whatever happens, every partner ends on the truth, in order and at rest."""

from collections import Counter
from collections.abc import Iterable

import pytest

from tests.simulation.ambushes import a_freeze_on_the_way_to_the_socket
from tests.simulation.flaws import says_nothing_when_late
from tests.simulation.plan import ambush_of, plan_of
from tests.simulation.playing import play, report
from tests.simulation.rules import Rules
from tests.simulation.trouble import Event, Fate, Killed
from tests.simulation.virtual_time import FOR_EVER

CHUNK = 600


@pytest.mark.parametrize("first", range(0, 10 * CHUNK, CHUNK))
def test_every_history_ends_with_the_partner_on_the_truth(first: int) -> None:
    none_is_wrong(range(first, first + CHUNK))


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", [10_000, 30_000])
def test_every_one_of_many_more_histories_ends_with_the_partner_on_the_truth(first: int) -> None:
    none_is_wrong(range(first, first + 20_000))


def test_a_history_with_crashes_ends_at_the_partner_as_it_does_without_them() -> None:
    plans = [plan for plan in map(plan_of, range(1200)) if any(isinstance(one, Killed) for one in plan.events)]
    assert len(plans) > 300
    for plan in plans:
        crashed, spared = play(plan), play(plan.without(Killed))
        assert crashed.end == spared.end, f"{report(crashed)}\n\nWithout crashes:\n{report(spared)}"


def test_a_history_takes_the_same_course_whenever_it_is_played() -> None:
    for seed in range(20):
        assert play(plan_of(seed)).trace == play(plan_of(seed)).trace


def test_what_a_process_frozen_on_the_way_to_the_socket_put_back_is_put_right_if_it_lives_to_be_answered() -> None:
    # Frozen for longer than it takes to settle, between the last look at the lease and the first byte: nobody else
    # can tell. If it dies before it is answered that is the limit, but not for a partner that compares versions.
    plans = [ambush_of(seed, a_freeze_on_the_way_to_the_socket) for seed in range(50)]
    lives = [play(plan, Rules(written_within=FOR_EVER)) for plan in plans]
    dies = [play(plan, Rules(written_within=FOR_EVER, after_outcome=says_nothing_when_late)) for plan in plans]
    assert all(one.end.newest == one.end.truth for one in lives + dies)
    assert all(one.end.last_written == one.end.truth for one in lives)
    assert any(one.end.last_written != one.end.truth for one in dies)


def test_everything_that_can_happen_does() -> None:
    plans = [plan_of(seed) for seed in range(400)]
    happened = Counter(type(event) for plan in plans for event in plan.events)
    assert set(happened) == set(Event.__args__)
    assert {fate for plan in plans for fate in plan.odds} == set(Fate) - {Fate.FINE}
    histories = [play(plan) for plan in plans]
    told = Counter(verb for history in histories for _, _, verb, _ in history.trace)
    assert told["dies"] > 50
    assert told["freezes"] > 50
    assert told["has lost"] > 10  # its row, to another replica
    assert told["notices a step back"] > 50
    assert told["applies"] > 1000
    outcomes = Counter(details.get("outcome") for history in histories for _, _, _, details in history.trace)
    assert set(outcomes) == {None, "Delivered", "Rejected", "Refused", "NotSent", "Unknown"}


def none_is_wrong(seeds: Iterable[int]) -> None:
    for seed in seeds:
        history = play(plan_of(seed))
        if history.judge.wrong:
            pytest.fail(report(history))
