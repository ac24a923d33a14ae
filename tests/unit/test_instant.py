from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import MalformedInstant
from app.domain.instant import EARLIEST, LATEST, MILLISECOND, instant, parse_instant, rfc3339

HALF_PAST_SEVEN = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-11-21T07:30:00Z", id="Z"),
        pytest.param("2026-11-21t07:30:00z", id="lower case"),
        pytest.param("2026-11-21 07:30:00Z", id="a space instead of T"),
        pytest.param("2026-11-21T09:30:00+02:00", id="+02:00"),
        pytest.param("2026-11-21T09:30:00+0200", id="+0200"),
        pytest.param("2026-11-21T02:00:00-05:30", id="-05:30"),
        pytest.param("2026-11-22T07:29:00+23:59", id="+23:59 is the day before in UTC"),
        pytest.param("2026-11-21T07:30:00+00:00", id="+00:00"),
        pytest.param("2026-11-21T07:30:00-00:00", id="-00:00"),
        pytest.param("2026-11-21T07:30:00.000000000000Z", id="twelve fraction digits"),
    ],
)
def test_every_way_to_write_a_time_with_an_offset_is_read(text: str) -> None:
    read = parse_instant(text)

    assert read == HALF_PAST_SEVEN
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    ("fraction", "microseconds"),
    [
        pytest.param("5", 500_000, id="tenths"),
        pytest.param("05", 50_000, id="hundredths"),
        pytest.param("123", 123_000, id="milliseconds"),
        pytest.param("1239", 123_000, id="four digits"),
        pytest.param("123999", 123_000, id="microseconds"),
        pytest.param("9999", 999_000, id="never up into the next second"),
        pytest.param("999999999999", 999_000, id="picoseconds"),
        pytest.param("0009", 0, id="less than a millisecond"),
    ],
)
def test_a_fraction_is_truncated_never_rounded(fraction: str, microseconds: int) -> None:
    assert parse_instant(f"2026-11-21T07:30:00.{fraction}Z") == HALF_PAST_SEVEN.replace(microsecond=microseconds)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-11-21T07:30:00", id="no offset"),
        pytest.param("2026-11-21", id="a date alone"),
        pytest.param("07:30:00Z", id="a time alone"),
        pytest.param("2026-11-21T07:30Z", id="no seconds"),
        pytest.param("20261121T073000Z", id="ISO 8601 basic form"),
        pytest.param("2026-W47-6T07:30:00Z", id="ISO week"),
        pytest.param("2026-11-21T07:30:00.Z", id="a dot without a fraction"),
        pytest.param("2026-11-21T07:30:00,5Z", id="a decimal comma"),
        pytest.param("2026-11-21T07:30:00.0000000000000Z", id="thirteen fraction digits"),
        pytest.param("2026-11-21T07:30:00+2", id="a bare hour digit as offset"),
        pytest.param("2026-11-21T07:30:00+02", id="an offset without minutes"),
        pytest.param("2026-11-21T07:30:00+02:00:30", id="an offset with seconds"),
        pytest.param("2026-11-21T07:30:00Europe/Berlin", id="a zone's name"),
        pytest.param("2026-11-21T07:30:00\N{MINUS SIGN}05:00", id="a typographic minus"),
        pytest.param("2026-11-21T07:30:00Z\n", id="a trailing newline"),
        pytest.param(" 2026-11-21T07:30:00Z", id="a leading space"),
        pytest.param("2026-11-21T07:30:0\N{FULLWIDTH DIGIT ZERO}Z", id="a full-width digit"),
        pytest.param("2026-11-21T07:30:0\N{ARABIC-INDIC DIGIT ZERO}Z", id="an Arabic digit"),
        pytest.param("-026-11-21T07:30:00Z", id="a sign in the year"),
        pytest.param("1795246200", id="seconds since 1970"),
        pytest.param("", id="nothing"),
        pytest.param("2" * 1_000_000, id="a megabyte"),
    ],
)
def test_what_is_no_time_with_an_offset_is_refused(text: str) -> None:
    with pytest.raises(MalformedInstant, match="not an RFC 3339 time"):
        parse_instant(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-11-21T24:00:00Z", id="24:00"),
        pytest.param("2026-11-21T23:59:60Z", id="leap second"),
        pytest.param("2026-11-21T23:60:00Z", id="minute 60"),
        pytest.param("2026-02-29T07:30:00Z", id="29 February of a common year"),
        pytest.param("2026-13-01T07:30:00Z", id="month 13"),
        pytest.param("2026-00-01T07:30:00Z", id="month 0"),
        pytest.param("0000-01-01T00:00:00Z", id="year 0"),
        pytest.param("2026-11-21T07:30:00+24:00", id="offset of a whole day"),
        pytest.param("2026-11-21T07:30:00+02:60", id="offset minute 60"),
        pytest.param("2026-11-21T07:30:00-0299", id="offset minute 99"),
    ],
)
def test_a_time_that_no_clock_shows_is_refused(text: str) -> None:
    with pytest.raises(MalformedInstant):
        parse_instant(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("9999-12-31T23:59:59-01:00", id="year 9999 with a negative offset"),
        pytest.param("0001-01-01T00:00:00+01:00", id="year 1 with a positive offset"),
        pytest.param("1999-12-31T23:59:59.999999Z", id="just before 2000"),
        pytest.param("2000-01-01T00:00:00+00:01", id="2000 locally but 1999 in UTC"),
        pytest.param("2100-01-01T00:00:00Z", id="2100"),
        pytest.param("2099-12-31T23:59:59-00:01", id="2099 locally but 2100 in UTC"),
    ],
)
def test_a_time_outside_the_years_2000_to_2099_is_refused(text: str) -> None:
    with pytest.raises(MalformedInstant, match="between the years 2000 and 2099"):
        parse_instant(text)


def test_the_first_and_the_last_millisecond_are_accepted() -> None:
    assert parse_instant("2000-01-01T00:00:00Z") == EARLIEST
    assert parse_instant("2100-01-01T00:59:59.9999+01:00") == LATEST - MILLISECOND
    assert rfc3339(LATEST - MILLISECOND) == "2099-12-31T23:59:59.999Z"


def test_the_hour_that_daylight_saving_repeats_is_two_different_hours() -> None:
    summer, winter = parse_instant("2026-10-25T02:30:00+02:00"), parse_instant("2026-10-25T02:30:00+01:00")

    assert winter - summer == timedelta(hours=1)


def test_the_hour_that_daylight_saving_skips_can_be_written() -> None:
    assert parse_instant("2026-03-29T02:30:00+01:00") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_datetime_without_an_offset_is_refused() -> None:
    with pytest.raises(MalformedInstant, match="needs an offset"):
        instant(HALF_PAST_SEVEN.replace(tzinfo=None))


def test_a_datetime_is_truncated_after_it_has_been_brought_to_utc() -> None:
    odd = timezone(timedelta(microseconds=600))

    assert instant(datetime(2026, 11, 21, 7, 30, 0, 500, tzinfo=odd)) == HALF_PAST_SEVEN - MILLISECOND


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(HALF_PAST_SEVEN, "2026-11-21T07:30:00.000Z", id="a whole second"),
        pytest.param(HALF_PAST_SEVEN.replace(microsecond=7_999), "2026-11-21T07:30:00.007Z", id="padded, truncated"),
        pytest.param(EARLIEST, "2000-01-01T00:00:00.000Z", id="the earliest"),
    ],
)
def test_an_instant_is_written_with_z_and_three_digits(value: datetime, written: str) -> None:
    assert rfc3339(value) == written


OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=OFFSETS)  # noqa: DTZ001 -- bounds are naive


@given(moment=MOMENTS)
def test_an_instant_is_at_most_a_millisecond_before_the_moment_and_never_after_it(moment: datetime) -> None:
    assert timedelta(0) <= moment - instant(moment) < MILLISECOND


@given(moment=MOMENTS)
def test_what_is_written_is_read_back_whatever_offset_it_came_with(moment: datetime) -> None:
    assert parse_instant(moment.isoformat()) == instant(moment) == parse_instant(rfc3339(instant(moment)))
