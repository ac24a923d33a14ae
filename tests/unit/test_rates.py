"""How often somebody may call."""

from datetime import timedelta

import pytest

from app.api.rates import Buckets, Rates, neighbourhood
from tests.clock import START, FrozenClock


def test_a_minutes_worth_may_come_at_once_and_not_one_more():
    buckets = Buckets(FrozenClock())
    assert [buckets.take("a", 3) for _ in range(3)] == [0.0] * 3
    assert buckets.take("a", 3) == pytest.approx(20)
    assert buckets.take("b", 3) == 0.0


def test_one_comes_back_after_the_time_that_was_said_and_no_sooner():
    clock = FrozenClock()
    buckets = Buckets(clock)
    assert buckets.take("a", 1) == 0.0
    clock.advance(timedelta(seconds=59.5))
    assert buckets.take("a", 1) == pytest.approx(0.5)
    clock.advance(timedelta(seconds=0.5))
    assert buckets.take("a", 1) == 0.0
    assert buckets.take("a", 1) > 0


def test_who_waits_long_has_no_more_than_a_minutes_worth():
    clock = FrozenClock()
    buckets = Buckets(clock)
    buckets.take("a", 2)
    clock.advance(timedelta(hours=1))
    assert [buckets.take("a", 2) > 0 for _ in range(3)] == [False, False, True]


def test_a_wall_clock_that_is_set_makes_no_difference():
    clock = FrozenClock()
    buckets = Buckets(clock)
    buckets.take("a", 1)
    clock.set(START + timedelta(days=365))
    assert buckets.take("a", 1) == pytest.approx(60)
    clock.set(START - timedelta(days=365))
    assert buckets.take("a", 1) == pytest.approx(60)


def test_a_rate_that_is_lowered_counts_at_once():
    buckets = Buckets(FrozenClock())
    buckets.take("a", 100)
    assert [buckets.take("a", 2) > 0 for _ in range(3)] == [False, False, True]


def test_memory_is_bounded_and_who_calls_is_not_forgotten():
    buckets = Buckets(FrozenClock(), most=10)
    buckets.take("busy", 1)
    for number in range(1000):
        buckets.take(str(number), 1)
        assert buckets.take("busy", 1) > 0
    assert len(buckets) == 10


def test_a_key_without_a_rate_is_not_counted():
    rates = Rates(FrozenClock(), failures=1)
    assert [rates.call("a", None) for _ in range(10)] == [0.0] * 10


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        (None, "testclient", True),
    ],
)
def test_ipv6_addresses_are_counted_by_their_64(one: str | None, other: str | None, same: bool):
    assert (neighbourhood(one) == neighbourhood(other)) is same
    rates = Rates(FrozenClock(), failures=1)
    assert rates.failure(one) == 0.0
    assert (rates.failure(other) > 0) is same
