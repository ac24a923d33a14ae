"""The OCPI status tables of each version: total, closed, and the ones that the README shows."""

from pathlib import Path

import pytest

import app.channels.ocpi
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from app.channels.ocpi.tables import markdown
from app.domain.presentation import Gate
from app.domain.status import OCPI_REMOVED, ActualStatus, Kind

README = Path(app.channels.ocpi.__file__).with_name("README.md")
each_release = pytest.mark.parametrize("release", RELEASES.values(), ids=list(RELEASES))


def test_the_readme_shows_the_tables_as_they_are() -> None:
    assert markdown() in README.read_text(encoding="utf-8")


def test_three_versions_are_spoken() -> None:
    assert list(RELEASES) == ["2.1.1", "2.2.1", "2.3.0"]


@each_release
def test_each_actual_status_is_told_as_the_word_it_is_kept_in(release: Release) -> None:
    assert {actual.value: status.value for actual, status in release.actual.items()} == {
        one.value: one.value for one in ActualStatus
    }


@each_release
def test_no_status_ever_says_removed_but_the_gate(release: Release) -> None:
    assert Status.REMOVED not in {*release.kinds.values(), *release.actual.values()}
    assert [release.status(gate) for gate in Gate] == [Status.REMOVED, Status.REMOVED]


def test_the_words_are_those_that_are_stored_and_removed() -> None:
    assert {one.value for one in Status} == {*(one.value for one in ActualStatus), OCPI_REMOVED}


@each_release
@pytest.mark.parametrize("kind", list(Kind))
def test_a_temporary_status_never_says_that_one_can_charge(release: Release, kind: Kind) -> None:
    assert release.kinds[kind] not in {Status.AVAILABLE, Status.UNKNOWN}
