"""No sequence of calls by a scoped key leaves anything in effect outside its rights."""

from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.databases import PostgresqlServer
from tests.simulation.scoped_key_machine import Fresh, ScopedKeyMachine
from tests.simulation.test_windows import LONG, SHORT


def run(fresh: Fresh, how: settings) -> None:
    run_state_machine_as_test(cast(Any, lambda: ScopedKeyMachine(fresh)), settings=how)


@pytest.mark.timeout(900)
def test_whatever_a_scoped_key_calls_on_sqlite_leaves_nothing_outside_its_rights(on_sqlite: Fresh) -> None:
    run(on_sqlite, settings(SHORT, max_examples=18))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_more_calls_on_sqlite_leave_nothing_outside_its_rights(on_sqlite: Fresh) -> None:
    run(on_sqlite, settings(LONG, max_examples=600))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_more_calls_on_postgresql_leave_nothing_outside_its_rights(postgresql: PostgresqlServer) -> None:
    run(postgresql.fresh, settings(LONG, max_examples=60))
