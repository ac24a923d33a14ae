"""What is measured, in the order of the table."""

from typing import Final

from benchmarks.bench import Scenario
from benchmarks.scenarios import creates, lists, reports

ALL: Final[tuple[Scenario, ...]] = (
    creates.SCENARIO,
    lists.SCENARIO,
    reports.SCENARIO,
)
from benchmarks.scenarios import creates, edges, pushes

ALL: Final[tuple[Scenario, ...]] = (creates.SCENARIO, edges.SCENARIO, pushes.SCENARIO)
from benchmarks.scenarios import creates, growth, memory, restart, storm

ALL: Final[tuple[Scenario, ...]] = (
    creates.SCENARIO,
    storm.SCENARIO,
    restart.SCENARIO,
    memory.SCENARIO,
    growth.SCENARIO,
)
from benchmarks.scenarios import creates, large_fleet, reads, whole_fleet

ALL: Final[tuple[Scenario, ...]] = (creates.SCENARIO, reads.SCENARIO, whole_fleet.SCENARIO, large_fleet.SCENARIO)
