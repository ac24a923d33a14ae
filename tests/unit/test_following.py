"""Following the record: whatever order changes are committed in, each EVSE's latest is told, and soon."""

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.api.event_shapes import cursor_of, position_of
from app.domain.following import OVERLAP, SKEW, THOROUGH_EVERY, Follower, Position
from tests.clock import START

SECOND = timedelta(seconds=1)
KEPT = timedelta(days=90)

#: When a change of an EVSE carries its time, in seconds, and how much later it is committed.
changes = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 120), st.integers(0, 58)), min_size=1, max_size=20)


class Record:
    """The record as a reader sees it at an instant: what was committed by then, with keys in another order."""

    def __init__(self, written: list[tuple[int, int, int]]) -> None:
        # Of one EVSE they are committed in the order of their versions, as its row is locked, and their times rise.
        by_commit = sorted(written, key=lambda one: (one[1] + one[2], one))
        versions, times = dict.fromkeys(range(1, 5), 0), dict.fromkeys(range(1, 5), 0)
        self.rows = []
        for evse, second, late in by_commit:
            versions[evse] += 1
            times[evse] = max(times[evse], second)
            self.rows.append((evse, versions[evse], times[evse], second + late))
        keys = sorted(range(len(self.rows)), key=lambda index: self.rows[index][2])
        self.keys = {index: rank + 1 for rank, index in enumerate(keys)}
        self.latest = versions

    def seen(self, now: int, since: float, after: int | None = None) -> tuple[dict[int, int], int]:
        found: dict[int, int] = {}
        last = 0
        for index, (evse, version, second, committed) in enumerate(self.rows):
            if committed <= now and (second > since or (after is not None and self.keys[index] > after)):
                found[evse] = max(version, found.get(evse, 0))
                last = max(last, self.keys[index])
        return found, last


@settings(max_examples=50)
@example(written=[(1, 0, 2), (1, 1, 0)], pace=1, stop=60)
@given(written=changes, pace=st.integers(1, 7), stop=st.integers(0, 200))
def test_everything_is_told_once_in_time_and_who_goes_on_from_any_cursor_misses_nothing(
    written: list[tuple[int, int, int]], pace: int, stop: int
) -> None:
    record = Record(written)
    found, last = record.seen(-1, -1000)
    follower = Follower(START - SECOND, found, last)
    told: dict[int, int] = {}
    cursor, told_at_cursor = follower.position, dict(told)
    end = 200 + int(THOROUGH_EVERY.total_seconds()) + pace
    for now in range(0, end, pace):
        look = follower.look(START + now * SECOND)
        found, last = record.seen(now, (look.since - START).total_seconds())
        for evse in follower.news(found):
            assert follower.told(evse, found[evse])
            assert found[evse] > told.get(evse, 0)
            told[evse] = found[evse]
        follower.done(look, found, last)
        if now <= stop:
            cursor, told_at_cursor = follower.position, dict(told)
    assert told == {evse: version for evse, version in record.latest.items() if version}
    missed, _ = record.seen(end, (cursor.since - START).total_seconds(), cursor.last)
    assert {**told_at_cursor, **missed} == told
    assert len(follower) <= len(set(found))  # what no look comes by again is forgotten


def test_a_look_that_failed_is_made_again() -> None:
    follower = Follower(START, {}, 0)
    first = follower.look(START + SECOND)
    later = follower.look(START + 5 * SECOND)
    assert later.since == first.since
    assert follower.position == Position(START, 0)


def test_a_clock_that_is_stepped_back_hides_nothing() -> None:
    follower = Follower(START, {}, 0)
    back = START - timedelta(hours=1)
    look = follower.look(back)
    assert look.thorough
    assert look.since == back - OVERLAP
    follower.done(look, {7: 3}, 9)
    assert follower.position == Position(back, 9)


def test_what_was_told_at_a_later_version_is_no_news() -> None:
    follower = Follower(START, {7: 2}, 1)
    assert follower.news({7: 2, 8: 1}) == [8]
    assert follower.told(7, 4)
    assert not follower.told(7, 3)
    assert follower.news({7: 4}) == []


@pytest.mark.parametrize(
    ("position", "last", "good"),
    [
        (Position(START, 5), 5, True),
        (Position(START, 5), None, True),
        (Position(START, 5), 4, False),
        (Position(START + SKEW, 5), 5, True),
        (Position(START + SKEW + timedelta(milliseconds=1), 5), 5, False),
        (Position(START - KEPT + OVERLAP, 5), 5, True),
        (Position(START - KEPT + OVERLAP - timedelta(milliseconds=1), 5), 5, False),
    ],
)
def test_one_can_go_on_as_long_as_all_that_came_later_is_kept(position: Position, last: int | None, good: bool) -> None:
    assert position.is_good(START, KEPT, last) is good


@given(at=st.integers(0, 10**12), last=st.integers(0, 2**59))
def test_a_cursor_is_read_as_it_was_written(at: int, last: int) -> None:
    position = Position(START.replace(year=2001) + timedelta(milliseconds=at), last)
    written = cursor_of(position)
    assert written.isascii()
    assert written.replace("-", "").replace("_", "").isalnum()
    assert position_of(written) == position


@given(text=st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_anything_else_is_no_cursor(text: str) -> None:
    found = position_of(text)
    assert found is None or cursor_of(found) == text.rstrip("=")
