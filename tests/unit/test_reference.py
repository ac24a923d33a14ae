"""What is known under a reference after a plan and after a cancel, whatever was known before."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import StaleVersion
from app.domain.reference import FINAL_FOR, Reference, SourceVersion, cancelled, planned
from tests.unit.builders import at

THEN, NOW = at(0), at(10)
JUST: Final = THEN + FINAL_FOR - timedelta(milliseconds=1)
A_DAY_LATER: Final = THEN + FINAL_FOR
STALE: Final = "stale"

NOTHING = None
AT_5 = Reference(at=THEN, version=5)
SINCE = Reference(at=THEN, version=at(5))
CANCELLED_AT_5 = Reference(at=THEN, version=5, cancelled_at=THEN)
CANCELLED = Reference(at=THEN, cancelled_at=THEN, blind=True)
CANCELLED_AFTER_5 = Reference(at=THEN, version=5, cancelled_at=THEN, blind=True)


def now_at(version: SourceVersion) -> Reference:
    return Reference(at=NOW, version=version)


@pytest.mark.parametrize(
    ("known", "version", "expected"),
    [
        pytest.param(NOTHING, None, NOTHING, id="nothing has to be remembered"),
        pytest.param(NOTHING, 0, now_at(0), id="the first version"),
        pytest.param(NOTHING, at(5), now_at(at(5)), id="the first time"),
        pytest.param(AT_5, 4, STALE, id="a late event"),
        pytest.param(AT_5, 5, AT_5, id="the same event again"),
        pytest.param(AT_5, 6, now_at(6), id="a newer event"),
        pytest.param(AT_5, None, STALE, id="without the version that it takes"),
        pytest.param(AT_5, at(9), STALE, id="a time where it goes by numbers"),
        pytest.param(SINCE, at(4), STALE, id="a late event by its time"),
        pytest.param(SINCE, at(5), SINCE, id="the same event again by its time"),
        pytest.param(SINCE, at(6), now_at(at(6)), id="a newer event by its time"),
        pytest.param(SINCE, 9, STALE, id="a number where it goes by times"),
        pytest.param(CANCELLED_AT_5, 4, STALE, id="a late event after a cancel"),
        pytest.param(CANCELLED_AT_5, 5, STALE, id="the version of the cancel"),
        pytest.param(CANCELLED_AT_5, 6, now_at(6), id="planned anew after a cancel"),
        pytest.param(CANCELLED_AT_5, None, STALE, id="without a version after a cancel with one"),
        pytest.param(CANCELLED, 0, STALE, id="any version after a blind cancel"),
        pytest.param(CANCELLED, at(9), STALE, id="any time after a blind cancel"),
        pytest.param(CANCELLED, None, CANCELLED, id="a sensor uses its reference again, and its cancel still holds"),
        pytest.param(CANCELLED_AFTER_5, 6, STALE, id="even a newer version after a blind cancel"),
        pytest.param(CANCELLED_AFTER_5, None, STALE, id="without a version after a blind cancel of one with"),
    ],
)
def test_a_plan(known: Reference | None, version: SourceVersion | None, expected: Reference | str | None) -> None:
    if expected == STALE:
        with pytest.raises(StaleVersion):
            planned(known, version, NOW, final_cancel=False)
    else:
        assert planned(known, version, NOW, final_cancel=False) == expected


@pytest.mark.parametrize(
    ("known", "version", "expected"),
    [
        pytest.param(NOTHING, None, Reference(at=NOW, cancelled_at=NOW, blind=True), id="of what never was"),
        pytest.param(NOTHING, 5, Reference(at=NOW, version=5, cancelled_at=NOW), id="that overtook its plan"),
        pytest.param(AT_5, 4, STALE, id="a late cancel"),
        pytest.param(AT_5, 5, Reference(at=NOW, version=5, cancelled_at=NOW), id="with the version of the plan"),
        pytest.param(AT_5, 6, Reference(at=NOW, version=6, cancelled_at=NOW), id="with a newer one"),
        pytest.param(AT_5, None, Reference(at=NOW, version=5, cancelled_at=NOW, blind=True), id="without one"),
        pytest.param(AT_5, at(9), STALE, id="a time where it goes by numbers"),
        pytest.param(SINCE, at(4), STALE, id="a late cancel by its time"),
        pytest.param(SINCE, 9, STALE, id="a number where it goes by times"),
        pytest.param(CANCELLED_AT_5, 4, STALE, id="a late one after another"),
        pytest.param(CANCELLED_AT_5, 5, CANCELLED_AT_5, id="the same again"),
        pytest.param(CANCELLED_AT_5, 6, Reference(at=NOW, version=6, cancelled_at=NOW), id="a newer one"),
        pytest.param(CANCELLED, None, Reference(at=NOW, cancelled_at=NOW, blind=True), id="blindly again: a new day"),
        pytest.param(
            CANCELLED, 5, Reference(at=NOW, version=5, cancelled_at=THEN, blind=True), id="a blind one stays final"
        ),
        pytest.param(
            CANCELLED_AFTER_5, 6, Reference(at=NOW, version=6, cancelled_at=THEN, blind=True), id="and learns"
        ),
    ],
)
def test_a_cancel(known: Reference | None, version: SourceVersion | None, expected: Reference | str) -> None:
    if expected == STALE:
        with pytest.raises(StaleVersion):
            cancelled(known, version, NOW)
    else:
        assert cancelled(known, version, NOW) == expected


def test_a_booking_system_cancels_for_a_day_also_without_versions() -> None:
    for now in (THEN, JUST):
        with pytest.raises(StaleVersion):
            planned(CANCELLED, None, now, final_cancel=True)
    assert planned(CANCELLED, None, A_DAY_LATER, final_cancel=True) == CANCELLED


def test_a_day_after_a_blind_cancel_the_reference_is_free_for_versions() -> None:
    with pytest.raises(StaleVersion):
        planned(CANCELLED, 1, JUST, final_cancel=False)
    assert planned(CANCELLED, 1, A_DAY_LATER, final_cancel=False) == Reference(at=A_DAY_LATER, version=1)


def test_a_day_after_a_blind_cancel_what_was_known_before_it_is_still_old() -> None:
    with pytest.raises(StaleVersion):
        planned(CANCELLED_AFTER_5, 5, A_DAY_LATER, final_cancel=False)
    assert planned(CANCELLED_AFTER_5, 6, A_DAY_LATER, final_cancel=False) == Reference(at=A_DAY_LATER, version=6)


def test_a_blind_cancel_under_a_clock_that_was_years_ahead_is_not_final_for_years() -> None:
    ahead = Reference(at=THEN, cancelled_at=THEN + timedelta(days=3650), blind=True)
    assert planned(ahead, 1, NOW, final_cancel=True) == now_at(1)


def test_a_refusal_says_what_is_known_and_which_field_is_late() -> None:
    with pytest.raises(StaleVersion, match=r"^sourceVersion 5 is known already$") as late:
        planned(AT_5, 4, NOW, final_cancel=False)
    assert late.value.field == "sourceVersion"
    with pytest.raises(StaleVersion, match=r"takes a sourceUpdatedAt.*2026-11-21T08:05:00\.000Z$") as bare:
        planned(SINCE, None, NOW, final_cancel=False)
    assert bare.value.field is None


versions = st.integers(0, 6)
events = st.lists(st.tuples(versions, st.booleans()), min_size=1, max_size=20)


@given(events, st.booleans())
def test_versioned_events_in_any_order_and_repeated_end_as_the_newest_does(
    told: Sequence[tuple[int, bool]], final_cancel: bool
) -> None:
    """A cancel outdoes the plan of the same version."""
    known: Reference | None = None
    for minute, (version, is_cancel) in enumerate(told):
        with contextlib.suppress(StaleVersion):
            if is_cancel:
                known = cancelled(known, version, at(minute))
            else:
                known = planned(known, version, at(minute), final_cancel=final_cancel)
    assert known is not None
    assert (known.version, known.cancelled_at is not None) == max(told)


@given(st.lists(st.tuples(st.none() | versions, st.booleans()), max_size=20), st.booleans())
def test_what_is_known_never_gets_older_and_a_blind_cancel_holds_for_its_day(
    told: Sequence[tuple[int | None, bool]], final_cancel: bool
) -> None:
    known: Reference | None = None
    blindly = False
    for minute, (version, is_cancel) in enumerate(told):
        before = known
        with contextlib.suppress(StaleVersion):
            if is_cancel:
                known = cancelled(known, version, at(minute))
            else:
                known = planned(known, version, at(minute), final_cancel=final_cancel)
        blindly |= is_cancel and version is None
        if before is not None and isinstance(before.version, int):
            assert known is not None
            assert isinstance(known.version, int)
            assert known.version >= before.version
        if blindly:
            assert known is not None
            assert known.blind
