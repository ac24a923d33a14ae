"""What was measured, kept as raw data from one run to the next."""

from pathlib import Path

import msgspec

from benchmarks.machine import Machine
from benchmarks.measuring import Line


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one scenario. `failed` says why there is nothing, where it broke off."""

    scenario: int
    title: str
    at: str  #: when, in UTC
    commit: str
    rounds: int
    took: float  #: seconds
    lines: tuple[Line, ...] = ()
    failed: str | None = None


class Results(msgspec.Struct, frozen=True):
    """Everything that is known: of each scenario the last time it was measured, in the order of the table."""

    machine: Machine  #: that of the last run
    measured: tuple[Measured, ...] = ()

    def of(self, scenario: int) -> Measured | None:
        return next((one for one in self.measured if one.scenario == scenario), None)

    def beside(self, one: Measured) -> "Results":
        """The same with this in the place of what was known of that scenario."""
        others = [other for other in self.measured if other.scenario != one.scenario]
        return Results(self.machine, tuple(sorted([*others, one], key=lambda known: known.scenario)))


def read(path: Path) -> Results | None:
    """What an earlier run left; `None` where there was none, or one of another shape."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except (FileNotFoundError, msgspec.ValidationError):
        return None


def write(path: Path, results: Results) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
