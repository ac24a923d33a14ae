"""Delivery through the worst that Hypothesis finds: in peace, every partner comes to show the truth."""

from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.delivery_machine import DeliveryMachine
from tests.simulation.delivery_world import Flaw

#: In `make test` the same histories in every run; `make test-long` takes others each time.
_SHORT: Final = settings(
    derandomize=True,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    stateful_step_count=30,
)


def run(how: settings, flaw: Flaw | None = None) -> None:
    run_state_machine_as_test(cast(Any, lambda: DeliveryMachine(flaw)), settings=how)


def test_whatever_happens_both_partners_come_to_show_the_truth() -> None:
    run(settings(_SHORT, max_examples=1000))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_whatever_happens_in_many_more_histories_both_partners_come_to_show_the_truth() -> None:
    run(settings(_SHORT, derandomize=False, database=None, print_blob=True, max_examples=20_000))


@pytest.mark.parametrize("flaw", Flaw)
def test_without_any_one_of_the_rules_a_history_is_found_that_ends_wrong(flaw: Flaw) -> None:
    with pytest.raises(AssertionError):
        run(settings(_SHORT, phases=(Phase.generate,), max_examples=5000), flaw)
