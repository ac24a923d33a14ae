"""What Hubject is shown for each temporary and each actual status: the decided tables, written out once more."""

import pytest

from app.channels.oicp import wire
from app.channels.oicp.mapping import ACTUAL, DEFAULT, KIND, markdown, table
from app.domain.errors import InvalidPartner
from app.domain.presentation import Gate
from app.domain.status import OCPP_MEANING, ActualStatus, Kind, OcppStatus


def test_temporary_statuses_are_shown_as_decided() -> None:
    assert {kind.value: status.value for kind, status in KIND.items()} == {
        "COMMISSIONING": "OutOfService",
        "MAINTENANCE": "OutOfService",
        "BLOCKED": "Occupied",
        "RESERVED": "Reserved",
    }


def test_actual_statuses_are_shown_as_decided() -> None:
    assert {status.value: shown.value for status, shown in ACTUAL.items()} == {
        "AVAILABLE": "Available",
        "CHARGING": "Occupied",
        "BLOCKED": "Occupied",
        "RESERVED": "Reserved",
        "INOPERATIVE": "OutOfService",
        "OUTOFORDER": "OutOfService",
        "PLANNED": "OutOfService",
        "UNKNOWN": "Unknown",
    }


@pytest.mark.parametrize(
    ("ocpp", "shown"),
    [
        ("Available", "Available"),
        ("Preparing", "Occupied"),
        ("Charging", "Occupied"),
        ("SuspendedEV", "Occupied"),
        ("SuspendedEVSE", "Occupied"),
        ("Finishing", "Occupied"),
        ("Occupied", "Occupied"),
        ("Reserved", "Reserved"),
        ("Unavailable", "OutOfService"),
        ("Faulted", "OutOfService"),
    ],
)
def test_what_a_charger_says_over_ocpp_arrives_at_hubject_as_decided(ocpp: str, shown: str) -> None:
    assert ACTUAL[OCPP_MEANING[OcppStatus(ocpp)]] == shown


def test_evse_not_found_is_never_said() -> None:
    assert wire.EvseStatus.EVSE_NOT_FOUND not in {*KIND.values(), *ACTUAL.values(), *wire.PUSHABLE}
    assert len(wire.PUSHABLE) == len(wire.EvseStatus) - 1


def test_what_the_gate_withholds_has_no_word() -> None:
    assert [DEFAULT.word(gate) for gate in Gate] == [None, None]


def test_a_temporary_and_an_actual_status_of_the_same_name_are_told_apart() -> None:
    changed = table({"RESERVED": "Occupied", "actual.BLOCKED": "OutOfService"})

    assert changed.word(Kind.RESERVED) == "Occupied"
    assert changed.word(ActualStatus.RESERVED) == "Reserved"
    assert changed.word(Kind.BLOCKED) == "Occupied"
    assert changed.word(ActualStatus.BLOCKED) == "OutOfService"


def test_a_change_for_one_partner_leaves_the_default_alone() -> None:
    table({"MAINTENANCE": "Unknown"})

    assert KIND[Kind.MAINTENANCE] == "OutOfService"
    assert table({}) == DEFAULT


@pytest.mark.parametrize("word", ["EvseNotFound", "outofservice", "Inoperative", ""])
def test_only_what_a_cpo_may_push_can_be_mapped_to(word: str) -> None:
    with pytest.raises(InvalidPartner):
        table({"MAINTENANCE": word})


@pytest.mark.parametrize("key", ["maintenance", "AVAILABLE", "actual.", "actual.available", "WITHHELD", ""])
def test_only_what_can_be_presented_can_be_mapped(key: str) -> None:
    with pytest.raises(InvalidPartner):
        table({key: "Unknown"})


def test_the_rendered_table_has_every_row() -> None:
    assert len(markdown().splitlines()) == 2 + len(Kind) + len(ActualStatus)
    assert "| temporary BLOCKED | `BLOCKED` | Occupied |" in markdown()
    assert "| actual BLOCKED | `actual.BLOCKED` | Occupied |" in markdown()


@pytest.mark.parametrize(
    ("evse_id", "fits"),
    [
        ("DE*AB7*E840*6487", True),
        ("DEAB7E8406487", True),
        ("+49*810*000*438", True),
        ("49*810*000*438", True),
        ("DE*ABC*E" + "1" * 30, True),
        ("DE*ABC*E" + "1" * 31, False),
        ("DE*ABC*E", False),
        ("DE*ABC*1", False),
        ("de*abc*e1", False),
        ("DE*ABC*E1\n", False),
        ("49810*000*438", False),
        ("DE*ABC*E\u0661", False),
    ],
)
def test_evse_ids_are_read_as_the_specification_writes_them(evse_id: str, fits: bool) -> None:
    assert (wire.EVSE_ID.fullmatch(evse_id) is not None) == fits
