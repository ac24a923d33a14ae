from enum import Enum

import pytest

from app.domain.errors import MalformedValue
from app.domain.status import (
    IDLE,
    OCPI_REMOVED,
    OCPP_MEANING,
    ActualStatus,
    AppliesWhen,
    DeploymentState,
    Kind,
    OcppStatus,
    understood,
)
from app.domain.total import total

OCPP_TABLE = [
    ("Available", ActualStatus.AVAILABLE),
    ("Preparing", ActualStatus.CHARGING),
    ("Charging", ActualStatus.CHARGING),
    ("SuspendedEV", ActualStatus.CHARGING),
    ("SuspendedEVSE", ActualStatus.CHARGING),
    ("Finishing", ActualStatus.CHARGING),
    ("Occupied", ActualStatus.BLOCKED),
    ("Reserved", ActualStatus.RESERVED),
    ("Unavailable", ActualStatus.INOPERATIVE),
    ("Faulted", ActualStatus.OUTOFORDER),
]
OCPI_WORDS = [
    "AVAILABLE",
    "CHARGING",
    "BLOCKED",
    "RESERVED",
    "INOPERATIVE",
    "OUTOFORDER",
    "PLANNED",
    "UNKNOWN",
]


class Light(Enum):
    RED = "red"
    AMBER = "amber"
    GREEN = "green"


@pytest.mark.parametrize(("reported", "stored"), OCPP_TABLE)
def test_a_word_of_ocpp_is_stored_in_the_word_of_ocpi(reported: str, stored: ActualStatus) -> None:
    assert understood(reported) is stored


@pytest.mark.parametrize("word", OCPI_WORDS)
def test_a_word_of_ocpi_is_stored_as_it_is(word: str) -> None:
    assert understood(word).value == word


def test_the_tables_above_leave_no_word_out() -> None:
    assert {word for word, _ in OCPP_TABLE} == {word.value for word in OcppStatus}
    assert set(OCPI_WORDS) == {word.value for word in ActualStatus}


def test_no_word_belongs_to_both_protocols() -> None:
    assert not {word.value for word in OcppStatus} & {word.value for word in ActualStatus}


def test_occupied_is_read_as_charging_where_a_fleet_speaks_ocpp_2() -> None:
    assert understood("Occupied", occupied_means=ActualStatus.CHARGING) is ActualStatus.CHARGING


@pytest.mark.parametrize(("reported", "stored"), [row for row in OCPP_TABLE if row[0] != "Occupied"])
def test_that_setting_changes_no_other_word(reported: str, stored: ActualStatus) -> None:
    assert understood(reported, occupied_means=ActualStatus.CHARGING) is stored


def test_that_setting_leaves_ocpi_words_alone() -> None:
    assert understood("BLOCKED", occupied_means=ActualStatus.CHARGING) is ActualStatus.BLOCKED


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("available", id="lower case"),
        pytest.param("charging", id="lower case of both"),
        pytest.param("aVAILABLE", id="any other case"),
        pytest.param("FAULTED", id="OCPP in capitals"),
        pytest.param("Outoforder", id="OCPI in lower case"),
        pytest.param("REMOVED", id="OCPI's REMOVED, which deprecates instead"),
        pytest.param("OutOfService", id="OICP"),
        pytest.param("OUT_OF_SERVICE", id="the driver app's own"),
        pytest.param("MAINTENANCE", id="a temporary status"),
        pytest.param("SuspendedEv", id="misspelt"),
        pytest.param("Available\n", id="a trailing newline"),
        pytest.param(" AVAILABLE", id="a leading space"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_word_of_neither_protocol_is_refused(word: str) -> None:
    with pytest.raises(MalformedValue) as refusal:
        understood(word)

    assert refusal.value.field == "status"


def test_the_refusal_lists_the_words_that_would_do() -> None:
    with pytest.raises(MalformedValue, match=r"AVAILABLE.*OUTOFORDER.*SuspendedEVSE"):
        understood("broken")


def test_a_charger_is_idle_while_available_or_unknown() -> None:
    assert {ActualStatus.AVAILABLE, ActualStatus.UNKNOWN} == IDLE


def test_kinds_are_listed_strongest_first() -> None:
    assert [kind.value for kind in Kind] == ["COMMISSIONING", "MAINTENANCE", "BLOCKED", "RESERVED"]


@pytest.mark.parametrize("word", ["Maintenance", "maintenance", "MAINTENANCE", "mAINTENANCE"])
def test_a_kind_is_read_in_any_case(word: str) -> None:
    assert Kind(word) is Kind.MAINTENANCE


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("Repair", id="another word"),
        pytest.param("", id="nothing"),
        pytest.param("Maintenance\n", id="a trailing newline"),
        pytest.param("ma\N{LATIN SMALL LETTER DOTLESS I}ntenance", id="dotless i"),
        pytest.param("re\N{LATIN SMALL LETTER LONG S}erved", id="long s"),
        pytest.param(4, id="a number"),
        pytest.param(None, id="null"),
    ],
)
def test_what_is_no_kind_in_any_case_is_refused(word: object) -> None:
    with pytest.raises(ValueError, match="is not a valid Kind"):
        Kind(word)  # type: ignore[arg-type]


def test_the_words_that_requests_and_rows_hold_stay_as_they_are() -> None:
    assert {state.value for state in DeploymentState} == {"STOCK", "PRODUCTION", "DEPRECATED"}
    assert {AppliesWhen.ALWAYS.value: 1, AppliesWhen.IDLE.value: 2} == {"always": 1, "idle": 2}
    assert OCPI_REMOVED == "REMOVED"


def test_a_table_that_forgets_a_member_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"Light: AMBER, GREEN$"):
        total(Light, {Light.RED: "stop"})


def test_a_table_may_answer_with_nothing_but_not_leave_it_out() -> None:
    table = total(Light, {Light.RED: None, Light.AMBER: None, Light.GREEN: "go"})

    assert table[Light.RED] is None


def test_a_total_table_cannot_be_changed_afterwards() -> None:
    source = dict.fromkeys(Light, "dark")
    table = total(Light, source)
    source[Light.RED] = "stop"

    assert table[Light.RED] == "dark"
    with pytest.raises(TypeError, match="does not support item assignment"):
        table[Light.RED] = "stop"  # type: ignore[index]


def test_the_meaning_of_ocpp_words_is_the_table_above() -> None:
    assert {word.value: meaning for word, meaning in OCPP_MEANING.items()} == dict(OCPP_TABLE)
