"""The histories are hard enough: each rule of delivery, spoilt on purpose, goes wrong in some of them."""

import pytest

from tests.simulation.flaws import Flaw
from tests.simulation.plan import plan_of
from tests.simulation.playing import play

ENOUGH = 5_000  #: histories; most flaws show within the first hundred


@pytest.mark.parametrize("flaw", Flaw, ids=lambda flaw: flaw.name)
def test_a_rule_that_is_spoilt_goes_wrong_in_some_history(flaw: Flaw) -> None:
    assert any(play(plan_of(seed), flaw.value).judge.wrong for seed in range(ENOUGH))
