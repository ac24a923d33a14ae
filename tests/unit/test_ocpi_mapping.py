"""The OCPI status tables: total, closed, and the ones that the README shows."""

from pathlib import Path

import pytest

import app.channels.ocpi
from app.channels.ocpi.channel import RELEASES
from app.channels.ocpi.status import Status
from app.channels.ocpi.v2_2_1.mapping import ACTUAL, KIND, markdown
from app.domain.presentation import Gate
from app.domain.status import OCPI_REMOVED, ActualStatus, Kind

README = Path(app.channels.ocpi.__file__).with_name("README.md")


def test_the_readme_shows_the_tables_as_they_are() -> None:
    assert markdown() in README.read_text(encoding="utf-8")


def test_each_actual_status_is_told_as_the_word_it_is_kept_in() -> None:
    assert {actual.value: status.value for actual, status in ACTUAL.items()} == {
        one.value: one.value for one in ActualStatus
    }


def test_no_status_ever_says_removed_but_the_gate() -> None:
    assert Status.REMOVED not in {*KIND.values(), *ACTUAL.values()}
    for release in RELEASES.values():
        assert [release.status(gate) for gate in Gate] == [Status.REMOVED, Status.REMOVED]


def test_the_words_are_those_that_are_stored_and_removed() -> None:
    assert {one.value for one in Status} == {*(one.value for one in ActualStatus), OCPI_REMOVED}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_temporary_status_never_says_that_one_can_charge(kind: Kind) -> None:
    assert KIND[kind] not in {Status.AVAILABLE, Status.UNKNOWN}
