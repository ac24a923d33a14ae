"""Which failed tests are tried once more, alone."""

import pytest

from tests.alone import A_FEW, no_hearing

REAL = "tests/integration/test_writer.py::test_that"


def test_a_few_that_depend_on_the_machine_are_tried_again() -> None:
    assert no_hearing([f"{REAL}[{number}]" for number in range(A_FEW)]) is None


@pytest.mark.parametrize(
    "failed",
    [
        [],
        [f"{REAL}[{number}]" for number in range(A_FEW + 1)],
        [REAL, "tests/unit/test_presentation.py::test_that"],
        ["tests/simulation/test_histories.py::test_that"],
        ["tests/integration/test_writer.py"],
    ],
    ids=["nothing failed", "too many", "one is pure", "a simulation", "a file that cannot be read"],
)
def test_everything_else_stands(failed: list[str]) -> None:
    assert no_hearing(failed) is not None
