"""A time of day in a zone."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.daily import Daily

BERLIN = Daily(time(2, 30), "Europe/Berlin")
DAY = timedelta(days=1)
FIRST, LAST = (datetime(year, 1, 1) for year in (2020, 2035))  # noqa: DTZ001 - the strategy adds the zone


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "latest"),
    [
        ("2026-07-01T00:29:59.999", "2026-06-30T00:30"),
        ("2026-07-01T00:30", "2026-07-01T00:30"),
        ("2026-07-01T23:59", "2026-07-01T00:30"),
        ("2026-01-10T12:00", "2026-01-10T01:30"),
        # The clock goes from 02:00 to 03:00: there is no 02:30, so it is done at what would have been it.
        ("2026-03-29T01:29", "2026-03-28T01:30"),
        ("2026-03-29T01:30", "2026-03-29T01:30"),
        # The clock goes from 03:00 back to 02:00: there are two, so it is done at the first.
        ("2026-10-25T00:30", "2026-10-25T00:30"),
        ("2026-10-25T01:30", "2026-10-25T00:30"),
    ],
)
def test_it_was_last_that_time_of_day(at: str, latest: str) -> None:
    assert BERLIN.latest(utc(at)) == utc(latest)


@given(
    at=st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/New_York", "Australia/Lord_Howe"]),
    of_day=st.times(),
)
def test_it_never_lies_ahead_nor_more_than_a_day_and_a_changed_hour_behind(
    at: datetime, zone: str, of_day: time
) -> None:
    daily = Daily(of_day, zone)
    latest = daily.latest(at)
    assert latest <= at < latest + DAY + timedelta(hours=1, seconds=1)
    assert daily.latest(latest) == latest
    assert at < daily.next(at)
    assert daily.latest(daily.next(at) - timedelta(seconds=1)) == latest


def test_it_says_what_it_is() -> None:
    assert str(BERLIN) == "02:30 Europe/Berlin"
