import re
from pathlib import Path

import pytest

from app.channels.driver_app import mapping
from app.channels.driver_app.channel import DriverAppChannel
from app.channels.driver_app.mapping import ACTUAL, GATE, KIND, AppStatus
from app.domain.presentation import Gate, What

README = Path(mapping.__file__).with_name("README.md").read_text("utf-8")


def test_a_temporary_status_is_shown_as_the_design_says() -> None:
    assert dict(KIND) == {
        "MAINTENANCE": "OUT_OF_SERVICE",
        "COMMISSIONING": "OUT_OF_SERVICE",
        "BLOCKED": "OCCUPIED",
        "RESERVED": "OCCUPIED",
    }


def test_an_actual_status_is_shown_as_the_design_says() -> None:
    assert dict(ACTUAL) == {
        "AVAILABLE": "AVAILABLE",
        "CHARGING": "CHARGING",
        "BLOCKED": "OCCUPIED",
        "RESERVED": "OCCUPIED",
        "INOPERATIVE": "OUT_OF_SERVICE",
        "OUTOFORDER": "OUT_OF_SERVICE",
        "PLANNED": "OUT_OF_SERVICE",
        "UNKNOWN": "UNKNOWN",
    }


def test_the_words_of_the_app_are_these_six_and_stay_so() -> None:
    assert [*AppStatus] == ["AVAILABLE", "CHARGING", "OCCUPIED", "OUT_OF_SERVICE", "UNKNOWN", "REMOVED"]


@pytest.mark.parametrize(("what", "shown"), [*KIND.items(), *ACTUAL.items(), *GATE.items()])
def test_the_channel_tells_what_it_shows_by_default(what: What, shown: AppStatus | None) -> None:
    assert DriverAppChannel().shows(what) == shown


def test_what_is_withheld_is_shown_as_nothing_and_what_is_removed_as_removed() -> None:
    assert DriverAppChannel().shows(Gate.WITHHELD) is None
    assert DriverAppChannel().shows(Gate.REMOVED) == "REMOVED"


def test_the_readme_prints_the_tables_as_they_are() -> None:
    assert mapping.markdown() in README
    printed = re.findall(r"^\| ([A-Z]+) \| ([A-Z_]+) \|$", README, re.MULTILINE)
    assert printed == [(what.value, shown.value) for table in (KIND, ACTUAL) for what, shown in table.items()]
