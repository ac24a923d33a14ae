"""Durations in ISO 8601, there and back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.duration import LONGEST, iso_duration, parse_duration, short_duration
from app.domain.errors import MalformedValue

durations = st.timedeltas(timedelta(), LONGEST).map(lambda one: timedelta(seconds=int(one.total_seconds())))


@given(durations)
def test_what_is_written_reads_as_it_was(one: timedelta):
    assert parse_duration(iso_duration(one)) == one


@pytest.mark.parametrize(
    ("text", "duration", "short"),
    [
        ("PT12H", timedelta(hours=12), "12h"),
        ("P90D", timedelta(days=90), "90d"),
        ("P1DT30M", timedelta(days=1, minutes=30), "1d30m"),
        ("PT0S", timedelta(), "0s"),
    ],
)
def test_they_are_written_short(text: str, duration: timedelta, short: str):
    assert (iso_duration(duration), short_duration(duration)) == (text, short)
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "wrong",
    ["", "P", "PT", "12h", "P1Y", "P1M", "PT1.5H", "-PT1H", "pt1h", "PT1H\n", "PT\uff11H", "P3651D", "PT999999H"],
)
def test_what_is_none_or_too_long_is_refused(wrong: str):
    with pytest.raises(MalformedValue):
        parse_duration(wrong)
