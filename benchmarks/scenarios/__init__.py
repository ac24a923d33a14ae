"""What is measured, in the order of the table."""

from typing import Final

from benchmarks.bench import Scenario
from benchmarks.scenarios import (
    creates,
    edges,
    growth,
    large_fleet,
    lists,
    memory,
    pushes,
    reads,
    reports,
    restart,
    storm,
    whole_fleet,
)

ALL: Final[tuple[Scenario, ...]] = (
    creates.SCENARIO,
    storm.SCENARIO,
    edges.SCENARIO,
    reads.SCENARIO,
    whole_fleet.SCENARIO,
    lists.SCENARIO,
    restart.SCENARIO,
    reports.SCENARIO,
    pushes.SCENARIO,
    memory.SCENARIO,
    growth.SCENARIO,
    large_fleet.SCENARIO,
)
