"""Windows through any history: what is shown is what the design says at every instant, and every promise is kept."""

from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.databases import PostgresqlServer
from tests.simulation.window_machine import Fresh, WindowMachine
from tests.simulation.window_model import MINUTE, Asked, Charger, Model, Refusal, Window, outranks

#: In `make test` the same histories in every run; `make test-long` takes others each time.
SHORT: Final = settings(
    derandomize=True,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    stateful_step_count=25,
)
LONG: Final = settings(SHORT, derandomize=False, database=None, print_blob=True, stateful_step_count=60)


def run(fresh: Fresh, how: settings) -> None:
    run_state_machine_as_test(cast(Any, lambda: WindowMachine(fresh)), settings=how)


# A history that fails is first made as short as it can be, for minutes.
@pytest.mark.timeout(900)
def test_every_history_on_sqlite_shows_what_the_design_says(on_sqlite: Fresh) -> None:
    run(on_sqlite, settings(SHORT, max_examples=26))


@pytest.mark.timeout(900)
def test_every_history_on_postgresql_shows_what_the_design_says(postgresql: PostgresqlServer) -> None:
    run(postgresql.fresh, settings(SHORT, max_examples=8))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_long_histories_on_sqlite_show_what_the_design_says(on_sqlite: Fresh) -> None:
    run(on_sqlite, settings(LONG, max_examples=600))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_long_histories_on_postgresql_show_what_the_design_says(postgresql: PostgresqlServer) -> None:
    run(postgresql.fresh, settings(LONG, max_examples=200))


# The model itself, by hand: it is the judge.


def test_the_model_ranks_by_kind_then_by_end_then_by_id() -> None:
    ranked = [
        Window("E", "COMMISSIONING", 0, 1, only_idle=False, owner="a", number=9),
        Window("E", "MAINTENANCE", 0, 2, only_idle=False, owner="a", number=8),
        Window("E", "BLOCKED", 0, None, only_idle=False, owner="a", number=7),
        Window("E", "BLOCKED", 0, 4, only_idle=False, owner="a", number=5),
        Window("E", "BLOCKED", 0, 4, only_idle=False, owner="a", number=6),
        Window("E", "BLOCKED", 0, 3, only_idle=False, owner="a", number=4),
        Window("E", "RESERVED", 0, None, only_idle=False, owner="a", number=3),
    ]
    assert [sum(outranks(other, one) for other in ranked) for one in ranked] == [0, 1, 2, 3, 4, 5, 6]


def test_when_the_stronger_ends_the_model_shows_the_weaker_and_then_what_the_charger_says_by_then() -> None:
    model = model_with(Charger("PRODUCTION", "AVAILABLE"))
    for number, (kind, begin, end) in enumerate([("MAINTENANCE", 0, 10), ("RESERVED", 5, 15)], start=1):
        model.create("sensor", "E", Asked(kind, begin * MINUTE, end * MINUTE, only_idle=False)).number = number
    seen = [("kind:MAINTENANCE", 1), ("kind:RESERVED", 2), ("actual:CHARGING", None)]
    for minute, after in [(0, 10), (10, 15)]:
        model.now = minute * MINUTE
        assert model.shown("E", model.now) == seen.pop(0)
        assert model.until("E") == after * MINUTE
        assert model.shown("E", after * MINUTE - 1) == model.shown("E", model.now)
    model.report("E", "Charging", None)
    model.now = 15 * MINUTE
    assert model.shown("E", model.now) == seen.pop(0)
    assert model.until("E") is None


def test_a_model_charger_that_is_charging_is_hidden_by_no_idle_window_until_it_falls_silent() -> None:
    model = model_with(Charger("PRODUCTION", "CHARGING", heard=0), max_age=3 * MINUTE)
    model.create("sensor", "E", Asked("BLOCKED", None, None, only_idle=True)).number = 1
    assert (model.shown("E", 0), model.until("E")) == (("actual:CHARGING", None), 3 * MINUTE)
    assert model.shown("E", 3 * MINUTE) == ("kind:BLOCKED", 1)


def test_the_model_refuses_what_the_design_refuses() -> None:
    model = model_with(Charger("PRODUCTION"))
    begun = model.create("sensor", "E", Asked("BLOCKED", None, MINUTE, only_idle=False))
    refused = [
        (422, lambda: model.create("sensor", "E", Asked("BLOCKED", MINUTE, MINUTE, only_idle=False))),
        (422, lambda: model.create("sensor", "E", Asked("BLOCKED", None, 0, only_idle=False))),
        (404, lambda: model.create("sensor", "F", Asked("BLOCKED", None, None, only_idle=False))),
        (409, lambda: model.patch("sensor", begun, {"begin": MINUTE})),
        (409, lambda: model.patch("sensor", begun, {"kind": "RESERVED"})),
        (422, lambda: model.patch("sensor", begun, {"end": 0})),
        (404, lambda: model.patch("booking", begun, {"end": None})),
    ]
    for status, command in refused:
        with pytest.raises(Refusal) as refusal:
            command()
        assert refusal.value.status == status
    model.now = MINUTE
    with pytest.raises(Refusal) as refusal:
        model.patch("sensor", begun, {"end": None})
    assert refusal.value.status == 409


def model_with(charger: Charger, max_age: int | None = None) -> Model:
    model = Model(max_age)
    model.chargers["E"] = charger
    return model
