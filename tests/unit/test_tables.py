"""Tables as they are laid out for terminals of any width."""

import pytest

from app.cli.tables import colours, laid_out, print_table

COLUMNS = ["name", "state", "owed", "why"]
ROWS = [["hubject", "good", 3, None], ["emsp", "failing", 1200, "it cannot be reached: connection refused by peer"]]


def test_a_table_is_as_wide_as_it_comes_where_there_is_room_or_nobody_looks():
    wide = [
        "name     state    owed  why",
        "hubject  good     3",
        "emsp     failing  1200  it cannot be reached: connection refused by peer",
    ]
    assert laid_out(COLUMNS, ROWS, None) == wide
    assert laid_out(COLUMNS, ROWS, 120, ["owed"]) == wide


def test_spare_columns_go_first_then_texts_are_folded_then_rows_fall_apart():
    assert laid_out(COLUMNS, ROWS, 66, ["owed"])[0] == "name     state    why"
    assert laid_out(COLUMNS, ROWS, 66, ["owed"])[-1] == "(left out to fit: owed; -o json has all)"
    assert laid_out(COLUMNS, ROWS, 50) == [
        "name     state    owed  why",
        "hubject  good     3",
        "emsp     failing  1200  it cannot be reached:",
        "                        connection refused by peer",
    ]
    assert laid_out(COLUMNS, ROWS, 30) == [
        "hubject",
        "  state  good",
        "  owed   3",
        "emsp",
        "  state  failing",
        "  owed   1200",
        "  why    it cannot be reached:",
        "         connection refused by",
        "         peer",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_wider_than_the_terminal_and_wide_characters_count_twice(width: int):
    rows = [["充電" * 4, "x" * number, "word " * number] for number in range(1, 9)]
    lines = laid_out(["site", "id", "note"], rows, width)
    assert max(len(line) + sum(one in "充電" for one in line) for line in lines) <= width


def test_what_a_terminal_would_take_for_commands_is_not_printed(capsys: pytest.CaptureFixture[str]):
    print_table(["reason"], [["\x1b[2Jgone\n"]], nothing="")
    assert capsys.readouterr().out == "reason\n [2Jgone\n"


def test_colours_are_for_terminals_and_not_where_somebody_wants_none(monkeypatch: pytest.MonkeyPatch):
    assert not colours()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours()
